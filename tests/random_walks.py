"""Random specs with recurrences in both graphs: states, latents and labels that read their neighbours, either way."""

from random import Random


class WalkSpecDraw:
    """One random spec. Element variables stand in one plate, alone or inside another; w belongs to the row, first or
    last of all. f and b are states of recognition over what is observed, h of the generative graph, which recognition may
    read where it looks the same way."""

    def __init__(self, seed: int, samples: int = 2, *, ragged: bool = False) -> None:
        self.random = random = Random(seed)
        self.plate = random.choice(["p", "p", "s"])
        self.kinds = {name: random.choice(["real", "real", "binary", "category, classes: 3"]) for name in "klm"}
        for name in random.sample("klm", random.randint(0, 2)):
            del self.kinds[name]
        self.supervised = [name for name in self.kinds if random.random() < 0.4]
        self.samples = random.randint(1, samples)
        self.ways = {"q": random.choice(["previous", "next"]), "p": random.choice(["previous", "next"])}
        self.first = random.random() < 0.5
        self.ragged = ragged
        self.shares = self.ways["q"] == self.ways["p"] and random.random() < 0.6

    def text(self) -> str:
        names = list(self.kinds)
        q, p = self.random.sample(names, len(names)), self.random.sample(names, len(names))
        inside = f", plate: {self.plate}"
        size = 3 if self.plate == "p" else 2
        outer, inner = ("count: i", "count: j") if self.ragged else (f"size: {size}", "size: 3")
        lines = ["graphspec: 1", "plates:", f"  p: {{{outer}, ordered: true}}",
                 f"  s: {{{inner}, inside: p, ordered: true}}", "variables:"]  # fmt: skip
        if self.ragged:
            lines += [f"  i: {{role: observed, domain: count, min: 0, max: {size}}}",
                      "  j: {role: observed, domain: count, min: 0, max: 3, plate: p}"]  # fmt: skip
        lines.append(f"  x: {{role: observed, size: 2{inside}}}")
        lines.append("  w: {role: latent, domain: binary}")
        for name, domain in self.kinds.items():
            role = "supervised" if name in self.supervised else "latent"
            lines.append(f"  {name}: {{role: {role}, domain: {domain}{inside}}}")
        lines += [f"  {name}: {{role: deterministic{size}{inside}}}" for name, size in self._states()]
        lines += ["generative:", *self._generative(p), "recognition:", *self._recognition(q)]
        lines.append("networks: {default: {kind: mlp, hidden: [3], activation: tanh}}")
        alphas = ", ".join(f"{n}: {self.random.uniform(0.1, 3):.2f}" for n in self.supervised)
        numbers = {"samples": str(self.samples)} | ({"alpha": f"{{{alphas}}}"} if alphas else {})
        numbers |= {"beta": self._some(names), "free_bits": self._some(names)}
        lines.append(f"objective: {{{', '.join(f'{k}: {v}' for k, v in numbers.items())}}}")
        return "\n".join(lines) + "\n"

    def _states(self) -> list[tuple[str, str]]:
        self.networks = {}
        for name in "fbh":
            kinds = ["{kind: gru, hidden: 2}", "{kind: mlp, hidden: [2], activation: tanh}", "linear"]
            self.networks[name] = self.random.choice(kinds)
        return [(name, ", size: 2" if network == "linear" else "") for name, network in self.networks.items()]

    def _some(self, names: list[str]) -> str:
        some = [f"{n}: {self.random.uniform(0.1, 3):.2f}" for n in names if self.random.random() < 0.3]
        return f"{{{', '.join(some)}}}"

    def _few(self, names: list[str], share: float) -> list[str]:
        return [name for name in names if self.random.random() < share]

    def _state(self, name: str, parents: list[str]) -> str:
        network = self.networks[name]
        network = "{kind: linear}" if network == "linear" else network
        return f"  {name}: {{parents: [{', '.join(dict.fromkeys(parents))}], network: {network}}}"

    def _factor(self, name: str, parents: list[str]) -> str:
        learned = "loc: learned, scale: learned" if self.kinds.get(name, "binary") == "real" else "logits: learned"
        body = f"parents: [{', '.join(dict.fromkeys(parents))}]" if parents else f"parameters: {{{learned}}}"
        return f"  {name}: {{{body}}}"

    def _around(self, order: list[str], place: int, way: str) -> list[str]:
        """What an element variable reads: those before it, and its and all others' neighbours."""
        return [*self._few(order[:place], 0.5), *(f"{name}@{way}" for name in self._few(order, 0.45))]

    def _generative(self, order: list[str]) -> list[str]:
        way, pool = self.ways["p"], self.random.choice(["mean", "max", "last"])
        others = [] if self.first else [f"{name}@{pool}" for name in self._few(order, 0.6)]
        lines = [self._factor("w", others)]
        w = ["w"] if self.first else []
        for place, name in enumerate(order):
            state = self._few([f"h@{way}"], 0.5)
            lines.append(self._factor(name, [*self._few(w, 0.5), *state, *self._around(order, place, way)]))
        lines.append(self._state("h", [f"h@{way}", *self._few(["x"], 0.5), *(order[:1] or ["x"])]))
        lines.append(self._factor("x", [*order, *self._few([f"x@{way}", f"h@{way}"], 0.5), *self._few(w, 0.5)]))
        return lines

    def _recognition(self, order: list[str]) -> list[str]:
        way = self.ways["q"]
        lines = [self._state("f", ["f@previous", "x"]), self._state("b", ["b@next", "x", *self._few(["f"], 0.5)])]
        w = ["w"] if self.first else []
        if self.first:
            lines.append(self._factor("w", ["f@last", *self._few(["b@first", "x@mean"], 0.5)]))
        for place, name in enumerate(order):
            seen = self._few(["x", "f", "b", "x@next", *w, *([f"h@{way}"] if self.shares else [])], 0.5)
            lines.append(self._factor(name, [*seen, *self._around(order, place, way)]))
        if not self.first:
            lines.append(self._factor("w", ["f@last", *(f"{name}@mean" for name in self._few(order, 0.6))]))
        return lines
