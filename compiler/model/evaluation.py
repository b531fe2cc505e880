"""The objective on rows of any patterns: groups of rows, their plans, and the results put together again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat

import torch
from torch import Tensor

from compiler.model.compiled import Compiled
from compiler.model.given import GivenTensors
from compiler.plan.plan import Plan
from compiler.plan.running import Context, Rows, joined_rows
from compiler.symbolic.program import Pattern
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors.noise import Noise
from compiler.tensors.presence import for_every_place, rooms

Group = tuple[Pattern, Rows | None]


@dataclass(frozen=True)
class Evaluation:
    """The objective of a batch of rows.

    bound: [B] nats, L of each row's own pattern, weights included; larger is better.
    terms: {name: [B]} nats, each contribution before its weight; NaN where a row's pattern lacks it.
    effective_samples: {label: [B]} 1 / sum of squared normalised weights, for labels below a sampled variable.
    answers: {label: [B, *shape, K]} log q(label | row), of the labels asked for; NaN for rows that have the label.
    """

    bound: Tensor
    terms: dict[str, Tensor]
    effective_samples: dict[str, Tensor]
    answers: dict[str, Tensor] = field(default_factory=dict)


class Evaluator:
    """One evaluation of a batch. rates: how many training rows there are of each kind, where that is known."""

    def __init__(
        self, compiled: Compiled, rates: Rates | None, weights: ObjectiveWeights, samples: int | None,
        answers: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.compiled, self.rates, self.weights = compiled, rates, weights
        self.samples, self.answers = samples, answers
        self._rooms: Mapping[str, int] = {}
        self._features: dict[str, Tensor] | None = None

    def keep_features(self, rows: Mapping[str, Tensor], noise: Noise) -> None:
        """Compute what depends on observed variables only once, for rows whose labels alone change from call to call.
        noise: whose draws do not depend on what was drawn before."""
        self._rooms = rooms(self.compiled.graphs, rows)
        context = self.compiled.context(noise, self.weights, next(iter(rows.values())).device, self._rooms)
        self._features = self.compiled.given(rows, context).computed

    def evaluate(self, rows: Mapping[str, Tensor], groups: Sequence[Group], noise: Noise) -> Evaluation:
        """The objective of prepared rows; groups: where the rows of each pattern are."""
        found, variables = self._evaluated(rows, groups, noise), self.compiled.graphs.variables
        return replace(found, answers={n: for_every_place(variables[n], each) for n, each in found.answers.items()})

    def _evaluated(self, rows: Mapping[str, Tensor], groups: Sequence[Group], noise: Noise) -> Evaluation:
        device = next(iter(rows.values())).device
        self._rooms = rooms(self.compiled.graphs, rows)
        whole = self.compiled.context(noise, self.weights, device, self._rooms)
        given = self.compiled.given(rows, whole, self._features)
        patterns, where = [pattern for pattern, _ in groups], [rows_of for _, rows_of in groups if rows_of is not None]
        if not where:
            part = self._of_group(patterns[0], given, self._context(patterns[0], noise, device), None)
            return replace(part, terms={name: values.detach() for name, values in part.terms.items()})
        contexts = [self._context(p, noise.select(rows_of), device) for p, rows_of in zip(patterns, where, strict=True)]
        if noise.in_order:  # draws that depend on what was drawn before come group by group
            parts = list(map(self._of_group, patterns, repeat(given), contexts, where))
        else:
            whole.parts, whole.rows = contexts, where
            parts = self._together(patterns, given, whole)
        return _put_together(parts, where)

    def _context(self, pattern: Pattern, noise: Noise, device: torch.device) -> Context:
        context = self.compiled.context(noise, self.weights, device, self._rooms)
        context.rows_of_data = None if self.rates is None else self.rates.stands_for(pattern)
        return context

    def _of_group(self, pattern: Pattern, given: GivenTensors, context: Context, rows: Rows | None) -> Evaluation:
        runner = self.compiled.for_pattern(pattern, self.samples, self.answers)
        values = runner.run(context, given.of(runner.plan, rows))
        return _evaluation(runner.plan, values, context.batch)

    def _together(self, patterns: Sequence[Pattern], given: GivenTensors, whole: Context) -> list[Evaluation]:
        runner = self.compiled.for_patterns(patterns, self.samples, self.answers)
        values = runner.run(whole, given.of(runner.plan))
        return [
            _evaluation(runner.plan, values, context.batch, f"{group} ") for group, context in enumerate(whole.parts)
        ]


def _evaluation(plan: Plan, values: Mapping[str, Tensor], batch: int, prefix: str = "") -> Evaluation:
    """What a run says of one group. prefix: of its names in a joint plan."""

    def named(kind: str) -> dict[str, Tensor]:
        head = f"{prefix}{kind} "
        return {
            name.removeprefix(head): _per_row(values[value.name], batch)
            for name, value in plan.results.items()
            if name.startswith(head)
        }

    terms = {
        name.removeprefix(prefix): _per_row(values[value.name], batch)
        for name, value in plan.terms.items()
        if name.startswith(prefix)
    }
    total = _per_row(values[plan.results[f"{prefix}total"].name], batch)
    return Evaluation(total, terms, named("effective"), named("answer"))


def _per_row(value: Tensor, batch: int) -> Tensor:
    return value if len(value) == batch else value.expand(batch, *value.shape[1:])


def _put_together(parts: Sequence[Evaluation], rows: Sequence[Rows]) -> Evaluation:
    """The evaluation of a whole batch from those of its groups."""
    sizes = [len(part.bound) for part in parts]
    order = joined_rows(rows)
    if not isinstance(order, slice):
        order = torch.argsort(order).to(parts[0].bound.device)
    bound = _in_batch_order([part.bound for part in parts], order)
    terms = _numbers([part.terms for part in parts], sizes, order)
    effective = _numbers([part.effective_samples for part in parts], sizes, order)
    return Evaluation(bound, terms, effective, _columns([part.answers for part in parts], sizes, order))


@torch.no_grad()
def _numbers(found: Sequence[Mapping[str, Tensor]], sizes: Sequence[int], order: Rows) -> dict[str, Tensor]:
    """{name: [B]} of groups with [n] each, in few calls: they are only looked at. NaN for the rows of those that lack
    it."""
    names = [*dict.fromkeys(name for each in found for name in each)]
    if not names:
        return {}
    like, parts = next(value for each in found for value in each.values()), []
    for each, size in zip(found, sizes, strict=True):
        lacking = like if len(each) == len(names) else like.new_full((size,), torch.nan)
        parts.append(torch.stack([each.get(name, lacking) for name in names]))
    return dict(zip(names, _in_batch_order(parts, order, dim=1).unbind(), strict=True))


def _columns(found: Sequence[Mapping[str, Tensor]], sizes: Sequence[int], order: Rows) -> dict[str, Tensor]:
    """{name: [B, ...]} of groups with [n, ...] each; NaN for the rows of those that lack it."""
    columns = {}
    for name in dict.fromkeys(name for each in found for name in each):
        like = next(each[name] for each in found if name in each)
        parts = [
            each[name] if name in each else like.new_full((size, *like.shape[1:]), torch.nan)
            for each, size in zip(found, sizes, strict=True)
        ]
        columns[name] = _in_batch_order(parts, order)
    return columns


def _in_batch_order(parts: Sequence[Tensor], order: Rows, dim: int = 0) -> Tensor:
    """All groups' [n, ...], which together are the whole batch, as [B, ...]; dim: where rows are counted. order: where
    each of the batch's rows is."""
    together = torch.cat(list(parts), dim=dim)
    return together if isinstance(order, slice) else together.index_select(dim, order)
