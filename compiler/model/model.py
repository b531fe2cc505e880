"""The model: one module per factor, assembled from the checked graphs, its objective on rows of data, and answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compiler.factors.factor_modules import Conditional, Deterministic
from compiler.factors.scene import Scene
from compiler.families.entry import Extras, FamilyEntry
from compiler.model.compiled import Compiled
from compiler.model.evaluation import Evaluation, Evaluator
from compiler.model.queries import Queries
from compiler.model.row_independence import independent, light
from compiler.plan.modules import Modules
from compiler.symbolic.objective import Objective
from compiler.symbolic.program import Pattern, Program
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import SIDES, Factor, Graphs
from graphspec.graphs.start import Start
from graphspec.loading import load


class Model(Queries):
    """A compiled spec. `factors` holds one module per factor, named as in `Factor.key` (dots become double dashes).

    compiled: the plans that run; every pattern that rows can have whole is planned when the model is built.
    allow_python: `kind: python` networks import the user's own classes.
    """

    def __init__(
        self, graphs: Graphs, seed: int = 0, dtype: torch.dtype = torch.float32, allow_python: bool = False
    ) -> None:
        super().__init__(graphs, dtype)
        self._seed, self.allow_python = seed, allow_python
        self._build()

    def _repr_svg_(self) -> str:
        """Both graphs as a notebook shows them."""
        return self.graphs._repr_svg_()

    def _build(self) -> None:
        graphs, dtype = self.graphs, self.dtype
        self.factors, made = nn.ModuleDict(), dict[str, Any]()
        for side in SIDES:
            for factor in graphs.factors(side).values():
                kind = Deterministic if factor.deterministic else Conditional
                made[factor.key] = kind(Scene(factor, graphs, self._seed, dtype, self.allow_python))
                self.factors[module_name(factor)] = made[factor.key]
        alone = independent(made)
        self.compiled = Compiled(Modules(graphs, dtype, made, alone, light(graphs, made, alone)))
        self.compiled.prepare()

    def begin_at(self, starts: Mapping[str, Start]) -> None:
        """Start factors of far variables where training rows say (`data.starts`); weights stay as they are.

        The modules are built anew: call it before an optimizer is. A variable that has a start keeps it.
        """
        new = {name: start for name, start in starts.items() if self.graphs.variables[name].start is None}
        if not new:
            return
        weights, place = self.state_dict(), next(iter(self.parameters()), None)
        self.graphs = self.graphs.with_starts(new)
        self._build()
        self.load_state_dict(weights, strict=False)  # what is new is in no earlier state
        self.train(self.training)
        if place is not None:
            self.to(place.device)

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


def compile_spec(
    spec: str | Path | Graphs, seed: int = 0, dtype: torch.dtype = torch.float32, *, allow_python: bool = False
) -> Model:
    """Compile a spec, from its path or already loaded, into a `Model` (an nn.Module).

    seed: of the initial weights, which do not depend on the order of factors. dtype: of weights and values.
    allow_python: let `kind: python` networks import the user's own classes.
    Raises SpecError with every diagnostic found, "not yet" included.
    """
    graphs = spec if isinstance(spec, Graphs) else load(spec)
    return Model(graphs, seed=seed, dtype=dtype, allow_python=allow_python)


def module_name(factor: Factor) -> str:
    """`recognition--z`: torch module names may not contain dots."""
    return factor.key.replace(".", "--")
