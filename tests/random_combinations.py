"""Random specs in which the parts of the language meet: hidden counts, nested ones too, exact variables with latents of
their own, walks, functions of discrete variables, every estimator, free bits and weights; rows drawn to fit them.

A draw may ask for what the language refuses. `refusals` says which.
"""

from random import Random

import torch
from random_plates import path
from torch import Tensor

from compiler.model.model import Model
from compiler.tensors.noise import Noise
from graphspec.diagnostics import Diagnostic
from graphspec.language.plates import POOLS
from graphspec.loading import check_graphs

CLASSES = {"binary": 2, "category, classes: 3": 3}
COUNTS = ("fixed", "observed", "supervised", "latent")
"""How many elements a plate has: always as many, as a column says, as some rows say, as no row says."""


class CombinationDraw:
    """One random spec. most: joint values of all that is summed. exact, certain, walks: how often each is there."""

    def __init__(
        self, seed: int, *, most: int = 1500, exact: float = 0.3, certain: float = 0.3, walks: float = 0.3
    ) -> None:
        self.random = random = Random(seed)
        self.plates = ["p", *random.sample(["r", "s"], random.choice([0, 1, 1]))]
        self.sizes = {plate: random.choice([2, 2, 3]) if plate == "p" else 2 for plate in self.plates}
        self.counted = {plate: random.choice(COUNTS) for plate in self.plates}
        self.ordered = {plate: random.random() < 0.7 for plate in self.plates}
        hidden = [plate for plate in self.plates if self.hides(plate)]
        self.place: dict[str, str | None] = {"u": None}
        self.place["x"] = random.choice([None, *(p for p in self.plates if not self.hides(p))])
        names = ["a", "b", "c", "d"][: random.randint(2, 4)]
        self.place |= {name: random.choice([None, *self.plates, *self.plates]) for name in names}
        self.domain = {name: random.choice(["real", "real", *CLASSES]) for name in names}
        known = [n for n in names if self.domain[n] != "real" and not self.hides(self.place[n])]
        self.exact = [name for name in known if random.random() < exact]
        while self.worlds() > most:
            name = random.choice([n for n in names if self.domain[n] != "real"])
            self.domain[name] = "real"
            self.exact = [n for n in self.exact if n != name]
        self.names = names
        scored = not hidden
        kinds = {"real": ["", "", "score_function"], "binary": ["", "", "relax", "mean", "score_function"],
                 "category, classes: 3": ["", "", "relax", "score_function"]}  # fmt: skip
        self.estimator = {n: random.choice(kinds[self.domain[n]]) for n in names if n not in self.exact}
        if not scored or random.random() < 0.6:
            self.estimator = {n: kind for n, kind in self.estimator.items() if kind != "score_function"}
        latent = [n for n in names if self.latent(self.place[n])]
        self.role = {n: "latent" if n in latent or random.random() < 0.5 else "supervised" for n in names}
        self.states: list[str] = []
        self.walks, self.sums = random.random() < walks, random.random() < certain

    def hides(self, plate: str | None) -> bool:
        return any(self.counted[each] in ("supervised", "latent") for each in path(plate) if each in self.counted)

    def latent(self, plate: str | None) -> bool:
        return any(self.counted[each] == "latent" for each in path(plate))

    def elements(self, name: str) -> int:
        total = 1
        for plate in path(self.place[name]):
            total *= self.sizes[plate]
        return total

    def worlds(self) -> int:
        """Joint values of all that may be summed, counts among them."""
        total = 1
        for name, domain in self.domain.items():
            total *= CLASSES.get(domain, 1) ** self.elements(name)
        for plate in self.plates:
            if self.counted[plate] in ("supervised", "latent"):
                total *= (self.sizes[plate] + 1) ** (self.sizes["p"] if plate == "s" else 1)
        return total

    def text(self) -> str:
        lines = ["graphspec: 1", "plates:", *map(self._plate, self.plates), "variables:"]
        lines += [f"  x: {{role: observed, size: 2{self._in('x')}}}", "  u: {role: observed, domain: binary}"]
        lines += [f"  {n}: {{role: {self.role[n]}, domain: {self.domain[n]}{self._in(n)}}}" for n in self.names]
        counts = {plate: f"n{plate}" for plate in self.plates if self.counted[plate] != "fixed"}
        for plate, count in counts.items():
            outer = path(plate)[:-1]
            self.place[count] = outer[-1] if outer else None
            low = self.random.choice([0, 0, 1])
            size = f"domain: count, min: {low}, max: {self.sizes[plate]}"
            lines.append(f"  {count}: {{role: {self.counted[plate]}, {size}{self._in(count)}}}")
        hidden = [count for plate, count in counts.items() if self.counted[plate] in ("supervised", "latent")]
        p, q = self.random.sample(self.names, len(self.names)), self.random.sample(self.names, len(self.names))
        functions = {"p": ["generative:"], "q": ["recognition:"]}
        seen = ["x", "u"]
        if self.walks:
            functions["q"].append(self._state("f", "x", lines))
            seen.append("f")
            carried = self.random.choice([n for n in self.names if n not in self.exact] or ["x"])
            if self.place[carried] is None or self.ordered[path(self.place[carried])[-1]]:
                functions["p"].append(self._state("h", carried, lines, "previous"))
                self.states.append("h")
        certain = self._certain(lines) if self.sums else None
        functions["p"] += [f"  {count}: {{}}" for count in hidden]
        functions["p"] += [self._factor(n, [*hidden, *p[:i]], "p") for i, n in enumerate(p)]
        functions["p"] += [self._factor(n, [*p, *counts.values(), *self.states], "p") for n in ("x", "u")]
        functions["q"] += [f"  {count}: {{parents: [{self._see('x', self.place[count])}, u]}}" for count in hidden]
        for place, name in enumerate(q):
            read = [*seen, *hidden, *(n for n in q[:place] if n not in self.exact or self.random.random() < 0.5)]
            functions["q"].append(f"  {name}: exact" if name in self.exact else self._factor(name, read, "q"))
        if certain:
            functions["p"].append(certain)
            functions["q"].append(certain)
        lines += [*functions["p"], *functions["q"], "networks: {default: {kind: mlp, hidden: [3], activation: tanh}}"]
        return "\n".join([*lines, self._objective(hidden)]) + "\n"

    def _objective(self, hidden: list[str]) -> str:
        labels = [*(n for n in self.names if self.role[n] == "supervised")]
        labels += [count for count in hidden if self.counted[count[1:]] == "supervised"]
        labels += ["t"] if self.sums else []
        alphas = ", ".join(f"{n}: {self.random.uniform(0.1, 3):.2f}" for n in labels)
        weighed = [*self.names, *hidden] if len(self.exact) < 2 else [n for n in self.names if n not in self.exact]
        chosen = ", ".join(f"{n}: {kind}" for n, kind in self.estimator.items() if kind)
        numbers = {"samples": str(self.random.choice([1, 2]))} | ({"alpha": f"{{{alphas}}}"} if alphas else {})
        numbers |= {"beta": self._some(weighed), "estimators": f"{{{chosen}}}"}
        numbers["free_bits"] = self._some([n for n in self.names if n not in self.exact])
        return f"objective: {{{', '.join(f'{k}: {v}' for k, v in numbers.items())}}}"

    def _some(self, names: list[str]) -> str:
        some = [f"{n}: {self.random.uniform(0.1, 3):.2f}" for n in names if self.random.random() < 0.25]
        return f"{{{', '.join(some)}}}"

    def _plate(self, plate: str) -> str:
        parts = [f"size: {self.sizes[plate]}" if self.counted[plate] == "fixed" else f"count: n{plate}"]
        parts += ["ordered: true"] if self.ordered[plate] else []
        return f"  {plate}: {{{', '.join([*parts, *(['inside: p'] if plate == 's' else [])])}}}"

    def _in(self, name: str) -> str:
        return "" if self.place[name] is None else f", plate: {self.place[name]}"

    def _state(self, name: str, over: str, lines: list[str], way: str = "") -> str:
        """A walk over another variable."""
        self.place[name] = self.place[over]
        kind = self.random.choice(["{kind: gru, hidden: 2}", "{kind: mlp, hidden: [2], activation: tanh}"])
        lines.append(f"  {name}: {{role: deterministic{self._in(name)}}}")
        way = way or self.random.choice(["previous", "next"])
        circle = f"{name}@{way}, " if self.place[over] is not None else ""
        kind = kind if circle else "{kind: mlp, hidden: [2], activation: tanh}"
        return f"  {name}: {{parents: [{circle}{over}], network: {kind}}}"

    def _certain(self, lines: list[str]) -> str | None:
        """t of the row: the sum of one discrete variable's elements, or of two variables of the row."""
        known = [None, *(plate for plate in self.plates if plate != "s" and self.counted[plate] == "fixed")]
        whole = [n for n in self.names if self.domain[n] != "real" and self.estimator.get(n, "relax") == ""]
        whole = [n for n in whole if self.place[n] in known]
        if not whole:
            self.sums = False
            return None
        chosen = self.random.sample(whole, min(len(whole), self.random.choice([1, 1, 2])))
        top = sum((CLASSES[self.domain[n]] - 1) * self.elements(n) for n in chosen)
        read = ", ".join(n if self.place[n] is None else f"{n}@sum" for n in chosen)
        lines.append(f"  t: {{role: supervised, domain: count, max: {top}}}")
        return f"  t: {{parents: [{read}], distribution: certain, network: {{kind: sum}}}}"

    def _factor(self, name: str, before: list[str], side: str) -> str:
        around = before
        if name in self.names and self.random.random() < 0.35:
            around = [*before, name]  # its own neighbour
        parents = [self._read(name, parent, side) for parent in around if self.random.random() < 0.55]
        parents = list(dict.fromkeys(parent for parent in parents if parent))
        bernoulli = self.estimator.get(name) == "mean"
        family = ", distribution: bernoulli" if bernoulli else ""
        if not parents:
            real = name == "x" or self.domain.get(name) == "real"
            learned = "loc: learned, scale: learned" if real else "logits: learned"
            return f"  {name}: {{parameters: {{{learned}}}{family}}}"
        return f"  {name}: {{parents: [{', '.join(parents)}]{family}}}"

    def _read(self, reader: str, parent: str, side: str) -> str:
        here, there = path(self.place[reader]), path(self.place[parent])
        if reader == parent:
            ordered = bool(here) and self.ordered[here[-1]]
            return f"{parent}@previous" if ordered and (self.walks or parent in self.exact) else ""
        plain, careful = here[: len(there)] == there, self.random.random() < 0.95
        if parent in self.exact and careful:
            if side == "q":
                own = self.role[reader] == "latent" and plain and there
                return parent if own else ""
            chain = plain and here == there and here and self.ordered[here[-1]]
            return "" if not plain else f"{parent}@previous" if chain and self.random.random() < 0.2 else parent
        return self._see(parent, self.place[reader], side)

    def _see(self, parent: str, stands: str | None, side: str = "q") -> str:
        here, there = path(stands), path(self.place[parent])
        views = [*POOLS, "first", "last"] if there else []
        if side == "p" and not all(self.ordered[plate] for plate in there):
            views = list(POOLS)
        plain = here[: len(there)] == there
        if there and plain and (side == "q" or self.ordered[there[-1]]) and self.random.random() < 0.4:
            views += ["previous", "next"]
        if plain and (not views or self.random.random() < 0.6):
            return parent
        return f"{parent}@{self.random.choice(views)}" if views else ""


def refusals(text: str) -> list[Diagnostic]:
    """The errors that `check` finds in a spec."""
    _, found = check_graphs("-", text=text)
    return [each for each in found if each.severity == "error"]


def agreeing(model: Model, count: int, seed: int = 0) -> dict[str, Tensor]:
    """Rows drawn from p: the first without any label, the second with all, the others with any. Where a count is not
    known nothing of its elements is, and cells of absent elements are blank."""
    graphs, generator = model.graphs, torch.Generator().manual_seed(seed)
    given = {}
    for plate in graphs.plates.values():
        counted = plate.count
        if counted is not None and graphs.variables[counted].role == "observed":
            variable = graphs.variables[counted]
            shape = (count, *variable.row_shape)
            given[counted] = torch.randint(variable.minimum, plate.size + 1, shape, generator=generator).to(model.dtype)
    made = model.generate(given, count, noise=Noise(seed, count), means=False)
    rows = {}
    for name in (*graphs.observed, *graphs.supervised):
        variable, value = graphs.variables[name], {**made, **given}[name].clone()
        if variable.role == "supervised":
            gone = torch.rand(value.shape, generator=generator) < 0.5
            gone[0], gone[1] = True, False
            value[gone] = -1 if variable.discrete else torch.nan
        rows[name] = value
    counts = {plate.count for plate in graphs.plates.values()} - {None}
    for name in sorted(graphs.supervised, key=lambda n: n not in counts):
        rows[name] = _where_known(model, rows, name)
    return rows


def _where_known(model: Model, rows: dict[str, Tensor], name: str) -> Tensor:
    """A variable's labels without those of elements that no count says are there."""
    graphs, value = model.graphs, rows[name].clone()
    variable = graphs.variables[name]
    blank = -1 if variable.discrete else torch.nan
    for depth, (plate, size) in enumerate(variable.plates):
        counted = graphs.plates[plate].count
        if counted is None or graphs.variables[counted].role == "observed":
            continue
        told = rows.get(counted)
        if told is None:
            return torch.full_like(value, blank)
        lengths = torch.nan_to_num(told, nan=-1).reshape(*told.shape, *(1,) * (value.dim() - told.dim()))
        places = torch.arange(size).reshape(size, *(1,) * (value.dim() - depth - 2))
        value = torch.where(places < lengths, value, torch.full_like(value, blank))
    return value
