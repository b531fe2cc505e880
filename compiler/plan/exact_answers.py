"""Plans of what exact sums answer: posterior marginals and joint draws of what is summed out, and log densities.

A label that a row has is held. What q draws outside of a sum is a value of the program, or given with the rows
(`with_all_given`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from compiler.plan.elimination_writer import EliminationWriter
from compiler.plan.plan import Given, Line, Plan, Value, needed_lines
from compiler.plan.planner import Planner
from compiler.plan.sum_writer import Placed, SumWriter
from compiler.symbolic.axis_names import canonical, is_plate
from compiler.symbolic.lowering import lower
from compiler.symbolic.objective import LogSum, Measure
from compiler.symbolic.program import Axes, Pattern, Program
from graphspec.graphs.exact_sums import varying
from graphspec.graphs.graph import Graphs


class InnerWriter(EliminationWriter):
    """Lines of a sum by itself: what they read is given, as the outer plan has it."""

    def __init__(self, outer: Planner) -> None:
        super().__init__(outer.program, tuple(outer.features))
        self.outer = outer

    def leaf(self, value: Value) -> Value:
        """A value of the outer plan."""
        self.given[value] = Given(value.name, "result")
        self.claim(value.name)
        return value

    def there(self, plates: Iterable[str]) -> Value | None:
        found = self.outer.there(plates)
        return None if found is None else self.leaf(found)


class SumAnswers(Planner):
    """A planner that answers what is summed out."""

    def marginals(self, term: LogSum, wanted: Sequence[tuple[str, ...]], *, draws: bool = False) -> tuple[Value, ...]:
        """For each of some sets of exact variables of one sum: probabilities of their joint values, beside everything
        that the sum varies over; or draws."""
        writer = self.sum_writer(term)
        labels = [name for name in self.program.labelled if name in term.variables]
        factors = writer.held_factors(labels)
        inner = InnerWriter(self)
        given = [(path, inner.leaf(value)) for path, value in factors]
        zeros = [self._zeros(writer, names, place) for place, names in enumerate(wanted)]
        total = SumWriter(inner, term, self.term).sum_of([*given, *zeros], "log_Z")
        inputs = list(inner.given)
        inner.given |= {value: Given(value.name, "result") for _, value in zeros}
        plan = Plan("an exact sum", inner.given, tuple(inner.lines), {"total": total})
        sizes = tuple((v.name, v.axes, tuple(self.program.sizes[axis] for axis in v.axes)) for _, v in zeros)
        names = [f"{'drawn' if draws else 'prob'}_{'_'.join(each)}" for each in wanted]
        outputs = tuple(Value(self.fresh(name), axes) for name, (_, axes, _) in zip(names, sizes, strict=True))
        plan = replace(plan, lines=needed_lines(plan))
        options = {"sum": plan, "zeros": sizes, "draws": draws}
        self.append(Line("marginals", outputs, tuple(inputs), options))
        return outputs

    def _zeros(self, writer: SumWriter, names: Sequence[str], place: int) -> Placed:
        """A factor of ones on some variables' axes, of the innermost of their elements."""
        path = max((self.graphs.variables[name].path for name in names), key=len)
        plates = (axis for name in names for axis in self.graphs.variables[name].plate_axes)
        axes = self.shown(canonical((*writer.summed.axes, *plates, *names)))
        return path, Value(f"zeros {place}", axes)

    def posterior(self, name: str) -> Value:
        """Of an exact variable probabilities [*plates, B, *shape, K]; of a sum's own latent the same, or its mean."""
        exact = name in self.program.exact
        over = (name,) if exact else self._read_by(name)
        term = self._terms_of_sums[over[0]]
        (weights,) = self.marginals(term, [over])
        outside = self.program.exact[over[0]].axes
        if any(not is_plate(axis) for axis in self.shown(outside)):
            log = self.marginal(Measure(self.program.weighing_labels()), self.shown(outside))
            weights = self.write("product", f"weighed_{weights.name}", (weights, self.write("exp", "weights", (log,))))
        value = self._classes(name) if exact else self._of_own(name)
        axes = tuple(axis for axis in canonical((*weights.axes, *value.axes)) if is_plate(axis))
        return self.write("weighted_sum", f"mean_{name}", (weights, value), axes, rank=value.rank)

    def _read_by(self, own: str) -> tuple[str, ...]:
        """The exact variables for whose values a latent is drawn."""
        return tuple(sorted(varying(self.graphs)[own]))

    def _classes(self, name: str) -> Value:
        rank = len(self.graphs.variables[name].shape) + 1
        return self.write("class_weights", f"classes_of_{name}", (self.value(name),), rank=rank, variable=name)

    def _of_own(self, name: str) -> Value:
        variable, factor = self.graphs.variables[name], self.steps["q", name].factor
        finite = variable.support is not None
        op, rank = "probabilities" if finite else "mean_value", len(variable.shape) + finite
        value = self.write(op, f"{op}_{name}", self.parameters(factor), rank=rank, factor=factor.key)
        return self.mean_of_own(name, value)

    def chosen(self, term: LogSum, *, draws: bool) -> dict[str, Value]:
        """Values of every variable of a sum, [B, *plates, *shape]: one joint draw, or each one's likeliest."""
        found = self.marginals(term, [(name,) for name in term.variables], draws=draws)
        results = {}
        for name, weights in zip(term.variables, found, strict=True):
            left = tuple(axis for axis in weights.axes if axis != name)
            rank = len(self.graphs.variables[name].shape)
            inputs = (weights, self.value(name))
            value = self.write("value_at", f"{name}_chosen", inputs, left, rank=rank, rows=True, axis=name)
            results[name] = self.rows_first(name, value)
        return results

    def sums(self) -> list[LogSum]:
        """Every exact sum."""
        return [self._terms_of_sums[each.over.variables[0]] for each in self.program.sums]


def with_all_given(graphs: Graphs) -> Program:
    """What q draws outside of exact sums is given with the rows, and labels of what is summed where a row has them."""
    own = {f.variable for f in graphs.recognition.values() if varying(graphs).get(f.variable)}
    outside = (f.variable for f in graphs.recognition.values() if not f.deterministic and f.variable not in own)
    labels = tuple(name for name in graphs.exact if name in graphs.supervised)
    return lower(graphs, Pattern(tuple(outside), masked=labels), samples=1)


def plan_chosen(graphs: Graphs, *, draws: bool) -> Plan:
    """One joint draw (or each one's likeliest value) of every exact variable at given values of all others, labels of a
    row held; `log weight`: log density of those labels."""
    planner = SumAnswers(with_all_given(graphs))
    planner.take_steps()
    results: dict[str, Value] = {}
    for term in planner.sums():
        results |= planner.chosen(term, draws=draws)
    labels = [name for name in planner.program.labelled if name in planner.program.exact]
    results["log weight"] = _added(planner, labels)
    return planner.finished(results)


def plan_exact_densities(graphs: Graphs) -> Plan:
    """log q of what rows tell of each exact variable, given those before it in the same sum: {variable: [B]}."""
    program = with_all_given(graphs)
    pattern = Pattern(program.pattern.labels, masked=graphs.exact)
    planner = SumAnswers(lower(graphs, pattern, samples=1))
    planner.take_steps()
    return planner.finished({name: _added(planner, [name]) for name in graphs.exact})


def _added(planner: SumAnswers, labels: Sequence[str]) -> Value:
    parts = []
    for name in labels:
        density = planner.exact_label(name)
        plates: Axes = planner.program.plates_of(name)
        parts.append((1, planner.over_elements(density, plates, f"sum_{density.name}") if plates else density))
    return planner.added(parts, "log_weight")
