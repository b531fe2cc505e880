"""The plans of one model: made once for a pattern, a question, or the groups that a batch has, and bound to modules."""

import copy
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from compiler.model.given import GivenTensors
from compiler.plan.hoisting import with_inputs_entered
from compiler.plan.joining import Part, join
from compiler.plan.modules import Modules
from compiler.plan.plan import Plan
from compiler.plan.planner import features_of, plan_objective
from compiler.plan.questions import plan_features
from compiler.plan.run import Runner
from compiler.plan.running import Context
from compiler.symbolic.derivation import derive
from compiler.symbolic.lowering import every_pattern, label_without_count, lower
from compiler.symbolic.objective import Objective
from compiler.symbolic.program import Pattern, Program
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import plate_axis

Answers = tuple[str, ...]


class Compiled:
    """Programs, objectives, plans and runners, each made when it is first asked for.

    features: deterministic recognition variables that depend on observed ones only, computed for a whole batch.
    """

    def __init__(self, modules: Modules) -> None:
        self.modules, self.graphs = modules, modules.graphs
        self.features = features_of(self.graphs)
        self._programs: dict[tuple[Pattern, int], tuple[Program, Objective]] = {}
        self._plans: dict[tuple[Pattern, int, Answers], Plan] = {}
        self._runners: dict[Hashable, Runner] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Compiled":
        """Of a copied model: the same plans, to be bound to the copy's modules."""
        factors = {key: copy.deepcopy(module, memo) for key, module in self.modules.factors.items()}
        other = Compiled(replace(self.modules, factors=factors))
        other._programs, other._plans = self._programs, self._plans
        return other

    def program(self, pattern: Pattern, samples: int | None = None) -> tuple[Program, Objective]:
        """The program and objective of rows with exactly this pattern (names in declared order)."""
        count = self.graphs.spec.objective.samples if samples is None else samples
        key = (pattern, count)
        if key not in self._programs:
            if (wrong := label_without_count(self.graphs, pattern)) is not None:
                label, counts = wrong
                raise ValueError(f"a row has a label of {label} and none of {counts}, which says how many there are")
            program = lower(self.graphs, pattern, count)
            self._programs[key] = (program, derive(program))
        return self._programs[key]

    def plan(self, pattern: Pattern, samples: int | None = None, answers: Answers = ()) -> Plan:
        """The plan of the pattern's objective."""
        program, objective = self.program(pattern, samples)
        key = (pattern, program.samples, answers)
        if key not in self._plans:
            self._plans[key] = plan_objective(program, objective, self.features, answers)
        return self._plans[key]

    def prepare(self) -> None:
        """Plan every pattern of whole labels that rows can have, so that no step has to."""
        missing = tuple(name for name in self.graphs.observed if self.graphs.variables[name].missing)
        for pattern in every_pattern(self.graphs):
            for blanks in ((), missing) if missing else ((),):
                self.plan(replace(pattern, blanks=blanks))

    def runner(self, key: Hashable, plan: Callable[[], Plan]) -> Runner:
        """A plan bound to the modules; key: what tells it from others."""
        if key not in self._runners:
            self._runners[key] = Runner(with_inputs_entered(plan(), self.modules), self.modules)
        return self._runners[key]

    def for_pattern(self, pattern: Pattern, samples: int | None, answers: Answers = ()) -> Runner:
        """The objective of rows of one pattern."""
        return self.runner(("pattern", pattern, samples, answers), lambda: self.plan(pattern, samples, answers))

    def for_patterns(self, patterns: Sequence[Pattern], samples: int | None, answers: Answers) -> Runner:
        """The objectives of several groups of rows side by side."""

        def joint() -> Plan:
            parts = [Part(self.plan(p, samples, answers), self.program(p, samples)[0].sizes) for p in patterns]
            return join(parts, self.modules)

        return self.runner(("patterns", tuple(patterns), samples, answers), joint)

    def context(
        self, noise: Noise, numbers: ObjectiveWeights, device: torch.device, rooms: Mapping[str, int]
    ) -> Context:
        """One run with these weights. rooms: of plates with a count, how many elements the rows hold."""
        axes = {plate_axis(name): room for name, room in rooms.items()}
        return Context(noise, numbers, self.modules.dtype, device, axes)

    def given(
        self, rows: Mapping[str, Tensor], context: Context, features: dict[str, Tensor] | None = None
    ) -> GivenTensors:
        """What plans are given of prepared rows, features included. features: what is known of them already."""
        given = GivenTensors(self.graphs, rows, self.modules.dtype)
        if features is not None:
            given.computed = features
        elif self.features:
            runner = self.runner("features", lambda: plan_features(self.graphs, self.features))
            given.computed = runner.results(context, given.of(runner.plan))
        return given
