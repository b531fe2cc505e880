"""From `Graphs` and a pattern of labels to a `Program`: order, clamping, estimators, axes.

Not here: what the pieces add up to (derivation), and any number (weights, evaluation).
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain, combinations
from math import prod

from compiler.symbolic.axis_names import SAMPLES, canonical
from compiler.symbolic.cost import program_cost
from compiler.symbolic.enumeration import largest_enumeration, summation_steps
from compiler.symbolic.estimators import (
    closed_kl,
    depended_on,
    first_choice,
    score_above,
    stochastic_graph,
    support_size,
)
from compiler.symbolic.exact_program import exact_sizes, sums_of, with_exact_labels
from compiler.symbolic.joint_axes import JointAxes
from compiler.symbolic.networks_read import read_parents
from compiler.symbolic.program import Action, Axes, Choice, Pattern, Program, Step, verify
from graphspec.graphs.coupling import MOST_JOINT, is_certain
from graphspec.graphs.graph import Factor, Graphs, Side, plate_axis
from graphspec.reading.suggestions import amount

ENUMERATION_CAP = MOST_JOINT
"""Largest number of joint values that any one term of the objective is computed for."""

FALLBACK_CAP = 16
"""Once the cap is passed the sum is not exact any more: variables are relaxed until this many joint values are left."""

STEP_CAP = 10_000
"""Most eliminations of one axis for a row's objective; past it exact sums would take longer than everything else."""

PAYS = 1.5
"""A budget is taken where a row then costs this many times less work."""

PATTERN_LIMIT = 16
"""Above this many possible patterns of labels one masked program serves every row."""


def every_pattern(graphs: Graphs) -> tuple[Pattern, ...]:
    """All subsets of the supervised variables that rows can have, fully labelled first, no labels last; above
    `PATTERN_LIMIT` one masked pattern for all of them."""
    names = graphs.supervised
    if one_program_for_all(graphs):
        return (Pattern((), masked=names),)
    subsets = chain.from_iterable(combinations(names, size) for size in range(len(names), -1, -1))
    patterns = (Pattern(subset) for subset in subsets)
    return tuple(pattern for pattern in patterns if label_without_count(graphs, pattern) is None)


def label_without_count(graphs: Graphs, pattern: Pattern) -> tuple[str, str] | None:
    """A label of a plate's elements, and the plate's count, of rows that have the one and lack the other: the label
    says that its element is there. None where there is none."""
    known = {*graphs.observed, *pattern.labels, *pattern.masked}
    for name in (*pattern.labels, *pattern.masked):
        for plate in (graphs.plates[own] for own in graphs.variables[name].path):
            if plate.count is not None and plate.count not in known:
                return name, plate.count
    return None


def one_program_for_all(graphs: Graphs) -> bool:
    """More patterns of labels are possible than programs are worth."""
    return len(graphs.supervised) > PATTERN_LIMIT.bit_length() - 1


def given_in_part(graphs: Graphs) -> tuple[str, ...]:
    """Labels of which a row may have some elements and lack others."""
    return tuple(name for name in graphs.supervised if _divides(graphs, name))


def _divides(graphs: Graphs, name: str) -> bool:
    variable = graphs.variables[name]
    return bool(variable.plates) or (prod(variable.shape) > 1 and not graphs.indivisible(name))


def lower(graphs: Graphs, pattern: Pattern, samples: int | None = None) -> Program:
    """The program for rows that have exactly the labels of `pattern`.

    Hidden discrete variables are enumerated if every term stays within `ENUMERATION_CAP` joint values; otherwise those
    with the largest support are relaxed, as many as bring it down to `FALLBACK_CAP`. Where all sums together take more
    than `STEP_CAP` eliminations, every one is relaxed. `objective.estimators` is obeyed.
    """
    number = graphs.spec.objective.samples if samples is None else samples
    labels, graph = {*pattern.labels, *pattern.masked}, stochastic_graph(graphs)
    weighed = labels | depended_on(with_exact_labels(graphs, graph), labels)
    alone = {name: first_choice(graphs, name, weighed) for name in _hidden(graphs, pattern)}
    choices = score_above(graphs, graph, alone)
    choices = with_paying_budgets(graphs, choices, lambda tried: _assemble(graphs, pattern, number, tried))
    program = _assemble(graphs, pattern, number, choices)
    asked = graphs.spec.objective.estimators
    totals = {plate.count for plate in graphs.plates.values()}  # which elements are there is never half a number
    kept = {*asked, *totals, *_computed_from(graphs)}
    free = [name for name, choice in choices.items() if choice.estimator == "enumerate" and name not in kept]
    if not free:
        return verify(program)
    free.sort(key=lambda name: (support_size(graphs.variables[name]) or 0, name), reverse=True)

    def relaxed(count: int, reason: str) -> Program:
        return _assemble(graphs, pattern, number, choices | dict.fromkeys(free[:count], Choice("relax", reason)))

    steps = summation_steps(program)
    if steps > STEP_CAP:
        return verify(relaxed(len(free), f"exact sums take {steps} steps in all, more than {STEP_CAP}"))
    needed = largest_enumeration(program)
    if needed <= ENUMERATION_CAP:
        return verify(program)
    reason = f"an exact sum needs {amount(needed)} joint values, more than {ENUMERATION_CAP}"
    counts = range(1, len(free))
    place = bisect_left(counts, True, key=lambda n: largest_enumeration(relaxed(n, reason)) <= FALLBACK_CAP)
    return verify(relaxed(place + 1, reason))


def with_paying_budgets(
    graphs: Graphs, choices: dict[str, Choice], assembled: Callable[[Mapping[str, Choice]], Program]
) -> dict[str, Choice]:
    """The choices, each `budget: auto` of 1 kept where it pays and else made a full sum, one variable after the other.
    Both are unbiased; the draw costs variance, which fades as q becomes sure of a value, and saves work.

    assembled: the program of some choices, whose cost is compared.
    """
    asked = graphs.spec.objective.estimators
    for name, choice in tuple(choices.items()):
        if choice.budget is None or asked[name].budget != "auto":
            continue
        full = choices | {name: replace(choice, budget=None)}
        saved = _work(assembled(full)) / max(_work(assembled(choices)), 1)
        if saved >= PAYS:
            reason = f"{choice.reason}; a row costs {saved:.1f} times less than with every value"
            choices = choices | {name: replace(choice, reason=reason)}
        else:
            values = graphs.variables[name].support
            reason = f"{values} values: a budget would save only a factor of {saved:.1f}, the sum is exact"
            choices = full | {name: Choice("enumerate", reason)}
    return choices


def _work(program: Program) -> int:
    return program_cost(program).multiply_adds


def _hidden(graphs: Graphs, pattern: Pattern) -> tuple[str, ...]:
    factors = (factor for factor in graphs.recognition.values() if not (factor.deterministic or is_certain(factor)))
    return tuple(factor.variable for factor in factors if factor.variable not in pattern.labels)


def _computed_from(graphs: Graphs) -> set[str]:
    """Variables of which another is a function with certainty: they are never drawn."""
    certain = [factor.variable for factor in graphs.recognition.values() if is_certain(factor)]
    return depended_on(graphs.graph("recognition"), certain) if certain else set()


def _assemble(graphs: Graphs, pattern: Pattern, samples: int, choices: Mapping[str, Choice]) -> Program:
    """Axes propagate from parents to children; closed-form divergences are found last, from the finished graph."""
    known = (*graphs.observed, *pattern.labels)
    axes: dict[str, Axes] = {name: canonical(graphs.variables[name].plate_axes) for name in known}
    axes |= {name: (name,) for name in graphs.exact}
    sizes = {name: _axis_length(graphs, name, c) for name, c in choices.items() if c.estimator == "enumerate"}
    sizes |= {plate.axis: plate.size for plate in graphs.plates.values()} | exact_sizes(graphs)
    joint = _joint_axes(graphs, choices)
    sizes |= {axis: sizes[name] for axis, (name, _) in joint.owners.items()}
    lay = _Lay(graphs, pattern, joint, axes)
    recognition = _steps(lay, "recognition", set(), lambda factor: _recognise(lay, factor, choices))
    recognition = _with_labels_in_order(graphs, recognition)
    computed = {step.factor.variable for step in recognition if step.action == "certain" and not step.masked}
    done = computed | {name for name in axes if graphs.variables[name].role == "deterministic"}
    generative = _steps(lay, "generative", done, lambda factor: _generate(lay, factor))
    used = {axis for step in (*recognition, *generative) for axis in (*step.value_axes, *step.density_axes)}
    if SAMPLES in used:
        sizes[SAMPLES] = samples
    graph = stochastic_graph(graphs)
    above = depended_on(with_exact_labels(graphs, graph), (*pattern.labels, *pattern.masked))
    upstream = above & choices.keys()
    drawn = {factor.variable: place for place, factor in enumerate(graphs.order("recognition"))}
    closed = {n: closed_kl(graphs, graph, drawn, n, choice, upstream) for n, choice in choices.items()}
    settled = {n: replace(c, closed_kl=closed[n][0], closed_kl_reason=closed[n][1]) for n, c in choices.items()}
    sums = sums_of(graphs, recognition, generative, choices)
    upstream_of_labels = frozenset(upstream)
    return Program(graphs, pattern, samples, recognition, generative, settled, sizes, upstream_of_labels, joint, sums)


def _joint_axes(graphs: Graphs, choices: Mapping[str, Choice]) -> JointAxes:
    """Of the plates in which some variable's elements are summed together."""
    joint = frozenset(name for name, choice in choices.items() if choice.joint)
    hosts = {graphs.variables[name].plates for name in joint}
    summed = [name for name, choice in choices.items() if choice.estimator == "enumerate"]
    plates = {n: graphs.variables[n].plate_axes[0] for n in summed if graphs.variables[n].plates in hosts}
    return JointAxes(plates, {plate_axis(name): size for ((name, size),) in hosts}, joint)


@dataclass(frozen=True)
class _Lay:
    """What axes are found from. axes: of every value so far."""

    graphs: Graphs
    pattern: Pattern
    joint: JointAxes
    axes: dict[str, Axes]

    def inherited(self, factor: Factor) -> Axes:
        """What a factor varies over before its own variable takes values: its plates, and what its parents vary
        over."""
        own = self.graphs.variables[factor.variable].plate_axes
        if self.graphs.summed_neighbour(factor.variable):
            return canonical((factor.variable, *own))
        if factor.view is not None:
            seen = [axis for name in factor.parents for axis in self.axes.get(name, ())]
            return canonical((*own, *self.joint.pooled(seen, map(plate_axis, factor.view.taken))))
        read = read_parents(self.graphs, factor)
        return self.together(own, *(self.axes[name] for name in read))

    def together(self, *axes: Axes) -> Axes:
        """What something varies over that is made of values on these axes."""
        return canonical(self.joint.aligned(axis for each in axes for axis in each))


def _steps(lay: _Lay, side: Side, done: set[str], made: Callable[[Factor], Step]) -> tuple[Step, ...]:
    """The steps of one side in order, without what is `done`; what has a value before cuts walks. Axes that a walk
    carries along come about in it."""
    graphs, steps = lay.graphs, list[Step]()
    for unit in graphs.units(side, tuple(lay.axes)):
        factors = [graphs.factor(side, name) for name in unit.names if name not in done]
        found = list(map(made, factors))
        while unit.loop is not None:
            again = list(map(made, factors))
            if again == found:
                found = [replace(step, loop=unit.loop) for step in found]
                break
            found = again
        steps += found
    return tuple(steps)


def _with_labels_in_order(graphs: Graphs, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same steps, labels among each other as recognition is written: they have values, wherever they stand."""
    if not graphs.walks("recognition"):
        return steps
    place = {factor.variable: position for position, factor in enumerate(graphs.order("recognition"))}
    labels = iter(sorted((s for s in steps if s.action == "clamp"), key=lambda step: place[step.factor.variable]))
    return tuple(next(labels) if step.action == "clamp" else step for step in steps)


def _axis_length(graphs: Graphs, name: str, choice: Choice) -> int:
    """All joint values, or as many as the budget sums plus the one that stands for the rest."""
    size = support_size(graphs.variables[name])
    assert size is not None
    return size if choice.budget is None else choice.budget + 1


def _recognise(lay: _Lay, factor: Factor, choices: Mapping[str, Choice]) -> Step:
    inherited, name, axes, pattern = lay.inherited(factor), factor.variable, lay.axes, lay.pattern
    if factor.deterministic:
        axes[name] = inherited
        return Step("compute", factor, inherited, (), inherited)
    plates = lay.graphs.variables[name].plate_axes
    if name in pattern.labels:
        axes[name] = canonical(plates)
        return Step("clamp", factor, axes[name], inherited, inherited)
    if is_certain(factor):
        axes[name] = inherited
        return Step("certain", factor, inherited, inherited, inherited, name in pattern.masked)
    action: Action = choices[name].estimator
    if action == "enumerate":
        # the likeliest values differ from one value of the parents to the next, the full support does not
        own = plates if name in pattern.masked else ()
        axes[name] = canonical((name, *own) if choices[name].budget is None else (name, *inherited))
    else:
        axes[name] = inherited if action == "mean" else canonical((SAMPLES, *inherited))
    return Step(action, factor, axes[name], lay.together(axes[name], inherited), inherited, name in pattern.masked)


def _generate(lay: _Lay, factor: Factor) -> Step:
    inherited = lay.inherited(factor)
    if factor.deterministic:
        lay.axes[factor.variable] = inherited
        return Step("compute", factor, inherited, (), inherited)
    own = lay.axes[factor.variable]
    masked = factor.variable in (*lay.pattern.masked, *lay.pattern.blanks)
    masked = masked and factor.variable not in lay.graphs.exact
    return Step("score", factor, own, lay.together(own, inherited), inherited, masked)
