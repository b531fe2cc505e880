"""Plans of questions to a trained model: posteriors, joint draws, means, densities.

Expectations over hidden variables go through the same programs as the objective, so labels that are given are clamped
and weighted as there. Walks take one value a row in the order of a graph; their draws are real draws (a category is an
index), never relaxed.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from compiler.plan.exact_answers import SumAnswers
from compiler.plan.plan import Plan, Value, needed_lines
from compiler.plan.planner import Planner
from compiler.plan.program_writer import FactorWriter
from compiler.plan.verify import verify
from compiler.plan.writer import Signed
from compiler.symbolic.agreement import reduced
from compiler.symbolic.axis_names import plates_in
from compiler.symbolic.objective import Measure
from compiler.symbolic.program import Program
from graphspec.graphs.exact_sums import varying
from graphspec.graphs.graph import Factor, Graphs, Side, plate_axis


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


def plan_assignments(program: Program, features: Sequence[str] = ()) -> Plan:
    """`assignment PLATE` [B, n]: which label of a row each element has, of plates whose labels are a set."""
    planner, found = Planner(program, features), dict[str, Value]()
    planner.take_steps()
    for plate in program.sets:
        places = planner.write("as_numbers", f"places_in_{plate}", (planner.assignment(plate),))
        axes = (plate_axis(plate),)
        found[f"assignment {plate}"] = planner.write("rows_first", f"{places.name}_by_row", (places,), (), rank=1,
                                                     along=axes)  # fmt: skip
    return planner.finished(found)


def plan_posterior(program: Program, name: str, features: Sequence[str] = ()) -> Plan:
    """`posterior`: of one hidden variable given what its rows have, marginal over everything else that is hidden.

    E over the measure of q(name | parents), or of its value where a label below it makes weights depend on it. With a
    finite support probabilities [B, *shape, K]; else the mean [B, *shape].
    """
    planner = SumAnswers(program, features)
    planner.take_steps()
    return planner.finished({"posterior": planner.rows_first(name, posterior_of(planner, name))})


def posterior_of(planner: SumAnswers, name: str) -> Value:
    """The lines of `plan_posterior`, on the axes of the variable's plates."""
    program = planner.program
    if name in program.exact or name in program.own:
        return planner.posterior(name)
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
    return planner.average(Measure(program.weighing_labels()), value, f"mean_{name}")


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

    def along(self, side: Side, take: "Callable[[Walk, Factor], None]", known: Collection[str] = ()) -> None:
        """Takes every factor of one side in order, those of a walk element by element. known: what has a value before,
        of which nothing is computed."""
        for unit in self.graphs.units(side, known):
            if unit.loop is None:
                take(self, self.graphs.factor(side, unit.names[0]))
            elif not self.held.issuperset(unit.loop.members):
                self.write_walk(unit.loop, partial(_take_element, take, side, unit.loop.members))

    @property
    def held(self) -> frozenset[str]:
        """Variables that have a value by now."""
        return frozenset(self._values)

    def recognised(self, hidden: "Callable[[Walk, Factor], Value]", *, own: bool = False) -> dict[str, Value]:
        """A value of every variable in recognition order: its label where a row has one, else what is hidden. own: of
        those that read what is summed out of p; else of all others."""
        over = varying(self.graphs)
        drawn = [factor.variable for factor in self.graphs.order("recognition") if not factor.deterministic]
        names = [name for name in drawn if bool(over.get(name)) == own]

        def take(walk: Walk, factor: Factor) -> None:
            name = factor.variable
            if factor.deterministic:
                if own or not over.get(name):
                    walk.computed(factor)
            elif name in names:
                value = hidden(walk, factor)
                walk.hold(name, walk.or_label(name, value) if name in self.known_names else value)

        self.along("recognition", take, [name for name in drawn if name not in names])
        return {name: self.rows_first(name, self.value(name)) for name in names}

    def plan(self, title: str, results: dict[str, Value]) -> Plan:
        """What was written so far; of walks what is needed of them."""
        plan = Plan(title, self.given, tuple(self.lines), results)
        walks = any(line.op == "loop" for line in self.lines)
        return verify(replace(plan, lines=needed_lines(plan)) if walks else plan)


def _take_element(take: Callable[[Walk, Factor], None], side: Side, names: Sequence[str], inner: Walk) -> None:
    """One element's values of a walk's members."""
    for name in names:
        take(inner, inner.graphs.factor(side, name))


def plan_own(graphs: Graphs, *, means: bool) -> Plan:
    """One draw a row (or means) of latents that are drawn for each value of exact variables, at values of these."""
    walk = Walk(graphs, ())

    def hidden(here: Walk, factor: Factor) -> Value:
        return here.summary(factor, "centre") if means else here.drawn(factor)

    return walk.plan("latents of exact variables", walk.recognised(hidden, own=True))


def plan_draws(graphs: Graphs, labels: Collection[str]) -> Plan:
    """One draw a row of every variable in recognition order, labels clamped where a row has them; `log weight`: log of
    their densities. What is summed out of p, and what reads it, is left out."""
    walk = Walk(graphs, labels)
    results = walk.recognised(Walk.drawn)
    factors = (factor for factor in graphs.order("recognition") if factor.variable in labels)
    weights: list[Signed] = [(1, walk.density(factor)) for factor in factors]
    results["log weight"] = walk.added(weights, "log_weight")
    return walk.plan("joint draws from q", results)


def plan_means(graphs: Graphs, labels: Collection[str]) -> Plan:
    """q's mean (discrete: likeliest class) of every variable, parents at theirs, labels clamped. What is summed out of
    p, and what reads it, is left out."""
    walk = Walk(graphs, labels)
    return walk.plan("means of q", walk.recognised(lambda here, factor: here.summary(factor, "centre")))


def plan_generation(graphs: Graphs, fixed: Collection[str], *, means: bool, expected: Collection[str] = ()) -> Plan:
    """Ancestral draws from p, some variables held fixed. means: observed variables are their distribution's mean; one
    that later elements read is drawn for them all the same, and so is a plate's count: no row has half an element.
    expected: fixed ones that are read as they are, and of which the result is the distribution's mean.

    Raises ValueError naming a variable that is needed and neither fixed nor modelled.
    """
    known = {*fixed, *graphs.generative, *graphs.views}
    for factor in graphs.order("generative"):
        for parent in factor.parents:
            if parent not in known and graphs.variables[parent].role != "deterministic":
                raise ValueError(f"generating {factor.variable!r} needs a value for {parent!r}: p does not model it")
    walk = Walk(graphs, fixed)

    def observed(factor: Factor) -> bool:
        count = any(plate.count == factor.variable for plate in graphs.plates.values())
        return means and not count and graphs.variables[factor.variable].role == "observed"

    def take(here: Walk, factor: Factor) -> None:
        if factor.variable in fixed:
            return
        if factor.deterministic:
            here.computed(factor)
        elif observed(factor) and here.body is None:
            here.hold(factor.variable, here.summary(factor, "mean_value"))
        else:
            here.hold(factor.variable, here.drawn(factor))

    walk.along("generative", take, fixed)
    results = {}
    for factor in graphs.order("generative"):
        name = factor.variable
        if (name not in fixed or name in expected) and factor.view is None:
            mean = name in expected or (observed(factor) and walk.has_walked(factor))
            value = walk.summary(factor, "mean_value") if mean else walk.value(name)
            results[name] = walk.rows_first(name, value)
    return walk.plan("draws from p", results)


def plan_densities(graphs: Graphs, side: Side) -> Plan:
    """Log density of every factor of one graph at given values."""
    walk, results = Walk(graphs, ()), dict[str, Value]()

    def take(here: Walk, factor: Factor) -> None:
        if factor.deterministic:
            here.computed(factor)
        else:
            results[factor.variable] = here.density(factor)

    stochastic = [name for name, variable in graphs.variables.items() if variable.role != "deterministic"]
    walk.along(side, take, stochastic)
    return walk.plan(f"log densities of the {side} graph", results)
