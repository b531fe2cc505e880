"""Evaluating the consistency regulariser: what q says of labels of rows, and how far two answers differ.

From: rows. To: log probabilities, nats. What it means is in `compiler.symbolic.agreement`.
"""

from collections.abc import Iterable, Mapping
from functools import partial

import torch
from torch import Tensor

from compiler.model.model import Model
from compiler.plan.questions import plan_answers
from compiler.plan.running import Rows
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.blanks import placed
from compiler.tensors.noise import Noise


class Answers:
    """What a model says of some labels for rows of any patterns, running only the steps that those answers need."""

    def __init__(self, model: Model, names: Iterable[str]) -> None:
        self.model, self.names = model, tuple(names)

    def __call__(self, rows: Mapping[str, Tensor], noise: Noise, patterns: Tensor | None = None) -> dict[str, Tensor]:
        """log q(label = k | row) of each label: {name: [B, *shape, K]} nats, NaN (or no entry) for rows that have the
        label whole. patterns: the rows' `Model.row_patterns`, where known."""
        prepared = self.model.prepare(rows)
        compiled = self.model.compiled
        weights = ObjectiveWeights.at(compiled.graphs, self.model.rates, float("inf"))
        device = next(iter(prepared.values())).device
        result: dict[str, Tensor] = {}
        groups = self.model.group(prepared, patterns)
        given = compiled.given(prepared, compiled.context(noise, weights, device))
        for pattern, positions in groups:
            hidden = tuple(name for name in self.names if name not in pattern.labels)
            if not hidden:
                continue
            planned = partial(plan_answers, compiled.program(pattern)[0], hidden, compiled.features)
            runner = compiled.runner(("answers", pattern, hidden), planned)
            inner = noise if positions is None else noise.select(positions)
            found = runner.results(compiled.context(inner, weights, device), given.of(runner.plan, positions))
            for name in hidden:
                answer = found[f"answer {name}"]
                place(result, name, answer.expand(inner.batch, *answer.shape[1:]), positions, noise.batch)
        return result


def place(target: dict[str, Tensor], name: str, found: Tensor, positions: Rows | None, batch: int) -> None:
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
