"""Evaluating the consistency regulariser: what q says of a label in a run of a program, and how far two answers differ.

From: executions of programs. To: log probabilities, nats. What it means is in `agreement`.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler.model.evaluation import Evaluator
from compiler.model.execution import Execution
from compiler.symbolic.agreement import ancestors, reduced
from compiler.symbolic.objective import Measure
from compiler.symbolic.program import Pattern, Program
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.axes import SAMPLES, AxisTensor, align
from compiler.tensors.blanks import as_positions, placed
from compiler.tensors.noise import Noise

if TYPE_CHECKING:
    from compiler.model.model import Model


def log_answer(execution: Execution, evaluator: Evaluator, name: str) -> Tensor:
    """log q(name = k | observed variables, labels upstream that the row has): [B, *shape, K] nats, with gradients.

    Nothing upstream that is hidden: the factor's own log probabilities. Else the log of their mean: exact over what is
    enumerated, over the program's own draws otherwise, weighed by the labels upstream (never by those downstream).
    """
    program = execution.program
    step = next(s for s in program.recognition if s.factor.variable == name)
    axes = step.parent_axes
    answer = execution.distribution(step.factor, axes).log_probs()
    if axes:
        above = ancestors(program.graphs, name)
        measure = Measure(tuple(label for label in program.weighing_labels() if label in above))
        weights = _with_score(execution, evaluator.marginal(measure, axes))
        weights = weights.reshape(*weights.shape, *[1] * (answer.dim() - weights.dim()))
        answer = torch.logsumexp(answer + weights, dim=tuple(range(len(axes))))
    return answer.expand(execution.noise.batch, *answer.shape[1:])


def _with_score(execution: Execution, log_weights: AxisTensor) -> Tensor:
    """The weights [*axes, B] as they are, with the gradient that draws without a pathwise one give to their factors.

    A draw's weight gets the gradient of its own log density, less the mean over draws: the score function inside the
    logarithm, for which each draw counts by its share. One draw has no share to change, and gets no gradient.
    """
    scored = [name for name in execution.program.scored if SAMPLES in execution.program.log_q_axes()[name]]
    if not scored or SAMPLES not in log_weights.axes:
        return log_weights.data
    masked = execution.program.pattern.masked
    densities = [execution.log_density("q", name, "hidden" if name in masked else "all") for name in scored]
    silent = [AxisTensor(density.axes, density.data - density.data.detach()) for density in densities]
    axes, aligned = align([log_weights, *silent])
    assert axes == log_weights.axes, "a scored draw varies over the samples alone"
    total = torch.stack(torch.broadcast_tensors(*aligned)).sum(0)
    return total - torch.logsumexp(total, dim=tuple(range(len(axes))), keepdim=True)


class Answers:
    """What a model says of some labels for rows of any patterns, running only the steps that those answers need."""

    def __init__(self, model: "Model", names: Iterable[str]) -> None:
        self.model, self.names = model, tuple(names)
        self._programs: dict[Pattern, Program] = {}

    def __call__(self, rows: Mapping[str, Tensor], noise: Noise, patterns: Tensor | None = None) -> dict[str, Tensor]:
        """`log_answer` of each label: {name: [B, *shape, K]}, NaN (or no entry) for rows that have the label whole.

        patterns: the rows' `Model.row_patterns`, where known.
        """
        model = self.model
        prepared = model.prepare(rows)
        weights = ObjectiveWeights.at(model.graphs, model.rates, float("inf"))
        result: dict[str, Tensor] = {}
        for pattern, positions in model.group(prepared, patterns):
            hidden = [name for name in self.names if name not in pattern.labels]
            if not hidden:
                continue
            part = prepared if positions is None else {n: v[positions] for n, v in prepared.items()}
            inner = noise if positions is None else noise.select(as_positions(positions))
            execution = Execution(model, self._program(pattern, hidden), part, weights, inner)
            evaluator = Evaluator(execution, weights)
            for name in hidden:
                place(result, name, log_answer(execution, evaluator, name), positions, noise.batch)
        return result

    def _program(self, pattern: Pattern, hidden: list[str]) -> Program:
        if pattern not in self._programs:
            self._programs[pattern] = reduced(self.model.program(pattern)[0], hidden)
        return self._programs[pattern]


def place(target: dict[str, Tensor], name: str, found: Tensor, positions: slice | Tensor | None, batch: int) -> None:
    """Put the answers [n, *shape, K] of some rows into those of the whole batch, NaN elsewhere."""
    if positions is None:
        target[name] = found
        return
    blank = found.new_full((batch, *found.shape[1:]), torch.nan)
    target[name] = placed(target.get(name, blank), positions, found)


def disagreement(log_q: Tensor, target: Tensor, lacking: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """What a row pays, and which of its elements count.

    - sum_k t_k log q_k, summed over elements that the row lacks and of which max_k t_k >= confidence

    log_q: [B, *shape, K] nats. target: [B, *shape, K] probabilities, held fixed. lacking: [B, *shape] bool.
    Returns [B] nats, 0 or more, and [B, *shape] bool.
    """
    target = target.detach()
    sure = lacking & (target.amax(-1) >= confidence)
    # a row without an answer is NaN, and a class may be impossible: neither may reach the sum or its gradient
    counted = sure.unsqueeze(-1) & (target > 0)
    each = torch.where(counted, -target, 0.0) * torch.where(counted, log_q, 0.0)
    return each.flatten(1).sum(1), sure
