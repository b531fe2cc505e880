"""The model: one module per factor, assembled from the checked graphs, and its objective on rows of data."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from compiler.factors.factor_modules import Conditional, Deterministic
from compiler.families.entry import Extras, FamilyEntry
from compiler.model import grouping
from compiler.model.compiled import Compiled
from compiler.model.evaluation import Evaluation, Evaluator, Group
from compiler.model.queries import Queries
from compiler.model.row_independence import independent
from compiler.plan.modules import Modules
from compiler.symbolic.objective import Objective
from compiler.symbolic.program import Pattern, Program
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors import blanks
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import SIDES, Factor, Graphs, Side


class Model(nn.Module):
    """A compiled spec. `factors` holds one module per factor, named as in `Factor.key` (dots become double dashes).

    compiled: the plans that run; every pattern that rows can have whole is planned when the model is built.
    """

    def __init__(
        self, graphs: Graphs, seed: int = 0, dtype: torch.dtype = torch.float32, allow_python: bool = False
    ) -> None:
        super().__init__()
        self.graphs, self.dtype = graphs, dtype
        self.rates: Rates | None = None
        self.factors, made = nn.ModuleDict(), dict[str, Any]()
        for side in SIDES:
            for factor in graphs.factors(side).values():
                kind = Deterministic if factor.deterministic else Conditional
                self.factors[module_name(factor)] = kind(
                    factor, graphs, seed=seed, dtype=dtype, allow_python=allow_python
                )
                made[factor.key] = self.factors[module_name(factor)]
        self.compiled = Compiled(Modules(graphs, dtype, made, independent(made)))
        self.compiled.prepare()
        joint = (n for n in (*graphs.observed, *graphs.supervised) if graphs.variables[n].domain == "real")
        self._of_flows = frozenset(name for name in joint if graphs.indivisible(name))

    @property
    def independent(self) -> frozenset[str]:
        """Keys of factors that treat each row alone and draw nothing."""
        return self.compiled.modules.independent

    def conditional(self, factor: Factor) -> Conditional:
        """The module of a stochastic factor."""
        module = self.factors[module_name(factor)]
        assert isinstance(module, Conditional)
        return module

    def function(self, factor: Factor) -> Deterministic:
        """The module of a deterministic variable."""
        module = self.factors[module_name(factor)]
        assert isinstance(module, Deterministic)
        return module

    def family_at(
        self, factor: Factor, values: Mapping[str, Tensor], noise: Noise
    ) -> tuple[FamilyEntry, Extras, tuple[Tensor, ...]]:
        """A stochastic factor's family, and its parameters at its parents' values {name: [B, *shape]}, flags of blanks
        among them."""
        entry, extras = self.compiled.modules.family(factor.key)
        return entry, extras, entry.spread(self.conditional(factor)(values, Layout(1, noise)), extras)

    def compute(self, factor: Factor, values: Mapping[str, Tensor], noise: Noise) -> Tensor:
        """A deterministic variable [B, *shape] at its parents' values."""
        found: Tensor = self.function(factor)(values, Layout(1, noise))
        return found

    def program(self, pattern: Pattern, samples: int | None = None) -> tuple[Program, Objective]:
        """The program and objective of rows with exactly this pattern (names in declared order)."""
        return self.compiled.program(pattern, samples)

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
        return self._queries.log_prob(side, prepared, Noise(0, len(next(iter(prepared.values())))))

    def bound(self, rows: Mapping[str, Tensor], *, noise: Noise | None = None) -> Tensor:
        """L of design section 3 for each row's own pattern, alpha and beta included (schedules at their end): [B] nats.

        A missing label is NaN, or -1 where integer; latents are absent. Exact where every hidden variable is
        enumerated; otherwise an estimate from `noise` (fresh draws from torch's own generator if not given).
        """
        if noise is None:
            noise = Noise(int(torch.randint(2**62, (1,)).item()), len(next(iter(rows.values()))))
        return self.evaluate(rows, weights=self._final_weights, noise=noise).bound

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
        evaluator = Evaluator(self.compiled, self.rates, weights, samples, answers)
        return evaluator.evaluate(prepared, self.group(prepared, patterns), noise)

    def predict(self, name: str, rows: Mapping[str, Tensor], *, samples: int = 1, noise: Noise) -> Tensor:
        """Posterior of one hidden variable; see `Queries.predict`."""
        prepared = self.prepare({n: v for n, v in rows.items() if n != name})
        return self._queries.predict(name, prepared, self.group(prepared), samples, noise)

    def infer(self, rows: Mapping[str, Tensor], *, samples: int = 1, noise: Noise) -> dict[str, Tensor]:
        """Joint draws of the hidden variables [S, B, *shape]; see `Queries.infer`."""
        return self._queries.infer(self.prepare(rows), samples, noise)

    def posterior_means(self, rows: Mapping[str, Tensor], *, noise: Noise) -> dict[str, Tensor]:
        """Means (discrete: modes) of the hidden variables [B, *shape]; see `Queries.posterior_means`."""
        return self._queries.posterior_means(self.prepare(rows), noise)

    def generate(
        self, given: Mapping[str, Tensor], rows: int, *, noise: Noise, means: bool = True
    ) -> dict[str, Tensor]:
        """Ancestral draws from p with some variables held fixed; see `Queries.generate`."""
        fixed = {n: blanks.as_value(self.graphs.variables[n], value, self.dtype) for n, value in given.items()}
        return self._queries.generate(fixed, rows, noise, means=means)

    def row_patterns(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Each prepared row's pattern of labels and blanks as one number [B]; see `grouping.row_patterns`."""
        return grouping.row_patterns(self.graphs, rows)

    def group(self, rows: Mapping[str, Tensor], codes: Tensor | None = None) -> list[Group]:
        """Prepared rows by pattern: where they are; see `grouping.group`."""
        return grouping.group(self.graphs, rows, codes)

    @property
    def _final_weights(self) -> ObjectiveWeights:
        """The objective's weights at the end of training."""
        return ObjectiveWeights.at(self.graphs, self.rates, float("inf"))

    @property
    def _queries(self) -> Queries:
        return Queries(self.compiled, self._final_weights)


def module_name(factor: Factor) -> str:
    """`recognition--z`: torch module names may not contain dots."""
    return factor.key.replace(".", "--")
