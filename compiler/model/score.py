"""The score-function gradient with a leave-one-out baseline (Williams 1992; Mnih and Rezende 2016).

For draws v_1..v_S without a pathwise gradient and any estimate F(v_1..v_S) of a row's objective,

    grad E[F] = E[grad F] + sum_s E[(F - F_without_s) grad log q(v_s)]

F_without_s is the same estimate from the other samples: it does not depend on v_s, so it changes no expectation.
"""

from dataclasses import replace

import torch
from torch import Tensor

from compiler.model.evaluation import Densities, Evaluator
from compiler.symbolic.objective import LogAggregate, Objective, Part, walk
from compiler.symbolic.program import Program
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.axes import SAMPLES, AxisTensor


class _Without:
    """The same run with one sample left out."""

    def __init__(self, whole: Densities, sample: int) -> None:
        self.whole, self.sample = whole, sample
        sizes = {**whole.program.sizes, SAMPLES: whole.program.samples - 1}
        self.program: Program = replace(whole.program, samples=whole.program.samples - 1, sizes=sizes)
        self.like = whole.like

    def _drop(self, value: AxisTensor) -> AxisTensor:
        if SAMPLES not in value.axes:
            return value
        place = value.axes.index(SAMPLES)
        kept = [s for s in range(self.whole.program.samples) if s != self.sample]
        index = torch.tensor(kept, device=value.data.device)
        return AxisTensor(value.axes, value.data.index_select(place, index))

    def log_density(self, side: str, name: str, part: Part) -> AxisTensor:
        return self._drop(self.whole.log_density(side, name, part))

    def log_axis(self, name: str) -> AxisTensor:
        return self._drop(self.whole.log_axis(name))

    def divergence(self, name: str, part: Part) -> AxisTensor:
        return self._drop(self.whole.divergence(name, part))

    def pairwise(self, name: str, weights: AxisTensor | None) -> Tensor:
        raise AssertionError("split divergences are left out of baselines")

    def any_hidden(self, name: str) -> Tensor:
        return self.whole.any_hidden(name)

    def weigh(self, log_weights: AxisTensor) -> None:
        """A baseline has no gradient to scale."""


def score_surrogate(whole: Densities, objective: Objective, weights: ObjectiveWeights, bound: Tensor) -> Tensor:
    """[B] zeros whose gradient is the score function's part, for `bound` [B] of the objective under `whole`."""
    program = whole.program
    surrogate = torch.zeros_like(bound)
    if not program.scored:
        return surrogate
    masked = program.pattern.masked
    log_q = [whole.log_density("q", name, "hidden" if name in masked else "all") for name in program.scored]
    for sample in range(program.samples):
        own = torch.stack([density.data[sample] for density in log_q]).sum(0)
        baseline = _bound_without(whole, objective, weights, sample) if program.samples > 1 else 0.0
        surrogate = surrogate + (bound.detach() - baseline) * (own - own.detach())
    return surrogate


def _bound_without(whole: Densities, objective: Objective, weights: ObjectiveWeights, sample: int) -> Tensor:
    with torch.no_grad():
        evaluator = Evaluator(_Without(whole, sample), weights)
        total = torch.zeros((), dtype=whole.like.dtype, device=whole.like.device)
        for contribution in objective.contributions:
            # a split divergence compares rows with each other; left out of the baseline, it changes no expectation
            if not any(isinstance(part, LogAggregate) for part in walk(contribution.term)):
                total = total + evaluator.value(contribution.term).data
        return total
