"""The consistency regulariser in training: clean rows, what the averaged model says of them, what rows weigh.

From: a step's rows before they are augmented or binarized. To: `Targets`, with which the loss compares what q says of
the augmented rows. Not here: what the regulariser is (`compiler.symbolic.agreement`), and its arithmetic
(`compiler.model.teacher_answers`).
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from compiler.model.model import Model
from compiler.model.teacher_answers import Answers, disagreement
from compiler.symbolic.agreement import Agreement, agreements
from compiler.tensors.blanks import as_value, given
from runtime.data import BatchRows, PreparedData, Rows
from runtime.training.step.adversarial import MovedRows, move, spread
from runtime.training.step.averaging import Average
from runtime.training.step.noise import BatchNoise
from runtime.training.step.share import Share

SURE = " sure"
"""Added to a regulariser's name: the share of the elements that rows lack of which the averaged model is sure."""


@dataclass(frozen=True)
class Asked:
    """One regulariser of one step. number: its weight now. lacking: [B, *shape] elements that each row lacks.
    row_weights: [B], which add up to about 1 over the whole batch; 0 for rows that have the label."""

    agreement: Agreement
    number: float
    lacking: Tensor
    row_weights: Tensor


@dataclass(frozen=True)
class Targets:
    """answers: {label: [B, *shape, K]} probabilities that the averaged model gives clean rows; no gradient.

    moved: {label: rows that the trained model is asked about} where those are not the rows of the bound.
    """

    answers: dict[str, Tensor]
    asked: tuple[Asked, ...]
    moved: Mapping[str, MovedRows] = field(default_factory=dict)

    def compare(self, log_q: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What the loss pays [], and {term: [B]} for the log: nats of each row before the weight, and the share of its
        elements that counted; NaN for rows that have the label."""
        penalty, terms = self.asked[0].row_weights.new_zeros(()), {}
        for one in self.asked:
            name = one.agreement.variable
            if name not in log_q:  # every row at hand has the label
                continue
            nats, sure = disagreement(log_q[name], self.answers[name], one.lacking, one.agreement.confidence)
            nats = nats.to(penalty.dtype)
            penalty = penalty + one.number * (one.row_weights * nats).sum()
            elements, counted = (which.reshape(len(nats), -1).sum(1) for which in (one.lacking, sure))
            concerned, share = elements > 0, counted / elements.clamp_min(1)
            terms[one.agreement.term] = torch.where(concerned, nats.detach(), torch.nan)
            terms[one.agreement.term + SURE] = torch.where(concerned, share.to(nats), torch.nan)
        return penalty, terms

    def term_weights(self) -> dict[str, Tensor]:
        """{term: [B]} how much a row counts in the mean that is logged."""
        weights = {one.agreement.term: one.row_weights for one in self.asked}
        return weights | {name + SURE: row_weights for name, row_weights in weights.items()}


class Teacher:
    """The averaged model, in evaluation mode, and which training rows it is asked about.

    It is a second set of modules around the average's own tensors and the model's frozen weights: nothing is copied in
    a step. Batch statistics are the averaged running ones.
    """

    def __init__(self, model: Model, data: PreparedData, average: Average) -> None:
        self.agreements, self.average = agreements(model.graphs), average
        self._model = twin(model, average)
        self._streams = (len(data.unlabelled), len(data.labelled))
        self._lacking = {a.variable: rows_without(model, data.training, a.variable) for a in self.agreements}
        self._counts = {name: int(lacking.sum()) for name, lacking in self._lacking.items()}
        self._known: dict[tuple[str, ...], Answers] = {}

    def active(self, epoch: float) -> list[tuple[Agreement, float]]:
        """Regularisers that act at this fractional epoch, with their weights; those that concern no row never do."""
        found = ((a, a.weight_at(epoch)) for a in self.agreements if self._counts[a.variable])
        return [(agreement, weight) for agreement, weight in found if weight > 0]

    @torch.no_grad()
    def targets(
        self,
        step: BatchRows,
        epoch: float,
        share: Share,
        rows: Mapping[str, Tensor],
        seen: Mapping[str, Tensor],
        patterns: Tensor,
    ) -> Targets | None:
        """What the averaged model says of the clean rows [B] of a process's share; None where nothing acts.

        seen: the rows as the bound has them. patterns: the rows' `Model.row_patterns`. Rows with every label asked for
        are not looked at.
        """
        active = self.active(epoch)
        names = tuple(agreement.variable for agreement, _ in active)
        concerned = [self._lacking[name][share.positions] for name in names]
        if not any(bool(rows_here.any()) for rows_here in concerned):
            return None
        where = torch.nonzero(torch.stack(concerned).any(0)).squeeze(1)
        some = _chosen(rows, where, patterns)
        noise = BatchNoise(step.seed_for("consistency"), share.size, share.places, _device(rows)).select(where)
        said = self._answers(names)(some.values, noise, some.patterns)
        answers = {name: spread(log_q.exp(), where, len(share.positions)) for name, log_q in said.items()}
        asked = tuple(self._asked(step, *one, share, rows) for one in active if one[0].variable in answers)
        moving = [one for one in asked if one.agreement.adversarial]
        moved = {one.agreement.variable: self._moved(one, _chosen(seen, where, patterns), noise) for one in moving}
        return Targets(answers, asked, moved)

    def _moved(self, asked: Asked, rows: MovedRows, noise: BatchNoise) -> MovedRows:
        """In full precision: the small differences of a probe would drown in the rounding of bfloat16."""
        lacking = asked.lacking.index_select(0, rows.where.to(asked.lacking.device))
        answers = self._answers((asked.agreement.variable,))
        with torch.autocast(lacking.device.type, enabled=False):
            return move(rows, answers, asked.agreement, lacking, noise)

    def _answers(self, names: tuple[str, ...]) -> Answers:
        if names not in self._known:
            self._known[names] = Answers(self._model, names)
        return self._known[names]

    def _asked(
        self, step: BatchRows, agreement: Agreement, number: float, share: Share, rows: Mapping[str, Tensor]
    ) -> Asked:
        """Of R rows without the label, a row of the unlabelled stream, U of N, stands for N / U, and one of the
        labelled stream, L of M, for M / L: the mean over the R rows, whatever the batch."""
        name = agreement.variable
        variable, dtype = self._model.graphs.variables[name], self._model.dtype
        lacking = torch.ones(1, dtype=torch.bool)
        if name in rows:
            lacking = ~given(self._model.graphs, name, as_value(variable, rows[name], dtype))
        lacking = lacking.expand(len(share.positions), *variable.shape)
        drawn = len(step.unlabelled), len(step.labelled)
        stands = [of / taken if taken else 0.0 for of, taken in zip(self._streams, drawn, strict=True)]
        weights = torch.full((len(share.positions),), stands[1] / self._counts[name], dtype=torch.float64)
        weights[: share.unlabelled] = stands[0] / self._counts[name]
        weights *= self._lacking[name][share.positions] & (not share.filler)
        device = _device(rows)
        return Asked(agreement, number, lacking.to(device), weights.to(device, dtype))


def _device(rows: Mapping[str, Tensor]) -> torch.device:
    return next(iter(rows.values())).device


def _chosen(rows: Mapping[str, Tensor], where: Tensor, patterns: Tensor) -> MovedRows:
    """The rows at some places."""
    chosen = {name: values.index_select(0, where.to(values.device)) for name, values in rows.items()}
    return MovedRows(chosen, where, patterns[where])


def rows_without(model: Model, rows: Rows, name: str, at_once: int = 4096) -> Tensor:
    """[N] bool, on the CPU: training rows that lack at least one element of a label. Reads the labels alone."""
    if name not in rows.selection:
        return torch.ones(len(rows), dtype=torch.bool)
    variable, found = model.graphs.variables[name], [torch.zeros(0, dtype=torch.bool)]
    for positions in torch.arange(len(rows)).split(at_once):
        values = as_value(variable, rows.selection.take(name, positions), model.dtype)
        found.append(~given(model.graphs, name, values).reshape(len(positions), -1).all(dim=1).cpu())
    return torch.cat(found)


def twin(model: Model, average: Average) -> Model:
    """The model with averaged weights, in evaluation mode, as a second set of modules around tensors that exist."""
    known: dict[int, object] = {id(model.graphs): model.graphs}
    averaged = average.tensors()
    for name, parameter in model.named_parameters():
        known[id(parameter)] = torch.nn.Parameter(averaged.get(name, parameter.detach()), requires_grad=False)
    known |= {id(buffer): averaged.get(name, buffer) for name, buffer in model.named_buffers()}
    return copy.deepcopy(model, known).eval()
