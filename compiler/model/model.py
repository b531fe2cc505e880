"""The model: one module per factor, assembled from the checked graphs, and its objective on rows of data."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from compiler.factors.conditional import ConditionalModule, DeterministicModule
from compiler.model import grouping, queries
from compiler.model.evaluation import Evaluator
from compiler.model.execution import Execution, sum_where
from compiler.model.joint_calls import Gathering, in_batch_order
from compiler.model.row_independence import independent, parts_of_batch
from compiler.model.score import score_surrogate
from compiler.model.teacher_answers import log_answer
from compiler.symbolic.derivation import derive
from compiler.symbolic.lowering import lower
from compiler.symbolic.objective import Measure, Objective
from compiler.symbolic.program import Pattern, Program
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors import blanks
from compiler.tensors.axes import SAMPLES, AxisTensor
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import SIDES, Factor, Graphs, Side


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


_KINDS = ("terms", "effective_samples", "answers")
"""What an evaluation has by name."""


class Model(nn.Module):
    """A compiled spec. `factors` holds one module per factor, named as in `Factor.key` (dots become double dashes)."""

    def __init__(
        self, graphs: Graphs, seed: int = 0, dtype: torch.dtype = torch.float32, allow_python: bool = False
    ) -> None:
        super().__init__()
        self.graphs = graphs
        self.dtype = dtype
        self.rates: Rates | None = None
        self.factors = nn.ModuleDict()
        for side in SIDES:
            for factor in graphs.factors(side).values():
                kind = DeterministicModule if factor.deterministic else ConditionalModule
                self.factors[module_name(factor)] = kind(
                    factor, graphs, seed=seed, dtype=dtype, allow_python=allow_python
                )
        observed = set(graphs.observed)
        self._observed_functions = tuple(
            f for f in graphs.order("recognition") if f.deterministic and graphs.stochastic_parents(f) <= observed
        )
        factors = [factor for side in SIDES for factor in graphs.factors(side).values()]
        self.independent = independent(factors, {f.key: self.factors[module_name(f)] for f in factors})
        named = (*graphs.observed, *graphs.supervised)
        joint = (name for name in named if graphs.variables[name].domain == "real")
        self._of_flows = frozenset(name for name in joint if graphs.indivisible(name))
        self._programs: dict[tuple[Pattern, int], tuple[Program, Objective]] = {}

    def conditional(self, factor: Factor) -> ConditionalModule:
        """The module of a stochastic factor."""
        module = self.factors[module_name(factor)]
        assert isinstance(module, ConditionalModule)
        return module

    def function(self, factor: Factor) -> DeterministicModule:
        """The module of a deterministic variable."""
        module = self.factors[module_name(factor)]
        assert isinstance(module, DeterministicModule)
        return module

    def program(self, pattern: Pattern, samples: int | None = None) -> tuple[Program, Objective]:
        """The program and objective of rows with exactly this pattern (names in declared order)."""
        count = self.graphs.spec.objective.samples if samples is None else samples
        key = (pattern, count)
        if key not in self._programs:
            program = lower(self.graphs, pattern, count)
            self._programs[key] = (program, derive(program))
        return self._programs[key]

    def prepare(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rows as the modules expect them; labels that are not there at all are blank.

        Raises ValueError naming an observed variable that is missing, or any that is misshapen.
        """
        prepared = {}
        for name in self.graphs.observed:
            if name not in rows:
                raise ValueError(f"rows lack the observed variable {name!r}; they have {sorted(rows)}")
        for name, values in rows.items():
            if name in self.graphs.variables:
                found = blanks.as_value(self.graphs.variables[name], values, self.dtype)
                # the density of part of what a flow gives is not known: a blank element makes the whole blank
                prepared[name] = blanks.whole_or_blank(found) if name in self._of_flows else found
        like = prepared[self.graphs.observed[0]] if self.graphs.observed else next(iter(prepared.values()))
        for name in self.graphs.supervised:
            if name not in prepared:
                prepared[name] = blanks.blank(self.graphs.variables[name], len(like), self.dtype, like.device)
        return prepared

    def log_prob(self, side: Side, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """log density of every factor of one graph at the given values {name: [B, *shape]}: {variable: [B]} nats.

        Every variable of that graph must be given (category as class index); deterministic ones are computed. Blank
        elements count nothing.
        Raises ValueError naming a variable that is missing or misshapen.
        """
        needed = [f.variable for f in self.graphs.order(side) if not f.deterministic]
        for name in needed:
            if name not in values:
                raise ValueError(f"log_prob needs a value for {name!r}; it was given {sorted(values)}")
        prepared = self.prepare(values)
        given = {n: AxisTensor((), v) for n, v in prepared.items()}
        given |= blanks.observed_values(self.graphs, prepared, self.dtype)
        noise = Noise(0, len(next(iter(prepared.values()))))
        result = {}
        for factor in self.graphs.order(side):
            if factor.deterministic:
                given[factor.variable] = self.function(factor).forward(given, noise)
                continue
            name = factor.variable
            distribution = self.conditional(factor).forward(given, noise).distribution
            mask = blanks.given(self.graphs.variables[name], prepared[name])
            value = blanks.filled(self.graphs.variables[name], prepared[name], mask)
            result[name] = sum_where(distribution.log_prob_each(value), mask, 0).expand(noise.batch)
        return result

    def bound(self, rows: Mapping[str, Tensor], *, noise: Noise | None = None) -> Tensor:
        """L of design section 3 for each row's own pattern, alpha and beta included (schedules at their end): [B] nats.

        A missing label is NaN, or -1 where integer; latents are absent. Exact where every hidden variable is
        enumerated; otherwise an estimate from `noise` (fresh draws from torch's own generator if not given).
        """
        if noise is None:
            noise = Noise(int(torch.randint(2**62, (1,)).item()), len(next(iter(rows.values()))))
        weights = ObjectiveWeights.at(self.graphs, self.rates, float("inf"))
        return self.evaluate(rows, weights=weights, noise=noise).bound

    def evaluate(
        self,
        rows: Mapping[str, Tensor],
        *,
        weights: ObjectiveWeights,
        noise: Noise,
        samples: int | None = None,
        patterns: Tensor | None = None,
        answers: tuple[str, ...] = (),
    ) -> Evaluation:
        """The objective of each row by its own pattern of labels, under the given weights.

        patterns: the rows' `row_patterns` [B], on the CPU, where they are known beforehand. answers: labels of which q
        is wanted too, as this very evaluation of the rows has it.
        """
        prepared = self.prepare(rows)
        groups = self.group(prepared, patterns)
        features = self.observed_features(prepared, noise)
        if groups[0][1] is None:
            execution = Execution(self, self.program(groups[0][0], samples)[0], prepared, weights, noise, features)
            return self._evaluated(execution, samples, answers)
        where = [positions for _, positions in groups if positions is not None]
        prefixes = parts_of_batch(features, where)
        # draws that depend on what was drawn before are made group by group
        gathering = None if noise.in_order else Gathering(self, where, noise)
        executions = (
            Execution(
                self,
                self.program(pattern, samples)[0],
                {name: value[positions] for name, value in prepared.items()},
                weights,
                noise.select(blanks.as_positions(positions)),
                prefix,
                gathering,
            )
            for (pattern, _), positions, prefix in zip(groups, where, prefixes, strict=True)
        )
        with nullcontext(executions) if gathering is None else gathering.run(executions) as run:
            return _put_together([self._evaluated(execution, samples, answers) for execution in run], where)

    def predict(self, name: str, rows: Mapping[str, Tensor], *, samples: int = 1, noise: Noise) -> Tensor:
        """Posterior of one hidden variable; see `queries.predict`."""
        return queries.predict(self, name, rows, samples, noise)

    def infer(self, rows: Mapping[str, Tensor], *, samples: int = 1, noise: Noise) -> dict[str, Tensor]:
        """Joint draws of the hidden variables [S, B, *shape]; see `queries.infer`."""
        return queries.infer(self, rows, samples, noise)

    def posterior_means(self, rows: Mapping[str, Tensor], *, noise: Noise) -> dict[str, Tensor]:
        """Means (discrete: modes) of the hidden variables [B, *shape]; see `queries.posterior_means`."""
        return queries.posterior_means(self, rows, noise)

    def generate(
        self, given: Mapping[str, Tensor], rows: int, *, noise: Noise, means: bool = True
    ) -> dict[str, Tensor]:
        """Ancestral draws from p with some variables held fixed; see `queries.generate`."""
        return queries.generate(self, given, rows, noise, means=means)

    def row_patterns(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Each prepared row's pattern of labels and blanks as one number [B]; see `grouping.row_patterns`."""
        return grouping.row_patterns(self.graphs, rows)

    def group(
        self, rows: Mapping[str, Tensor], codes: Tensor | None = None
    ) -> list[tuple[Pattern, slice | Tensor | None]]:
        """Prepared rows by pattern: where they are; see `grouping.group`."""
        return grouping.group(self.graphs, rows, codes)

    def observed_features(self, rows: Mapping[str, Tensor], noise: Noise) -> dict[str, AxisTensor]:
        """Observed variables as networks read them, and deterministic recognition variables that depend on them only,
        for the whole batch at once."""
        values = blanks.observed_values(self.graphs, rows, self.dtype)
        for factor in self._observed_functions:
            values[factor.variable] = self.function(factor).forward(values, noise)
        return values

    def _evaluated(self, execution: Execution, samples: int | None, answers: tuple[str, ...]) -> Evaluation:
        """The objective of one group's rows."""
        pattern = execution.program.pattern
        objective = self.program(pattern, samples)[1]
        rows_of_data = None if self.rates is None else self.rates.stands_for(pattern)
        evaluator = Evaluator(execution, execution.weights, rows_of_data)
        batch = execution.noise.batch
        terms = {c.name: _per_row(evaluator.value(c.logged), batch).detach() for c in objective.contributions}
        bound = torch.stack([_per_row(evaluator.value(c.term), batch) for c in objective.contributions]).sum(0)
        bound = bound + score_surrogate(execution, objective, execution.weights, bound)
        said = {name: log_answer(execution, evaluator, name) for name in answers if name not in pattern.labels}
        return Evaluation(bound, terms, _effective_samples(evaluator, batch), said)


def _per_row(value: AxisTensor, batch: int) -> Tensor:
    return value.data if len(value.data) == batch else value.data.expand(batch)


def _put_together(parts: Sequence[Evaluation], rows: Sequence[slice | Tensor]) -> Evaluation:
    """The evaluation of a whole batch from those of its groups."""
    sizes = [len(part.bound) for part in parts]
    kinds = (_columns([getattr(part, kind) for part in parts], sizes, rows) for kind in _KINDS)
    return Evaluation(in_batch_order([part.bound for part in parts], rows), *kinds)


def _columns(
    found: Sequence[Mapping[str, Tensor]], sizes: Sequence[int], rows: Sequence[slice | Tensor]
) -> dict[str, Tensor]:
    """{name: [B, ...]} of groups with [n, ...] each; NaN for the rows of those that lack it."""
    columns = {}
    for name in dict.fromkeys(name for each in found for name in each):
        like = next(each[name] for each in found if name in each)
        parts = [
            each[name] if name in each else like.new_full((size, *like.shape[1:]), torch.nan)
            for each, size in zip(found, sizes, strict=True)
        ]
        columns[name] = in_batch_order(parts, rows)
    return columns


def _effective_samples(evaluator: Evaluator, batch: int) -> dict[str, Tensor]:
    program = evaluator.program
    axes = program.label_axes()
    result = {}
    for name in program.weighing_labels():
        if SAMPLES in axes[name] and program.samples > 1:
            log_weights = evaluator.marginal(Measure((name,)), (SAMPLES,)).data.detach()
            result[name] = (-torch.logsumexp(2 * log_weights, dim=0)).exp().expand(batch)
    return result


def module_name(factor: Factor) -> str:
    """`recognition--z`: torch module names may not contain dots."""
    return factor.key.replace(".", "--")
