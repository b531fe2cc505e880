"""Evaluating the consistency regulariser: what q says of labels of rows, and how far two answers differ.

From: rows. To: log probabilities, nats. What it means is in `compiler.symbolic.agreement`.
"""

from collections.abc import Iterable, Mapping
from functools import partial

import torch
from torch import Tensor

from compiler.model.label_assignment import Asked
from compiler.model.model import Model
from compiler.plan.questions import plan_answers
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from compiler.tensors.presence import for_every_place


class Answers:
    """What a model says of some labels for rows of any patterns, running only the steps that those answers need."""

    def __init__(self, model: Model, names: Iterable[str]) -> None:
        self.model, self.names = model, tuple(names)

    def __call__(self, rows: Mapping[str, Tensor], noise: Noise, patterns: Tensor | None = None) -> dict[str, Tensor]:
        """log q(label = k | row) of each label: {name: [B, *shape, K]} nats, NaN (or no entry) for rows that have the
        label whole. patterns: the rows' `Model.row_patterns`, where known."""
        compiled = self.model.compiled

        def planned(pattern: Pattern) -> Asked | None:
            hidden = tuple(name for name in self.names if name not in pattern.labels)
            plan = partial(plan_answers, compiled.program(pattern)[0], hidden, compiled.features)
            return (("answers", hidden), plan) if hidden else None

        found = self.model.by_pattern(self.model.prepare(rows), planned, noise, patterns)
        variables = self.model.graphs.variables
        said = {told.removeprefix("answer "): value for told, value in found.items()}
        return {name: for_every_place(variables[name], value) for name, value in said.items()}


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
