"""Plans of questions to a trained model: posteriors, joint draws, means, densities.

Expectations over hidden variables go through the same programs as the objective, so labels that are given are clamped
and weighted as there. Walks take one value a row in the order of a graph; their draws are real draws (a category is an
index), never relaxed.
"""

from collections.abc import Callable, Collection, Sequence

from compiler.plan.plan import Plan, Value
from compiler.plan.planner import Planner
from compiler.plan.program_writer import FactorWriter
from compiler.plan.verify import verify
from compiler.plan.writer import Signed
from compiler.symbolic.agreement import reduced
from compiler.symbolic.axis_names import plates_in
from compiler.symbolic.objective import Measure
from compiler.symbolic.program import Program
from graphspec.graphs.graph import Factor, Graphs, Side


def plan_features(graphs: Graphs, names: Sequence[str]) -> Plan:
    """Deterministic variables of observed ones, for a whole batch."""
    writer = Walk(graphs, ())
    found = {name: writer.rows_first(name, writer.computed(graphs.function(name))) for name in names}
    return writer.plan("what depends on observed variables only", found)


def plan_answers(program: Program, names: Sequence[str], features: Sequence[str] = ()) -> Plan:
    """log q(name = k | row) of hidden labels, running only the steps that those need: `answer NAME` [B, *shape, K]."""
    planner = Planner(reduced(program, names), features)
    planner.take_steps()
    return planner.finished({f"answer {name}": planner.answer(name) for name in names})


def plan_posterior(program: Program, name: str, features: Sequence[str] = ()) -> Plan:
    """`posterior`: of one hidden variable given what its rows have, marginal over everything else that is hidden.

    E over the measure of q(name | parents), or of its value where a label below it makes weights depend on it. With a
    finite support probabilities [B, *shape, K]; else the mean [B, *shape].
    """
    planner = Planner(program, features)
    planner.take_steps()
    factor, variable = planner.steps["q", name].factor, program.graphs.variables[name]
    rank, finite = len(variable.shape), variable.support is not None
    if name not in program.upstream:
        op = "probabilities" if finite else "mean_value"
        value = planner.write(op, f"{op}_{name}", planner.parameters(factor), rank=rank + finite, factor=factor.key)
    elif finite:
        inputs = (planner.value(name),)
        value = planner.write("class_weights", f"classes_of_{name}", inputs, rank=rank + 1, variable=name)
    else:
        value = planner.value(name)
    mean = planner.average(Measure(program.weighing_labels()), value, f"mean_{name}")
    return planner.finished({"posterior": planner.rows_first(name, mean)})


class Walk(FactorWriter):
    """Values of a graph's variables one after the other, each on no axis. known: those that are given."""

    def __init__(self, graphs: Graphs, known: Collection[str]) -> None:
        super().__init__(graphs, 1)
        self.known_names = frozenset(known)

    def computed(self, factor: Factor) -> Value:
        """A deterministic variable."""
        self.hold(factor.variable, self.function(factor))
        return self.value(factor.variable)

    def drawn(self, factor: Factor) -> Value:
        """A real draw from its distribution."""
        noise = self.noise(factor, None)
        return self.write(
            "draw", f"{factor.variable}_drawn", (*self.parameters(factor), noise), rank=self.rank(factor.variable),
            factor=factor.key,
        )  # fmt: skip

    def summary(self, factor: Factor, op: str) -> Value:
        """Its distribution's mean, mode, or the one of both that fits its domain."""
        rank = len(self.graphs.variables[factor.variable].shape)
        return self.write(op, f"{op}_{factor.variable}", self.parameters(factor), rank=rank, factor=factor.key)

    def density(self, factor: Factor) -> Value:
        """Log density of what a row has of a variable."""
        name, letter = factor.variable, factor.side[0]
        inputs = (self.legal(name), self.mask(name), *self.parameters(factor))
        density = self.write(
            "log_prob", f"log_{letter}_{name}", inputs, factor=factor.key, part="given", relaxed=False, detached=False
        )
        return self.over_elements(density, plates_in(density.axes), f"sum_log_{letter}_{name}")

    def recognised(self, hidden: Callable[[Factor], Value]) -> dict[str, Value]:
        """A value of every variable in recognition order: its label where a row has one, else what is hidden."""
        results = {}
        for factor in self.graphs.order("recognition"):
            name = factor.variable
            if factor.deterministic:
                self.computed(factor)
                continue
            value = hidden(factor)
            value = self.or_label(name, value) if name in self.known_names else value
            results[name] = self.rows_first(name, value)
            self.hold(name, value)
        return results

    def plan(self, title: str, results: dict[str, Value]) -> Plan:
        """What was written so far."""
        return verify(Plan(title, self.given, tuple(self.lines), results))


def plan_draws(graphs: Graphs, labels: Collection[str]) -> Plan:
    """One draw a row of every variable in recognition order, labels clamped where a row has them; `log weight`: log of
    their densities."""
    walk, weights = Walk(graphs, labels), list[Signed]()

    def drawn(factor: Factor) -> Value:
        value = walk.drawn(factor)
        if factor.variable in labels:
            weights.append((1, walk.density(factor)))
        return value

    results = walk.recognised(drawn)
    results["log weight"] = walk.added(weights, "log_weight")
    return walk.plan("joint draws from q", results)


def plan_means(graphs: Graphs, labels: Collection[str]) -> Plan:
    """q's mean (discrete: likeliest class) of every variable, parents at theirs, labels clamped."""
    walk = Walk(graphs, labels)
    return walk.plan("means of q", walk.recognised(lambda factor: walk.summary(factor, "centre")))


def plan_generation(graphs: Graphs, fixed: Collection[str], *, means: bool) -> Plan:
    """Ancestral draws from p, some variables held fixed. means: observed variables are their distribution's mean.

    Raises ValueError naming a variable that is needed and neither fixed nor modelled.
    """
    walk, results = Walk(graphs, fixed), dict[str, Value]()
    known = set(fixed)
    for factor in graphs.order("generative"):
        name = factor.variable
        for parent in factor.parents:
            if parent not in known:
                raise ValueError(f"generating {name!r} needs a value for {parent!r}: p does not model it")
        if name in known:
            continue
        known.add(name)
        if factor.deterministic:
            value = walk.computed(factor)
            results |= {} if factor.view is not None else {name: walk.rows_first(name, value)}
            continue
        observed = means and graphs.variables[name].role == "observed"
        value = walk.summary(factor, "mean_value") if observed else walk.drawn(factor)
        walk.hold(name, value)
        results[name] = walk.rows_first(name, value)
    return walk.plan("draws from p", results)


def plan_densities(graphs: Graphs, side: Side) -> Plan:
    """Log density of every factor of one graph at given values."""
    walk, results = Walk(graphs, ()), {}
    for factor in graphs.order(side):
        if factor.deterministic:
            walk.computed(factor)
        else:
            results[factor.variable] = walk.density(factor)
    return walk.plan(f"log densities of the {side} graph", results)
