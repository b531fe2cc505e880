"""From a program and its objective to a plan: the objective's tree as lines.

Weights of expectations stay logarithms until the last step: log-marginals of the measure over just the axes that a term
varies over, found by summing the other axes out in a good order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from compiler.plan.elimination_writer import axes_name
from compiler.plan.label_sets import SetWriter
from compiler.plan.plan import Given, Plan, Value, needed_lines
from compiler.plan.sum_writer import SumWriter, own_mean
from compiler.plan.verify import verify
from compiler.plan.writer import Signed, by_axes
from compiler.symbolic.agreement import ancestors
from compiler.symbolic.axis_names import SAMPLES, axis_label, canonical, plates_in, without_plates
from compiler.symbolic.derivation import derive
from compiler.symbolic.elimination import closure
from compiler.symbolic.lowering import every_pattern, lower
from compiler.symbolic.objective import (
    ClosedDivergence,
    Contribution,
    Expectation,
    FreeBits,
    LogAggregate,
    LogDensity,
    LogEvidence,
    LogMean,
    LogOrders,
    LogSum,
    Measure,
    Negative,
    Objective,
    OwnMean,
    Part,
    PlateSum,
    Sum,
    Term,
    There,
    Weighted,
    walk,
)
from compiler.symbolic.printing import term_texts
from compiler.symbolic.program import Axes, Program
from graphspec.graphs.graph import Graphs

MOST_SHOWN = 16
"""Patterns whose plans are printed."""


def plans_of(graphs: Graphs) -> Iterator[Plan]:
    """The plan of every pattern of labels, rows without any first, as the model runs them."""
    for pattern in reversed(every_pattern(graphs)[:MOST_SHOWN]):
        program = lower(graphs, pattern)
        yield plan_objective(program, derive(program), features_of(graphs))


def features_of(graphs: Graphs) -> tuple[str, ...]:
    """Deterministic recognition variables that depend on observed ones only and read nothing across elements: computed
    once for a whole batch."""
    known, found = set(graphs.observed), list[str]()
    for factor in graphs.order("recognition"):
        if factor.deterministic and factor.view is None and known.issuperset(factor.parents):
            known.add(factor.variable)
            found.append(factor.variable)
    return tuple(found)


def plan_objective(
    program: Program, objective: Objective, features: Sequence[str] = (), answers: Sequence[str] = ()
) -> Plan:
    """The plan of one pattern's objective. results: `total` [B], `effective LABEL` (1 / sum of squared normalised
    weights, of labels that weigh draws), `answer LABEL` (log q(label | row), of the hidden labels among `answers`).

    features: deterministic variables that are computed for the whole batch before.
    """
    return Planner(program, features).plan(objective, answers)


class Planner(SetWriter):
    """Every method that gives a value has written the lines it needs."""

    def __init__(self, program: Program, features: Sequence[str] = ()) -> None:
        super().__init__(program, features)
        self._sums: dict[tuple[str, ...], SumWriter] = {}
        self.apart = program.elements_apart()
        self._marginals: dict[tuple[Measure, Axes], Value] = {}

    def plan(self, objective: Objective, answers: Sequence[str]) -> Plan:
        """Steps, contributions, and what is told beside them."""
        self.take_steps()
        terms: dict[str, Value] = {}
        total = self.total(objective, terms)
        results = {"total": self._with_scores(objective, total)}
        for label in self.program.weighing_labels():
            if SAMPLES in self.shown(self.program.label_axes()[label]):
                weights = self.marginal(Measure((label,)), canonical((SAMPLES, *self.apart)))
                size = self.write("effective", f"effective_{label}", (weights,), self.apart)
                results[f"effective {label}"] = self._mean_of_elements(size)
        for name in answers:
            if name not in self.program.pattern.labels:
                results[f"answer {name}"] = self.answer(name)
        return self.finished(results, terms)

    def _mean_of_elements(self, value: Value) -> Value:
        plates = plates_in(value.axes)
        if not plates:
            return value
        there = self.there(map(axis_label, plates))
        inputs = (value,) if there is None else (value, there)
        return self.write("plate_mean", f"mean_{value.name}", inputs, (), along=plates)

    def finished(self, results: Mapping[str, Value], terms: Mapping[str, Value] | None = None) -> Plan:
        """The plan of what was written so far, as far as the results need it."""
        plan = Plan(str(self.program.pattern), self.given, tuple(self.lines), results, terms or {})
        return verify(replace(plan, lines=needed_lines(plan)))

    def total(self, objective: Objective, terms: dict[str, Value]) -> Value:
        """The sum of all contributions; each as it is logged goes into `terms`."""
        found = []
        formulas = term_texts(self.program, [contribution.term for contribution in objective.contributions])
        for contribution, formula in zip(objective.contributions, formulas, strict=True):
            self.note(formula if formula == contribution.name else f"{contribution.name}: {formula}")
            terms[contribution.name] = self.term(contribution.logged, self._wanted(contribution))
            found.append((1, self.term(contribution.term, self._wanted(contribution))))
        self.note("")
        return self.added(found, "bound")

    def _wanted(self, contribution: Contribution) -> str:
        """`likelihood_x`, `gain_z`, `label_y`."""
        kind, _, rest = contribution.name.replace("log p(", "likelihood ").replace("log q(", "label ").partition(" ")
        return "_".join(["gain" if kind == "KL" else kind, *rest.rstrip(")").split()])

    # terms

    def term(self, term: Term, wanted: str) -> Value:
        """A term of the objective's tree."""
        match term:
            case LogDensity(side, name, part=part):
                return self.log_density(side, name, part)
            case ClosedDivergence(name, part=part):
                return self.divergence(name, part)
            case LogAggregate():
                return self._aggregate(term)
            case Negative() | Sum():
                return self.added(self._parts(term, wanted), wanted)
            case Expectation(measure, inner):
                return self._expectation(measure, inner, wanted)
            case PlateSum(plates, inner, masked):
                return self.over_elements(self.term(inner, f"each_{wanted}"), plates, wanted, masked=masked)
            case There(plates, inner):
                return self._where_there(plates, inner, wanted)
            case LogEvidence(labels):
                return self._evidence(labels)
            case OwnMean(latents, inner):
                return self._own_mean(latents, inner, wanted)
            case LogSum(labels=labels):
                return self.log_sum(term, labels)
            case LogOrders(plate):
                return self.log_orders(plate)
            case LogMean(inner):
                return self._log_mean(inner)
            case Weighted(weight, inner):
                value = self.term(inner, f"unweighted_{wanted}")
                return self.write("times", wanted, (value,), kind=weight.kind, variable=weight.variable)
            case FreeBits(bits, inner, masked, share):
                value = self.term(inner, f"unfloored_{wanted}")
                inputs = (value, *((self.mask(bits.variable),) if masked else ()))
                options: dict[str, Any] = {"kind": bits.kind, "variable": bits.variable}
                if share is not None:
                    inputs, options = (*inputs, self.term(share, f"share_{wanted}")), {**options, "shared": True}
                return self.write("at_most_minus", wanted, inputs, **options)

    def _where_there(self, plates: Axes, term: Term | None, wanted: str) -> Value:
        """A term where elements are there, by each value of a hidden count, and zero elsewhere."""
        there = self.there(map(axis_label, plates))
        assert there is not None, "a plate whose elements may not be there has a count"
        if term is None:
            return self.write("as_numbers", f"{there.name}_as_numbers", (there,))
        value = self.term(term, f"unmasked_{wanted}")
        return self.write("only_there", f"{wanted}_of_those_there", (value, there), rank=value.rank)

    def _parts(self, term: Term, wanted: str, sign: int = 1) -> list[Signed]:
        """The summands of a term with their signs."""
        match term:
            case Sum(terms):
                return [part for inner in terms for part in self._parts(inner, wanted, sign)]
            case Negative(inner):
                return self._parts(inner, wanted, -sign)
            case _:
                return [(sign, self.term(term, wanted))]

    # what is summed out of p

    def log_sum(self, term: LogSum, labels: Sequence[str]) -> Value:
        """log Z of an exact sum with some labels held."""
        return self.sum_writer(term).log_sum(labels)

    def sum_writer(self, term: LogSum) -> SumWriter:
        """The lines of one group of exact variables."""
        if term.variables not in self._sums:
            self._sums[term.variables] = SumWriter(self, term, self.term)
        return self._sums[term.variables]

    def _own_mean(self, latents: Sequence[str], term: Term, wanted: str) -> Value:
        """Parts that vary over the same axes share one mean."""
        found: list[Signed] = []
        for parts in by_axes(self._parts(term, wanted)).values():
            sign = parts[0][0] if len(parts) == 1 else 1
            inside = self.added([(sign * each, value) for each, value in parts], f"each_{wanted}")
            found.append((sign, own_mean(self, latents, inside, f"mean_{inside.name}")))
        return self.added(found, wanted)

    def mean_of_own(self, name: str, value: Value) -> Value:
        """What a sum's own latent has, over draws and values of others of its own: for each value of what is summed."""
        latents = next(each.over.own for each in self.program.sums if name in each.over.own)
        return own_mean(self, latents, value, f"mean_{value.name}")

    # expectations

    def _expectation(self, measure: Measure, term: Term, wanted: str) -> Value:
        """E[term] under a measure: parts that vary over the same axes share one average."""
        groups = by_axes(self._parts(term, wanted))
        found: list[Signed] = []
        for parts in groups.values():
            sign = parts[0][0] if len(parts) == 1 else 1
            inside = [(sign * each, value) for each, value in parts]
            name = wanted if len(groups) == 1 and sign > 0 else f"mean_{parts[0][1].name}"
            found.append((sign, self.average(measure, self.added(inside, f"inside_{wanted}"), name)))
        return self.added(found, wanted)

    def average(self, measure: Measure, value: Value, wanted: str) -> Value:
        """E[value] under a measure, for a value with any event."""
        if not without_plates(value.axes):
            return value
        axis = next((axis for axis in self.program.sparse if axis in value.axes), None)
        if axis is None:
            return self._weighted(measure, value, wanted)
        # the likeliest value's term is the baseline: the weights of the axis add up to one, so the value is the same;
        # their gradients add up to zero in expectation only, so the gradient is less noisy
        rest = tuple(other for other in value.axes if other != axis)
        base = self.write("at_first", f"{value.name}_at_likeliest", (value,), rest, rank=value.rank, axis=axis)
        centred = self.write("centred", f"{value.name}_centred", (value, base), rank=value.rank)
        mean = self._weighted(measure, centred, f"mean_{centred.name}")
        return self.added([(1, mean), (1, self.average(measure, base, f"mean_{base.name}"))], wanted)

    def _weighted(self, measure: Measure, value: Value, wanted: str) -> Value:
        weighing = any(without_plates(self.label_density(label).axes) for label in measure.labels)
        if without_plates(value.axes) == (SAMPLES,) and not weighing:
            return self.write("mean", wanted, (value,), plates_in(value.axes), rank=value.rank)
        log = self.marginal(measure, value.axes)
        weights = self.write("exp", f"{'weight' if measure.labels else 'prob'}_{axes_name(value.axes)}", (log,))
        plates = plates_in(canonical((*weights.axes, *value.axes)))
        return self.write("weighted_sum", wanted, (weights, value), plates, rank=value.rank)

    def marginal(self, measure: Measure, axes: Axes) -> Value:
        """log of the measure summed down to `axes`, normalised."""
        weighing = tuple(label for label in measure.labels if without_plates(self.label_density(label).axes))
        measure = Measure(weighing)  # a label that varies over nothing weighs all alike
        key = (measure, axes)
        if key not in self._marginals:
            wanted = f"log_{'weight' if measure.labels else 'prob'}_{axes_name(axes)}"
            log = self._summed_out(measure, axes, wanted)
            if measure.labels:
                of_plates = self._of_plates(measure.labels)
                whole = self._normaliser(measure, axes) if of_plates else self._evidence(measure.labels)
                log = self.added([(1, log), (-1, whole)], f"normalised_{wanted}")
            self._marginals[key] = log
        return self._marginals[key]

    def _evidence(self, labels: Sequence[str]) -> Value:
        """log of the mean under g of the product of the labels' densities; of each element's by itself, added up, where
        elements are independent."""
        wanted = f"log_evidence_{'_'.join(labels)}"
        if not self.apart or not self._of_plates(labels):
            return self._summed_out(Measure(tuple(labels)), (), wanted)
        each = self._summed_out(Measure(tuple(labels)), self.apart, f"each_{wanted}")
        return self.over_elements(each, self.apart, wanted)

    def _summed_out(self, measure: Measure, axes: Axes, wanted: str) -> Value:
        labels = self._label_factors(measure.labels, axes)
        start = canonical((*axes, *(axis for label in labels for axis in label.axes)))
        plate = self.host(start) if self.coupled(start) else None
        if plate is None:
            return self.eliminate([*labels, *self.shares(start)], axes, wanted)
        found = []
        for place in range(self.joint.sizes[plate]):
            each = [self.at_element(label, plate, place) for label in labels]
            keep = self.joint.at(axes, plate, place)
            start = canonical((*keep, *(axis for label in each for axis in label.axes)))
            found.append(self.eliminate([*each, *self.shares(start)], keep, f"{wanted}_{place}"))
        return self.side_by_side(found, plate, self.joint.own(axes, plate), wanted)

    # labels of the elements of plates

    def _of_plates(self, labels: Sequence[str]) -> bool:
        return any(self.program.plates_of(name) for name in labels)

    def _normaliser(self, measure: Measure, axes: Axes) -> Value:
        """log of the measure's sum over everything but the plates that a term on `axes` stands in."""
        return self._summed_out(measure, plates_in(axes), f"log_whole_{axes_name(plates_in(axes))}")

    def _label_factors(self, labels: Sequence[str], axes: Axes) -> list[Value]:
        """log of what labels weigh a term on `axes` by. Those of a row weigh all; so do those of elements, added up,
        but where elements are independent a label weighs the term of its own element only."""
        inside: dict[Axes, list[Value]] = {}
        for name in labels:
            inside.setdefault(self._path_of(name), []).append(self.label_density(name))
        found = inside.pop((), [])
        if self.apart:
            for path, each in inside.items():
                found = [*found, *self._factors_of_element(path, each, axes)]
            return found
        start = canonical(axis for each in inside.values() for value in each for axis in value.axes)
        related = closure(start, self.axes_of_sum)
        opened = {self._standing(axis) for axis in axes if axis in related} - {()}
        return [*found, *self._factors_of_plates(inside, (), opened)]

    def _path_of(self, name: str) -> Axes:
        """The plates over which a label's term is added up, outermost first."""
        left = self.program.plates_of(name)
        return tuple(axis for axis in self.graphs.variables[name].plate_axes if axis in left)

    def _standing(self, axis: str) -> Axes:
        """The plates of a variable that is summed within its element; none of what is summed outside."""
        return self.graphs.variables[axis].plate_axes if self._within_element(axis) else ()

    def _factors_of_plates(self, inside: Mapping[Axes, list[Value]], outer: Axes, opened: set[Axes]) -> list[Value]:
        """Of the elements inside those of `outer`, from the innermost outwards: what is summed within an element is
        summed there, then elements are added up. inside: densities of labels, by the plates in which they stand.
        opened: plates in whose elements a term varies over what is summed there: it is weighed by the element's own
        share of the whole."""
        found = list[Value]()
        for path in dict.fromkeys(plates[: len(outer) + 1] for plates in inside if plates[: len(outer)] == outer):
            if path == outer:
                continue
            here = inside.get(path, [])
            element = self._summed_within([*here, *self._factors_of_plates(inside, path, set())], path)
            found += self.of_all_elements(element, path[-1:])
            if any(plates[: len(path)] == path for plates in opened):
                found += [*here, *self._factors_of_plates(inside, path, opened), self.negative(element)]
        return found

    def _factors_of_element(self, path: Axes, each: list[Value], axes: Axes) -> list[Value]:
        """Where elements are independent: what a term of one, or of several that it does not tell apart, is weighed
        by. What varies over values that are summed within an element is a term of that element."""
        missing = tuple(axis for axis in path if axis not in axes)
        return self.of_all_elements(self._summed_within(each, path), missing) if missing else each

    def _summed_within(self, each: Sequence[Value], path: Axes) -> Value:
        """What is summed within an element of plates, summed out of factors."""
        start = canonical(axis for value in each for axis in value.axes)
        own = [axis for axis in closure(start, self.axes_of_sum) if self._standing(axis) == path]
        factors = self.aligned([*each, *(self.log_axis(axis) for axis in own)])
        keep = canonical(axis for factor in factors for axis in factor.axes if axis not in own)
        return self.eliminate(factors, keep, f"log_labels_{axes_name(canonical(path))}")

    def _within_element(self, axis: str) -> bool:
        """Values of one element of a plate, which are summed where the element is."""
        apart = axis in self.joint.plates or axis in self.joint.owners
        return axis in self.axes_of_sum and not apart and bool(self.graphs.variables[axis].plates)

    def label_density(self, name: str) -> Value:
        """log q of what a row has of one label; of an exact one, what it adds to those before it."""
        if name in self.program.exact:
            return self.exact_label(name)
        return self.log_density("q", name, "given" if name in self.program.pattern.masked else "all")

    def exact_label(self, name: str) -> Value:
        """log Z with this label held beside those before it, less log Z without it."""
        term, before = self._terms_of_sums[name], self.program.held_before(name)
        parts = [(1, self.log_sum(term, (*before, name))), (-1, self.log_sum(term, before))]
        return self.added(parts, f"log_q_{name}")

    @cached_property
    def _terms_of_sums(self) -> dict[str, LogSum]:
        """The sum that each exact variable stands in."""
        contributions = derive(self.program).contributions
        terms = (term for each in contributions for term in walk(each.term) if isinstance(term, LogSum))
        return {name: term for term in terms for name in term.variables}

    def _log_mean(self, term: Term) -> Value:
        """log E_g[exp(term)]: the term is one more factor of the sum over everything."""
        value = self.added(self._parts(term, "log_weight"), "log_weight")
        total = self.eliminate([*self.shares(value.axes), value], (), "log_mean_weight")
        if self.doubly and value.axes == (SAMPLES,):
            draws = tuple((name, len(self.graphs.variables[name].shape)) for name in self.program.hidden)
            return self.write("weigh_draws", "log_mean_weight", (total, value), (), draws=draws)
        return total

    def _aggregate(self, term: LogAggregate) -> Value:
        """log q(v) averaged over the rows of the data."""
        step = self.steps["q", term.variable]
        value, parameters = self.value(term.variable), self.parameters(step.factor)
        lead = canonical(axis for parameter in parameters for axis in parameter.axes)
        weights = (self.marginal(Measure(self.program.weighing_labels()), lead),) if lead else ()
        # a mixture of products is no product of mixtures: elements are added up first where parents' values are mixed
        joint = term.form == "joint" and bool(lead)
        pairs = self.write(
            "pairs", f"pairs_{term.variable}", (value, *weights, *parameters), value.axes, rank=2, over=lead,
            joint=joint, factor=step.factor.key,
        )  # fmt: skip
        wanted = f"log_q_{term.variable}_{'of_data' if term.form == 'joint' else 'by_element'}"
        labelled = bool(self.program.pattern.labels)
        return self.write("aggregate", wanted, (pairs,), form=term.form, estimator=term.estimator, labelled=labelled)

    # gradients without a path, and answers

    def _with_scores(self, objective: Objective, total: Value) -> Value:
        """The bound with the score function's part of its gradient; see `ops.score`."""
        if not self.program.scored:
            return total
        log_q = [self._density_of_draw(name) for name in self.program.scored]
        log_q = [self.over_elements(each, plates_in(each.axes), f"sum_{each.name}") for each in log_q]
        own = self.added([(1, density) for density in log_q], "log_q_of_draws")
        if self.samples == 1:
            return self.write("score", "bound_with_score", (total, own))
        estimate = LeaveOneOut(self).estimate(objective)
        if not any(SAMPLES in value.axes for value in estimate.given):
            return total  # nothing depends on a draw: each could be left out without a difference
        inputs = (total, own, *estimate.given)
        return self.write("scores", "bound_with_scores", inputs, (), estimate=estimate)

    def _density_of_draw(self, name: str) -> Value:
        return self.log_density("q", name, "hidden" if name in self.program.pattern.masked else "all")

    def answer(self, name: str) -> Value:
        """log q(name = k | observed variables, labels upstream that the row has): [B, *shape, K] nats.

        Nothing upstream that is hidden: the factor's own log probabilities. Else the log of their mean: exact over what
        is enumerated, over the program's own draws otherwise, weighed by the labels upstream (never by those below).
        """
        factor = self.steps["q", name].factor
        rank = len(self.graphs.variables[name].shape) + 1
        inputs = self.parameters(factor)
        classes = self.write("classes", f"log_q_of_{name}", inputs, rank=rank, factor=factor.key)
        if not without_plates(classes.axes):
            return self.rows_first(name, classes)
        above = ancestors(self.graphs, name)
        measure = Measure(tuple(label for label in self.program.weighing_labels() if label in above))
        weights = self._with_own_score(self.marginal(measure, classes.axes))
        axes = plates_in(canonical((*weights.axes, *classes.axes)))
        return self.rows_first(name, self.write("mixture", f"log_answer_{name}", (weights, classes), axes, rank=rank))

    def _with_own_score(self, weights: Value) -> Value:
        """The weights as they are, with the gradient that draws without a pathwise one give to their factors.

        A draw's weight gets the gradient of its own log density, less the mean over draws: the score function inside
        the logarithm, for which each draw counts by its share. One draw has no share to change, and gets no gradient.
        """
        axes = self.program.log_q_axes()  # of what is asked for; other draws have no part in it
        scored = [name for name in self.program.scored if SAMPLES in axes.get(name, ())]
        if not scored or SAMPLES not in weights.axes:
            return weights
        densities = [self._density_of_draw(name) for name in scored]
        return self.write("share_score", f"{weights.name}_with_score", (weights, *densities))


class LeaveOneOut(Planner):
    """The same objective from all samples but one: densities at the draws are given, S is one less.

    A split divergence compares rows with each other; left out of the baseline, it changes no expectation.
    """

    def __init__(self, whole: Planner) -> None:
        sizes = {**whole.program.sizes, SAMPLES: whole.samples - 1}
        super().__init__(replace(whole.program, samples=whole.samples - 1, sizes=sizes), tuple(whole.features))
        self.samples = whole.samples  # the axis stays, with one place less
        self.draws = whole.samples - 1
        self.axes_of_sum, self._sizes = whole.axes_of_sum, sizes
        self.whole, self.doubly = whole, False

    def estimate(self, objective: Objective) -> Plan:
        """The bound as a plan of what the whole plan has at the draws."""
        kept = [c for c in objective.contributions if not any(isinstance(t, LogAggregate) for t in walk(c.term))]
        total = self.total(replace(objective, contributions=tuple(kept)), {})
        plan = Plan("all samples but one", self.given, tuple(self.lines), {"total": total})
        return replace(plan, lines=needed_lines(plan))

    def value(self, name: str) -> Value:
        return self._leaf(self.whole.value(name))

    def legal(self, name: str) -> Value:
        return self._leaf(self.whole.legal(name))

    def log_density(self, side: str, name: str, part: Part = "all") -> Value:
        return self._leaf(self.whole.log_density(side, name, part))

    def log_axis(self, name: str) -> Value:
        return self._leaf(self.whole.log_axis(name))

    def divergence(self, name: str, part: Part) -> Value:
        return self._leaf(self.whole.divergence(name, part))

    def mask(self, name: str) -> Value:
        return self._leaf(self.whole.mask(name))

    def log_orders(self, plate: str) -> Value:
        return self._leaf(self.whole.log_orders(plate))

    def there(self, plates: Iterable[str]) -> Value | None:
        found = self.whole.there(plates)
        return None if found is None else self._leaf(found)

    def _leaf(self, value: Value) -> Value:
        """A value of the whole plan, which this one is given."""
        self.given[value] = Given(value.name, "result")
        self._names.add(value.name)
        return value
