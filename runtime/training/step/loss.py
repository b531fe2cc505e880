"""The loss of one batch: unlabelled and labelled rows in one evaluation, weighted so that its mean is the objective.

L = (1 - rho) * mean over unlabelled rows + rho * mean over labelled rows   (design, section 3)

What each row of a batch weighs so that this is the expected loss: `share.py`.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from compiler.model.evaluation import Evaluation
from compiler.model.grouping import as_one_kind, pattern_of
from compiler.model.model import Model
from compiler.model.teacher_answers import Answers
from compiler.model.training_of_networks import decayed, paid
from compiler.symbolic.agreement import agreements
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.blanks import as_value, blank
from compiler.tensors.noise import Noise
from runtime.data import Rows
from runtime.training.step.consistency import Targets


def patterns_of(model: Model, rows: Rows, at_once: int = 4096) -> Tensor:
    """[N] the number of each training row's pattern (`Model.row_patterns`), on the CPU: known before the first step, so
    that no step has to look for it. Reads the labels, and observed variables that may be blank, a part at a time."""
    graphs, found = model.graphs, [torch.zeros(0, dtype=torch.int64)]
    names = [*graphs.supervised, *(name for name in graphs.observed if graphs.variables[name].missing)]
    names += [plate.count for plate in graphs.plates.values() if plate.count is not None and plate.count not in names]
    for positions in torch.arange(len(rows)).split(at_once):
        part = {}
        for name in names:
            variable = graphs.variables[name]
            part[name] = blank(variable, len(positions), model.dtype, torch.device("cpu"))
            if name in rows.selection:
                part[name] = as_value(variable, rows.selection.take(name, positions), model.dtype)
        codes = model.row_patterns(part) if part else torch.zeros(len(positions), dtype=torch.int64)
        found.append(codes.cpu())
    return torch.cat(found)


def counted(model: Model, patterns: Tensor) -> dict[str, int]:
    """{text of a pattern: rows that have its labels, with blanks or without}, of `patterns_of`."""
    kinds, counts = np.unique(as_one_kind(model.graphs, patterns.numpy()), return_counts=True)
    found: dict[str, int] = {}
    for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
        pattern = pattern_of(model.graphs, kind)
        found |= {str(pattern): count, str(replace(pattern, blanks=())): count}
    return found


class Loss(nn.Module):
    """The model's loss as a module of its own, so that Accelerate can wrap what the step calls.

    processes: each computes a share of it, of rows as of what weights cost.
    """

    def __init__(self, model: Model, processes: int = 1) -> None:
        super().__init__()
        self.model, self._processes = model, processes
        self._decayed = list(decayed(model))
        moving = (agreement.variable for agreement in agreements(model.graphs) if agreement.adversarial)
        self._answers = {name: Answers(model, (name,)) for name in moving}

    def forward(
        self,
        rows: dict[str, Tensor],
        row_weights: Tensor,
        weights: ObjectiveWeights,
        noise: Noise,
        patterns: Tensor | None = None,
        targets: Targets | None = None,
    ) -> tuple[Tensor, Evaluation]:
        """(loss [], evaluation). Down is good: the objective with its sign turned, plus what weights and regularisers
        with targets cost; the latter's terms join those of the evaluation. patterns: see `Model.evaluate`."""
        names = () if targets is None else tuple(name for name in targets.answers if name not in targets.moved)
        evaluation = self.model.evaluate(rows, weights=weights, noise=noise, patterns=patterns, answers=names)
        loss = -(row_weights * evaluation.bound).sum()
        if self._decayed:
            loss = loss + paid(self._decayed) / self._processes
        if targets is None:
            return loss, evaluation
        moved = self._answers_of_moved(targets, noise)
        penalty, terms = targets.compare({**evaluation.answers, **moved})
        return loss + penalty, replace(evaluation, terms=evaluation.terms | terms, answers={})

    def _answers_of_moved(self, targets: Targets, noise: Noise) -> dict[str, Tensor]:
        """{label: [B, *shape, K]} what the model says of rows that were moved, under the noise of the bound's rows."""
        said: dict[str, Tensor] = {}
        for name, rows in targets.moved.items():
            said |= rows.answer(self._answers[name], noise)
        return said
