"""Random specs for property tests: two DAGs over discrete and Gaussian variables, an objective, rows of any pattern.

The number of variables is drawn by hypothesis and shrinks; the rest comes from a seeded generator, because hypothesis's
own draws would favour few edges and equal choices, and rarely meet a label below two others.
"""

from dataclasses import dataclass, field
from random import Random

import torch
from hypothesis import strategies as st

from compiler import compile_spec
from graphspec.loading import load

NAMES = ("a", "b", "c", "d", "e", "f")


@dataclass(frozen=True)
class Drawn:
    """One random spec. kinds: support of a discrete variable, 0 for a Gaussian scalar. Parents by name, in order."""

    kinds: dict[str, int]
    supervised: tuple[str, ...]
    generative: dict[str, tuple[str, ...]]
    recognition: dict[str, tuple[str, ...]]
    objective: dict[str, str] = field(default_factory=dict)
    feature: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.kinds)

    def text(self, order=None) -> str:
        """The spec. order: maps a list of lines to the order in which a section writes them (default: as drawn)."""
        order = order or (lambda section, lines: lines)
        return "\n".join([
            "graphspec: 1",
            "variables:", *order("variables", self._variables()),
            "generative:", *order("generative", [self._factor(n, p, "p") for n, p in self.generative.items()]),
            "recognition:", *order("recognition", self._recognition()),
            "networks: {default: {kind: mlp, hidden: [3], activation: tanh}}",
            f"objective: {{{', '.join(f'{k}: {v}' for k, v in self.objective.items())}}}", "",
        ])  # fmt: skip

    def _variables(self) -> list[str]:
        lines = ["  x: {role: observed, domain: real, size: 2}"]
        lines += ["  h: {role: deterministic}"] if self.feature else []
        for name, support in self.kinds.items():
            role = "supervised" if name in self.supervised else "latent"
            domain = "binary" if support == 2 else f"category, classes: {support}" if support else "real"
            lines.append(f"  {name}: {{role: {role}, domain: {domain}}}")
        return lines

    def _recognition(self) -> list[str]:
        lines = ["  h: {parents: [x]}"] if self.feature else []
        return lines + [self._factor(n, p, "q") for n, p in self.recognition.items()]

    def _factor(self, name: str, parents: tuple[str, ...], side: str) -> str:
        if parents:
            reads = ["h" if side == "q" and self.feature and parent == "x" else parent for parent in parents]
            return f"  {name}: {{parents: [{', '.join(reads)}]}}"
        if name != "x" and self.kinds[name]:
            return f"  {name}: {{parameters: {{logits: learned}}}}"
        return f"  {name}: {{parameters: {{loc: learned, scale: learned}}}}"


def parents_of(random: Random, names: tuple[str, ...], always: str = "") -> dict[str, tuple[str, ...]]:
    """A DAG: each name with some of those before it in a random order, and `always` (mostly) as a parent too."""
    order, density = random.sample(names, len(names)), random.choice([0.3, 0.6, 0.9])
    edges = {n: tuple(p for p in order[:i] if random.random() < density) for i, n in enumerate(order)}
    if not always:
        return edges
    return {n: (always, *p) if not p or random.random() < 0.7 else p for n, p in edges.items()}


@st.composite
def specs(draw, *, most: int = 6, gaussian: bool = True, samples: int = 3, weights: bool = True) -> Drawn:
    """A random pair of DAGs up to `most` hidden or supervised variables; discrete ones are summed exactly."""
    count = draw(st.integers(1, most))
    random = draw(st.randoms(use_true_random=True))
    names = NAMES[: random.randint(count, most)]
    kinds = {n: random.choice([2, 3, 0] if gaussian else [2, 3]) for n in names}
    supervised = tuple(n for n in names if random.random() < 0.6)

    def some(share: float, chosen: tuple[str, ...] = names) -> str:
        return f"{{{', '.join(f'{n}: {random.uniform(0.1, 3):.2f}' for n in chosen if random.random() < share)}}}"

    objective = {"alpha": some(1, supervised)} if supervised else {}
    objective["label_bound"] = random.choice(["logmeanexp", "logmeanexp", "jensen"])
    objective["samples"] = str(random.randint(1, samples))
    objective["estimators"] = f"{{{', '.join(f'{n}: enumerate' for n in names if kinds[n])}}}"
    if weights:
        objective |= {"beta": some(0.4), "free_bits": some(0.3)}
    generative = parents_of(random, (*names, "x"))
    return Drawn(kinds, supervised, generative, parents_of(random, names, "x"), objective, random.random() < 0.3)


def compiled(drawn: Drawn, text: str = "", seed: int = 0):
    """A float64 model whose weights are far from even, and the same for the same spec."""
    model = compile_spec(load("-", text=text or drawn.text()), dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            parameter.copy_(0.8 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def rows_of(drawn: Drawn, patterns: list[tuple[str, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """One row for each pattern, labels drawn, the others blank."""
    generator = torch.Generator().manual_seed(seed)
    count = len(patterns)
    rows = {"x": torch.randn(count, 2, generator=generator, dtype=torch.float64)}
    for name in drawn.supervised:
        kind = drawn.kinds[name]
        value = (
            torch.randint(0, kind, (count,), generator=generator) if kind else torch.randn(count, generator=generator)
        )
        value = value if kind > 2 else value.double()
        gone = torch.tensor([name not in pattern for pattern in patterns])
        value[gone] = -1 if kind else torch.nan
        rows[name] = value
    return rows
