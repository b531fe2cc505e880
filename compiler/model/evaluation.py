"""Evaluating the objective's tree on tensors: the same object that is printed.

Weights of expectations are kept as logs until the last step: log-marginals of the measure over just the axes that a
term varies over, found by summing the other axes out in a good order.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from compiler.model.aggregation import aggregate
from compiler.symbolic.elimination import closure, elimination_order
from compiler.symbolic.objective import (
    ClosedDivergence,
    Expectation,
    FreeBits,
    LogAggregate,
    LogDensity,
    LogEvidence,
    LogMean,
    Measure,
    Negative,
    Part,
    Sum,
    Term,
    Weight,
    Weighted,
)
from compiler.symbolic.program import Axes, Program
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.axes import SAMPLES, AxisTensor, align, canonical


class Densities(Protocol):
    """What the leaves of the tree need: one run of a program on one group of rows. `like`: dtype and device."""

    program: Program
    like: Tensor

    def log_density(self, side: str, name: str, part: Part) -> AxisTensor:
        """log p or log q of one variable, or of the given or hidden elements of a masked one, [*axes, B] nats."""
        ...

    def log_axis(self, name: str) -> AxisTensor:
        """log probability of each value on an enumerated variable's axis, [*axes, B]; sums to one over that axis."""
        ...

    def any_hidden(self, name: str) -> Tensor:
        """[B] bool: rows that lack at least one element of a masked variable."""
        ...

    def weigh(self, log_weights: AxisTensor) -> None:
        """Tells drawn variables their importance weights, for the doubly reparameterised gradient."""
        ...

    def pairwise(self, name: str, weights: AxisTensor | None) -> Tensor:
        """log q of every draw under every row, element by element; see `Execution.pairwise`."""
        ...

    def divergence(self, name: str, part: Part) -> AxisTensor:
        """KL(q || p) of one variable in closed form, [*axes, B] nats."""
        ...


def eliminate(factors: Sequence[AxisTensor], keep: Axes, sizes: dict[str, int]) -> AxisTensor:
    """log of the sum over every axis outside `keep` of the product of `exp(factors)`; [*keep, B]."""
    order, _ = elimination_order([factor.axes for factor in factors], keep, sizes)
    current = list(factors)
    for axis in order:
        axes, aligned = align([factor for factor in current if axis in factor.axes])
        total = torch.logsumexp(_add(aligned), dim=axes.index(axis))
        rest = tuple(other for other in axes if other != axis)
        current = [factor for factor in current if axis not in factor.axes] + [AxisTensor(rest, total)]
    axes, aligned = align(current)
    return AxisTensor(axes, _add(aligned))


def _add(tensors: Sequence[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


class Evaluator:
    """Evaluates terms for one run of a program; densities and marginals are computed once, on first use.

    rows_of_data: how many training rows the batch stands for (total correlation); None: the batch is all there is.
    """

    def __init__(self, densities: Densities, weights: ObjectiveWeights, rows_of_data: int | None = None) -> None:
        self.rows_of_data = rows_of_data
        self.densities = densities
        self.program = densities.program
        self.weights = weights
        self._enumerated = {name: self.program.log_q_axes()[name] for name in self.program.enumerated}
        self._masked = frozenset(self.program.pattern.masked)
        self._marginals: dict[tuple[Measure, Axes], AxisTensor] = {}
        self._values: dict[int, AxisTensor] = {}

    def value(self, term: Term) -> AxisTensor:
        """The value of a term: [*axes, B] nats, B = 1 where every row agrees. Each node of a tree is computed once."""
        if id(term) not in self._values:
            self._values[id(term)] = self._compute(term)
        return self._values[id(term)]

    def _compute(self, term: Term) -> AxisTensor:
        match term:
            case LogDensity(side, name, part=part):
                return self.densities.log_density(side, name, part)
            case ClosedDivergence(name, part=part):
                return self.densities.divergence(name, part)
            case LogAggregate():
                return self._aggregate(term)
            case LogMean(inner):
                return AxisTensor((), self._log_mean(inner))
            case Negative(inner):
                value = self.value(inner)
                return AxisTensor(value.axes, -value.data)
            case Sum(terms):
                axes, aligned = align([self.value(inner) for inner in terms])
                return AxisTensor(axes, _add(aligned))
            case Expectation(measure, inner):
                return AxisTensor((), self.expectation(measure, inner))
            case LogEvidence(labels):
                return AxisTensor((), self.marginal(Measure(labels), (), normalised=False).data)
            case Weighted(weight, inner):
                return AxisTensor((), self._number(weight) * self.value(inner).data)
            case FreeBits(bits, inner, masked):
                value = self.value(inner)
                floored = value.data.clamp_max(-self._number(bits))
                if masked:
                    floored = torch.where(self.densities.any_hidden(bits.variable), floored, value.data)
                return AxisTensor(value.axes, floored)

    def _number(self, weight: Weight) -> float:
        if weight.kind == "alpha":
            return self.weights.alpha[weight.variable]
        if weight.kind not in ("beta", "free_bits"):
            return self.weights.parts.get(weight.variable, {}).get(weight.kind, 1.0)
        table = self.weights.beta if weight.kind == "beta" else self.weights.free_bits
        return table.get(weight.variable, 1.0 if weight.kind == "beta" else -math.inf)

    def expectation(self, measure: Measure, term: Term) -> Tensor:
        """E[term] under a measure: [B] nats. A sum is taken apart, so each part is summed over its own axes only."""
        if isinstance(term, Sum):
            return _add([self.expectation(measure, inner) for inner in term.terms])
        if isinstance(term, Negative):
            return -self.expectation(measure, term.term)
        return self.average(measure, self.value(term))

    def _log_mean(self, term: Term) -> Tensor:
        """log E_g[exp(term)]: the term is one more factor of the sum over everything."""
        value = self.value(term)
        total = eliminate([*self._factors(value.axes), value], (), dict(self.program.sizes)).data
        self.densities.weigh(AxisTensor(value.axes, value.data.detach()))
        return total

    def _aggregate(self, term: LogAggregate) -> AxisTensor:
        step = next(s for s in self.program.recognition if s.factor.variable == term.variable)
        parents = step.parent_axes
        weights = self.marginal(Measure(self.program.weighing_labels()), parents) if parents else None
        pairs = self.densities.pairwise(term.variable, weights)
        return AxisTensor(term.axes, aggregate(pairs, term.form, term.estimator, self.rows_of_data))

    def average(self, measure: Measure, value: AxisTensor) -> Tensor:
        """E[value] under a measure for any tensor [*axes, B, *event]: [B, *event]."""
        if not value.axes:
            return value.data
        for axis in self.program.sparse:
            if axis in value.axes:
                return self._around_likeliest(measure, value, axis)
        return self._weighted(measure, value)

    def _around_likeliest(self, measure: Measure, value: AxisTensor, axis: str) -> Tensor:
        """The same expectation with the likeliest value's term as baseline. The weights of the axis sum to one, so the
        value is unchanged; their gradients sum to zero in expectation only, so the gradient is less noisy."""
        place = value.axes.index(axis)
        rest = tuple(name for name in value.axes if name != axis)
        baseline = value.data.detach().select(place, 0)
        centred = AxisTensor(value.axes, value.data - baseline.unsqueeze(place))
        return self._weighted(measure, centred) + self.average(measure, AxisTensor(rest, baseline))

    def _weighted(self, measure: Measure, value: AxisTensor) -> Tensor:
        if value.axes == (SAMPLES,) and not measure.labels:
            return value.data.mean(dim=0)
        weights = self.marginal(measure, value.axes).on(value.axes).exp()
        weights = weights.reshape(*weights.shape, *([1] * len(value.event_shape)))
        return (weights * value.data).sum(dim=tuple(range(len(value.axes))))

    def marginal(self, measure: Measure, axes: Axes, *, normalised: bool = True) -> AxisTensor:
        """log of the measure summed down to `axes`. Not normalised, with no axes: log q^(labels | observed)."""
        key = (measure, axes)
        if key not in self._marginals:
            self._marginals[key] = self._sum_out(measure, axes)
        found = self._marginals[key]
        if not (normalised and measure.labels):
            return found
        return AxisTensor(found.axes, found.data - self.marginal(measure, (), normalised=False).data)

    def _sum_out(self, measure: Measure, axes: Axes) -> AxisTensor:
        labels = [self.label_density(name) for name in measure.labels]
        start = canonical((*axes, *(axis for label in labels for axis in label.axes)))
        factors = [*labels, *self._factors(start)]
        assert factors, "a measure without factors has nothing to sum"
        return eliminate(factors, axes, dict(self.program.sizes))

    def _factors(self, axes: Axes) -> list[AxisTensor]:
        """log g on every axis that matters to something on `axes`."""
        needed = closure(axes, self._enumerated)
        return [self._uniform() if axis == SAMPLES else self.densities.log_axis(axis) for axis in needed]

    def label_density(self, name: str) -> AxisTensor:
        """log q of what a row has of one label, [*axes, B] nats."""
        return self.densities.log_density("q", name, "given" if name in self._masked else "all")

    def _uniform(self) -> AxisTensor:
        """Each of the S samples stands for 1/S of g."""
        count = self.program.sizes[SAMPLES]
        return AxisTensor((SAMPLES,), self.densities.like.new_full((count, 1), -math.log(count)))
