"""Random specs with plates: fixed sizes and counts, nested ones, views of every kind, labels on any elements."""

from random import Random

from graphspec.language.plates import POOLS

PLATES = {"p": (), "r": (), "s": ("p",)}
"""Two plates side by side, and one inside the first."""


def path(plate: str | None) -> tuple[str, ...]:
    return () if plate is None else (*PLATES[plate], plate)


class PlateSpecDraw:
    """One random spec with up to `most` hidden or supervised variables. samples: S.

    ragged: some plates have a count, observed, which others may read. hidden: supervised or latent.
    """

    def __init__(
        self, seed: int, most: int = 4, samples: int = 2, *, weights: bool = True, ragged: bool = False,
        hidden: bool = False,
    ) -> None:  # fmt: skip
        self.random = Random(seed)
        self.sizes = {"p": self.random.randint(2, 3), "r": 2, "s": 2}
        self.plates: dict[str, str | None] = {"x": self.random.choice(["p", "p", "s", None]), "u": None}
        names = ["a", "b", "c", "d"][: self.random.randint(1, most)]
        self.kinds = {name: self.random.choice([2, 3, 0, 0]) for name in names}
        self.plates |= {name: self.random.choice(["p", "p", "r", "s", None]) for name in names}
        while self._worlds() > 600:
            name = self.random.choice(names)
            self.kinds[name] = 0
        self.supervised = [name for name in names if self.random.random() < 0.5]
        self.samples, self.weights = self.random.randint(1, samples), weights
        self.counts: dict[str, str] = {}
        while ragged and not self.counts:
            self.counts = {plate: f"n{plate}" for plate in PLATES if self.random.random() < 0.6}
        self.plates |= {count: (PLATES[plate] or (None,))[-1] for plate, count in self.counts.items()}
        self.roles = dict.fromkeys(self.counts.values(), "observed")
        if hidden:
            self._hide()

    def _hide(self) -> None:
        """Counts of the row that rows may lack; what rows show stands elsewhere, and labels say that the count is
        known."""
        for plate in ("p", "r"):
            if plate in self.counts:
                self.roles[self.counts[plate]] = self.random.choice(["supervised", "supervised", "latent"])
        self.counts.pop("s", None)
        self.plates["x"] = None
        latent = [plate for plate in ("p", "r") if self.roles.get(self.counts.get(plate, "")) == "latent"]
        inside = [n for n in self.supervised if set(path(self.plates[n])) & set(latent)]
        self.supervised = [name for name in self.supervised if name not in inside]

    def _worlds(self) -> int:
        total = 1
        for name, kind in self.kinds.items():
            elements = 1
            for plate in path(self.plates[name]):
                elements *= self.sizes[plate]
            total *= max(kind, 1) ** elements
        return total

    def text(self) -> str:
        names = list(self.kinds)
        p_order, q_order = self.random.sample(names, len(names)), self.random.sample(names, len(names))
        rest = {"p": "ordered: true", "r": "", "s": "inside: p, ordered: true"}
        lines = ["graphspec: 1", "plates:", *(self._plate(plate, also) for plate, also in rest.items()), "variables:"]
        lines.append(f"  x: {{role: observed, size: 2{self._in('x')}}}")
        missing = ", missing: true" if self.random.random() < 0.5 else ""
        lines.append(f"  u: {{role: observed, domain: binary{missing}}}")
        for name, kind in self.kinds.items():
            role = "supervised" if name in self.supervised else "latent"
            domain = "binary" if kind == 2 else f"category, classes: {kind}" if kind else "real"
            lines.append(f"  {name}: {{role: {role}, domain: {domain}{self._in(name)}}}")
        for plate, count in self.counts.items():
            least = self.random.choice([0, 0, 1])
            size = f"domain: count, min: {least}, max: {self.sizes[plate]}"
            lines.append(f"  {count}: {{role: {self.roles[count]}, {size}{self._in(count)}}}")
        counts = list(self.counts.values())
        seen = [count for count in counts if self.roles[count] == "observed"]
        modelled = [count for count in counts if count not in seen or self.random.random() < 0.5]
        lines.append("generative:")
        lines += [f"  {count}: {{}}" for count in modelled]
        lines += [self._factor(n, p_order[:i], generative=True) for i, n in enumerate(p_order)]
        lines += [self._factor(n, [*p_order, *counts], generative=True) for n in ("x", "u")]
        lines.append("recognition:")
        lines += [f"  {count}: {{parents: [x, u]}}" for count in counts if count not in seen]
        seen = ["x", "u", *counts]
        lines += [self._factor(n, [*seen, *q_order[:i]], generative=False) for i, n in enumerate(q_order)]
        labels = [*self.supervised, *(count for count in counts if self.roles[count] == "supervised")]
        alphas = ", ".join(f"{n}: {self.random.uniform(0.1, 3):.2f}" for n in labels)
        lines.append("networks: {default: {kind: mlp, hidden: [3], activation: tanh}}")
        numbers = {"samples": str(self.samples)} | ({"alpha": f"{{{alphas}}}"} if alphas else {})
        if self.weights:
            numbers |= {"beta": self._some(names), "free_bits": self._some(names)}
        lines.append(f"objective: {{{', '.join(f'{k}: {v}' for k, v in numbers.items())}}}")
        return "\n".join(lines) + "\n"

    def _plate(self, plate: str, also: str) -> str:
        size = f"count: {self.counts[plate]}" if plate in self.counts else f"size: {self.sizes[plate]}"
        return f"  {plate}: {{{', '.join([size, *([also] if also else [])])}}}"

    def _some(self, names: list[str]) -> str:
        return (
            f"{{{', '.join(f'{n}: {self.random.uniform(0.1, 3):.2f}' for n in names if self.random.random() < 0.3)}}}"
        )

    def _in(self, name: str) -> str:
        return "" if self.plates[name] is None else f", plate: {self.plates[name]}"

    def _factor(self, name: str, before: list[str], *, generative: bool) -> str:
        parents = [self._read(name, parent, generative) for parent in before if self.random.random() < 0.6]
        parents = [parent for parent in parents if parent]
        own = self.plates[name]
        by = own if own is not None and self.random.random() < 0.3 else None
        if by is not None:
            parents.append(by)
        if not parents:
            learned = "logits: learned" if self.kinds.get(name) or name == "u" else "loc: learned, scale: learned"
            return f"  {name}: {{parameters: {{{learned}}}}}"
        network = f", network: {{kind: linear, by: {by}}}" if by is not None and self.random.random() < 0.5 else ""
        return f"  {name}: {{parents: [{', '.join(dict.fromkeys(parents))}]{network}}}"

    def _read(self, reader: str, parent: str, generative: bool) -> str:
        here, there = path(self.plates[reader]), path(self.plates[parent])
        views = [*POOLS, "first", "last"] if there else []
        ordered = all(plate != "r" for plate in there)
        if generative and not ordered:
            views = list(POOLS)
        if there and here[: len(there)] == there and (ordered or not generative):
            views += ["previous", "next"]
        plain = here[: len(there)] == there
        if plain and (not views or self.random.random() < 0.5):
            return parent
        return f"{parent}@{self.random.choice(views)}" if views else ""
