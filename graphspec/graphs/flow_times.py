"""How long a flow takes where a step runs it the way for which it has no formula. Rough; no torch."""

from dataclasses import dataclass
from math import prod

from graphspec.graphs.graph import Factor, Graphs

MICROSECONDS = {
    "masked_autoregressive": 0.3,
    "inverse_autoregressive": 0.3,
    "neural_spline": 2.0,
    "sum_of_squares": 3.0,
    "neural_autoregressive": 20.0,
    "unconstrained_neural_autoregressive": 150.0,
}
"""Of one core, forward and backward, for a row, an element and a transform, the fast way: measured with 18 to 200 rows
of 16 to 512 elements, networks of 64 and 64. The other way takes about half as many passes as there are elements."""


@dataclass(frozen=True)
class SlowFlow:
    """A factor whose flow a step runs its slow way. seconds: of one core, for all rows of a step; elements: of a
    value; draws: for a draw where the label is hidden, else to score."""

    factor: Factor
    seconds: float
    elements: int
    draws: bool

    @property
    def text(self) -> str:
        """How long, and what for."""
        name = self.factor.family.name if self.factor.family else ""
        way = "draw a label that a row lacks" if self.draws else "score a value that it did not draw"
        return (
            f"a step takes about {self.seconds:.2g} s of a core for this flow alone: to {way}, {name} solves for its "
            f"{self.elements} elements one after the other, some {self.elements / 2:.0f} times as long as the other way"
        )

    @property
    def savings(self) -> str:
        """What would lower the time, the most promising first."""
        name = self.factor.family.name if self.factor.family else ""
        other = "`neural_spline`, which undoes an element by a formula" if self.draws else "`masked_autoregressive`"
        if self.draws and MICROSECONDS[name] <= MICROSECONDS["neural_spline"]:
            return "a distribution that is no flow, fewer elements, one transform, or a smaller `training.batch_size`"
        return f"{other}, fewer elements, one transform, or a smaller `training.batch_size`"


def slow_flows(graphs: Graphs) -> list[SlowFlow]:
    """Every factor whose flow a training step runs its slow way: `inverse_autoregressive` where a value is scored that
    it did not draw, every other flow where a label is drawn that the row lacks (latents of recognition run their fast
    way from noise to value)."""
    found = []
    for factor in (*graphs.generative.values(), *graphs.recognition.values()):
        if factor.family is None or factor.family.name not in MICROSECONDS:
            continue
        label = graphs.variables[factor.variable].role == "supervised" and factor.side == "recognition"
        latent = factor.side == "recognition" and not label
        inverse = factor.family.name == "inverse_autoregressive"
        if latent or (not inverse and not label):
            continue
        found.append(_slow(graphs, factor, draws=not inverse))
    return found


def _slow(graphs: Graphs, factor: Factor, *, draws: bool) -> SlowFlow:
    variable, family = graphs.variables[factor.variable], factor.family
    assert family is not None
    options = {name: default for name, (default, _) in family.options.items()} | dict(factor.options)
    elements = prod(variable.shape)
    rows = graphs.spec.training.batch_size * graphs.spec.objective.samples * prod(size for _, size in variable.plates)
    passes = rows * options["transforms"] * elements * elements / 2
    return SlowFlow(factor, passes * MICROSECONDS[family.name] / 1e6, elements, draws)
