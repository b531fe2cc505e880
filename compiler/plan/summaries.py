"""Plans that answer several hidden variables of a row at once: probabilities or means, and how sure of them q is."""

from collections.abc import Iterable, Sequence

from compiler.families.entry import FamilyEntry
from compiler.plan.exact_answers import SumAnswers
from compiler.plan.ops.spreading import from_one_number
from compiler.plan.plan import Plan, Value
from compiler.plan.questions import posterior_of
from compiler.symbolic.axis_names import SAMPLES, canonical, without_plates
from compiler.symbolic.objective import Measure
from compiler.symbolic.program import Program

Levels = tuple[float, float]


class SummaryWriter(SumAnswers):
    """A planner of answers to one program. entries: the family of each variable's factor of q."""

    def summary(self, name: str, entry: FamilyEntry | None, levels: Levels | None, deviation: bool) -> dict[str, Value]:
        """`posterior NAME`, and of numbers `low NAME`, `high NAME` (with `levels`) and `deviation NAME`, by row."""
        variable = self.program.graphs.variables[name]
        found = {f"posterior {name}": posterior_of(self, name)}
        if variable.support is not None or entry is None or name in self.program.exact or name in self.program.own:
            return {key: self.rows_first(name, value) for key, value in found.items()}
        if deviation:
            found[f"deviation {name}"] = self._deviation(name, entry, found[f"posterior {name}"])
        if levels is not None and variable.domain != "direction":
            low, high = self._ends(name, entry, levels)
            found |= {f"low {name}": low, f"high {name}": high}
        return {key: self.rows_first(name, value) for key, value in found.items()}

    def _deviation(self, name: str, entry: FamilyEntry, mean: Value) -> Value:
        factor, rank = self.steps["q", name].factor, len(self.program.graphs.variables[name].shape)
        if from_one_number(entry) and name not in self.program.upstream:
            squared = self.write(
                "second_moment", f"{name}_squared", self.parameters(factor), rank=rank, factor=factor.key
            )
        else:
            squared = self.write("square", f"{name}_squared", (self._drawn(name),), rank=rank)
        squares = self.average(Measure(self.program.weighing_labels()), squared, f"mean_{name}_squared")
        return self.write("deviation", f"deviation_{name}", (mean, squares), rank=rank)

    def _ends(self, name: str, entry: FamilyEntry, levels: Levels) -> tuple[Value, Value]:
        factor, rank = self.steps["q", name].factor, len(self.program.graphs.variables[name].shape)
        names, ranks = (f"low_{name}", f"high_{name}"), (rank, rank)
        if not from_one_number(entry) or name in self.program.upstream:
            inputs, key = [self._drawn(name)], ""
        else:
            inputs, key = [*self.parameters(factor)], factor.key
        axes = canonical(axis for value in inputs for axis in value.axes)
        if not without_plates(axes) and key:
            low, high = self.write_all("own_ends", names, inputs, ranks=ranks, factor=key, levels=levels)
            return low, high
        log = self.marginal(Measure(self.program.weighing_labels()), axes)
        weights = self.write("exp", f"weight_of_{name}", (log,))
        plates = tuple(axis for axis in canonical((*axes, *weights.axes)) if axis not in without_plates(axes))
        low, high = self.write_all(
            "ends", names, (weights, *inputs), plates, ranks=ranks, factor=key or None, levels=levels
        )
        return low, high

    def _drawn(self, name: str) -> Value:
        """Draws of a variable on the axis of samples: those that labels weigh, or others."""
        step = self.steps["q", name]
        if name in self.program.upstream:
            return self.value(name)
        noise = self.noise(step.factor, self.program.sizes[SAMPLES] if self.samples > 1 else None)
        rank = len(self.program.graphs.variables[name].shape)
        inputs = (*self.parameters(step.factor), noise)
        return self.write("draw", f"{name}_drawn_anew", inputs, rank=rank, factor=step.factor.key)


def plan_summaries(
    program: Program,
    entries: dict[str, FamilyEntry | None],
    features: Sequence[str],
    levels: Levels | None,
    deviations: Iterable[str],
) -> Plan:
    """`posterior NAME` of every hidden variable in `entries` (see `plan_posterior`), and of numbers `low NAME`, `high
    NAME`: between these levels of probability it lies; of `deviations` also `deviation NAME`. All [B, *shape]."""
    planner, wanted = SummaryWriter(program, features), frozenset(deviations)
    planner.take_steps()
    results: dict[str, Value] = {}
    for name, entry in entries.items():
        results |= planner.summary(name, entry, None if name in wanted else levels, name in wanted)
    return planner.finished(results)
