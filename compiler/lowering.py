"""From `Graphs` and a pattern of labels to a `Program`: order, clamping, estimators, axes.

Not here: what the pieces add up to (derivation), and any number (weights, evaluation).
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, combinations
from math import prod

import networkx as nx

from compiler.elimination import closure, elimination_order
from compiler.naming import SAMPLES, canonical
from compiler.program import Action, Axes, Choice, Pattern, Program, Step, verify
from graphspec.graph import Factor, Graphs, Variable
from graphspec.schema.objective import EstimatorSpec, TotalCorrelation

ENUMERATION_CAP = 128
"""Largest number of joint values that any one term of the objective is computed for."""

FALLBACK_CAP = 16
"""Once the cap is passed the sum is not exact any more: variables are relaxed until this many joint values are left."""

PATTERN_LIMIT = 16
"""Above this many possible patterns of labels one masked program serves every row."""

SUPPORT_CAP = 256
"""Largest number of values of one variable that is enumerated unless the spec asks for it."""


def every_pattern(graphs: Graphs) -> tuple[Pattern, ...]:
    """All subsets of the supervised variables, fully labelled first, no labels last; above `PATTERN_LIMIT` one masked
    pattern for all of them."""
    names = graphs.supervised
    if one_program_for_all(graphs):
        return (Pattern((), masked=names),)
    subsets = chain.from_iterable(combinations(names, size) for size in range(len(names), -1, -1))
    return tuple(Pattern(subset) for subset in subsets)


def one_program_for_all(graphs: Graphs) -> bool:
    """More patterns of labels are possible than programs are worth."""
    return len(graphs.supervised) > PATTERN_LIMIT.bit_length() - 1


def support_size(variable: Variable) -> int | None:
    """Joint values of all elements of a discrete variable; None if not finite."""
    return None if variable.support is None else variable.support ** prod(variable.shape)


def lower(graphs: Graphs, pattern: Pattern, samples: int | None = None) -> Program:
    """The program for rows that have exactly the labels of `pattern`.

    Hidden discrete variables are enumerated if every term stays within `ENUMERATION_CAP` joint values; otherwise those
    with the largest support are relaxed, one by one, down to `FALLBACK_CAP`. `objective.estimators` is obeyed.
    """
    count = graphs.spec.objective.samples if samples is None else samples
    choices = {name: _first_choice(graphs, name, pattern) for name in _hidden(graphs, pattern)}
    choices = _score_above(graphs, choices)
    program = _assemble(graphs, pattern, count, choices)
    asked = graphs.spec.objective.estimators
    allowed, needed = ENUMERATION_CAP, largest_enumeration(program)
    while largest_enumeration(program) > allowed:
        free = [n for n, c in choices.items() if c.estimator == "enumerate" and n not in asked]
        if not free:
            break
        widest = max(free, key=lambda name: (support_size(graphs.variables[name]) or 0, name))
        choices[widest] = Choice("relax", f"an exact sum needs {needed} joint values, more than {ENUMERATION_CAP}")
        program, allowed = _assemble(graphs, pattern, count, choices), FALLBACK_CAP
    return verify(program)


def _hidden(graphs: Graphs, pattern: Pattern) -> tuple[str, ...]:
    names = (factor.variable for factor in graphs.recognition.values() if not factor.deterministic)
    return tuple(name for name in names if name not in pattern.labels)


def _asked_for(graphs: Graphs, name: str, override: EstimatorSpec, pattern: Pattern) -> Choice:
    """The spec's own choice. A budget holds where draws of the variable are not weighted by a label."""
    variable, budget = graphs.variables[name], override.budget
    if override.kind != "enumerate" or budget is None or variable.shape:
        return Choice(override.kind, "the spec asks for it" + _with_baseline(graphs, override.kind))
    if budget + 1 >= (variable.support or 0):
        return Choice("enumerate", f"{variable.support} values: a budget of {budget} saves nothing, the sum is exact")
    if graphs.spec.objective.bound == "importance_weighted":
        return Choice("enumerate", f"{variable.support} values: inside a logarithm only the exact sum is unbiased")
    graph = stochastic_graph(graphs)
    labels = (*pattern.labels, *pattern.masked)
    if name in labels or any(name in nx.ancestors(graph, label) for label in labels):
        return Choice("enumerate", f"{variable.support} values: upstream of a label only the exact sum is unbiased")
    rest = f"the {budget} likeliest of {variable.support} values and one weighted draw for the rest: unbiased"
    return Choice("enumerate", rest, budget=budget)


def _with_baseline(graphs: Graphs, kind: str) -> str:
    """What keeps the score function's variance in check."""
    if kind != "score_function":
        return ""
    samples = graphs.spec.objective.samples
    return "; the other samples are the baseline" if samples > 1 else "; raise `samples` to give it a baseline"


def _score_above(graphs: Graphs, choices: dict[str, Choice]) -> dict[str, Choice]:
    """Enumerated variables upstream of a score-function draw are drawn too: its draws would differ by their values."""
    graph = stochastic_graph(graphs)
    scored = [name for name, choice in choices.items() if choice.estimator == "score_function"]
    above = {a for name in scored for a in nx.ancestors(graph, name) if a in choices}
    reason = f"upstream of {', '.join(scored)}, whose draws take the score function" + _with_baseline(
        graphs, "score_function"
    )
    return {
        name: Choice("score_function", reason) if name in above and choice.estimator == "enumerate" else choice
        for name, choice in choices.items()
    }


def _first_choice(graphs: Graphs, name: str, pattern: Pattern) -> Choice:
    variable, family = graphs.variables[name], graphs.recognition[name].family
    assert family is not None, "deterministic variables are never hidden"
    override = graphs.spec.objective.estimators.get(name)
    if override is not None:
        return _asked_for(graphs, name, override, pattern)
    if not variable.discrete and not family.reparameterized:
        reason = f"{family.name} draws have no pathwise gradient"
        return Choice("score_function", reason + _with_baseline(graphs, "score_function"))
    if not variable.discrete:
        return Choice("reparameterize", f"{family.name} draws are differentiable in its parameters")
    size = support_size(variable)
    if size is None:
        reason = f"{family.name} has infinitely many values and no pathwise gradient"
        return Choice("score_function", reason + _with_baseline(graphs, "score_function"))
    if size <= SUPPORT_CAP:
        return Choice("enumerate", f"{size} values: the sum is exact")
    return Choice("relax", f"{size} joint values are too many to sum")


def _assemble(graphs: Graphs, pattern: Pattern, samples: int, choices: Mapping[str, Choice]) -> Program:
    """Axes propagate from parents to children; closed-form divergences are found last, from the finished graph."""
    axes: dict[str, Axes] = dict.fromkeys(graphs.observed, ())
    sizes = {name: _axis_length(graphs, name, c) for name, c in choices.items() if c.estimator == "enumerate"}
    recognition = tuple(_recognise(factor, pattern, choices, axes) for factor in graphs.order("recognition"))
    generative = tuple(
        _generate(factor, pattern, axes)
        for factor in graphs.order("generative")
        if not (factor.deterministic and factor.variable in axes)
    )
    used = {axis for step in (*recognition, *generative) for axis in (*step.value_axes, *step.density_axes)}
    if SAMPLES in used:
        sizes[SAMPLES] = samples
    graph = stochastic_graph(graphs)
    labels = (*pattern.labels, *pattern.masked)
    upstream = {a for label in labels for a in nx.ancestors(graph, label)} & set(choices)
    settled = {name: _with_closed_kl(graphs, graph, name, choice, upstream) for name, choice in choices.items()}
    return Program(graphs, pattern, samples, recognition, generative, settled, sizes, frozenset(upstream))


def _axis_length(graphs: Graphs, name: str, choice: Choice) -> int:
    """All joint values, or as many as the budget sums plus the one that stands for the rest."""
    size = support_size(graphs.variables[name])
    assert size is not None
    return size if choice.budget is None else choice.budget + 1


def _union(axes: Mapping[str, Axes], names: tuple[str, ...]) -> Axes:
    return canonical(axis for name in names for axis in axes[name])


def _recognise(factor: Factor, pattern: Pattern, choices: Mapping[str, Choice], axes: dict[str, Axes]) -> Step:
    inherited = _union(axes, factor.parents)
    name = factor.variable
    if factor.deterministic:
        axes[name] = inherited
        return Step("compute", factor, inherited, (), inherited)
    if name in pattern.labels:
        axes[name] = ()
        return Step("clamp", factor, (), inherited, inherited)
    action: Action = choices[name].estimator
    if action == "enumerate":
        # the likeliest values differ from one value of the parents to the next, the full support does not
        axes[name] = (name,) if choices[name].budget is None else canonical((name, *inherited))
    else:
        axes[name] = canonical((SAMPLES, *inherited))
    return Step(action, factor, axes[name], canonical((*axes[name], *inherited)), inherited, name in pattern.masked)


def _generate(factor: Factor, pattern: Pattern, axes: dict[str, Axes]) -> Step:
    inherited = _union(axes, factor.parents)
    if factor.deterministic:
        axes[factor.variable] = inherited
        return Step("compute", factor, inherited, (), inherited)
    own = axes[factor.variable]
    masked = factor.variable in (*pattern.masked, *pattern.blanks)
    return Step("score", factor, own, canonical((*own, *inherited)), inherited, masked)


def stochastic_graph(graphs: Graphs) -> nx.DiGraph:
    """The recognition graph with deterministic variables replaced by what they depend on."""
    graph: nx.DiGraph = nx.DiGraph()
    for factor in graphs.recognition.values():
        if not factor.deterministic:
            graph.add_node(factor.variable)
            graph.add_edges_from((parent, factor.variable) for parent in graphs.stochastic_parents(factor))
    return graph


def _with_closed_kl(graphs: Graphs, graph: nx.DiGraph, name: str, choice: Choice, upstream: set[str]) -> Choice:
    """A closed form replaces E[log p - log q] of one variable if its draw influences nothing else in that term."""
    closed, reason = _closed_kl(graphs, graph, name, choice, upstream)
    return replace(choice, closed_kl=closed, closed_kl_reason=reason)


def _closed_kl(graphs: Graphs, graph: nx.DiGraph, name: str, choice: Choice, upstream: set[str]) -> tuple[bool, str]:
    if choice.estimator == "enumerate" and choice.budget is None:
        return False, "summed exactly"
    if graphs.spec.objective.bound == "importance_weighted":
        return False, "the importance weighted bound needs the densities at the draws"
    if isinstance(graphs.spec.objective.beta.get(name), TotalCorrelation):
        return False, "its divergence is split, and the parts have no closed form"
    if name not in graphs.generative:
        return False, f"p has no factor of {name}"
    q, p = graphs.recognition[name].family, graphs.generative[name].family
    assert q is not None and p is not None
    if p.name not in q.closed_kl:
        return False, f"no closed form between {q.name} and {p.name}"
    if name in upstream:
        return False, f"{name} is upstream of a label, so its draws are weighted"
    below = graphs.stochastic_parents(graphs.generative[name]) & nx.descendants(graph, name)
    if below:
        return False, f"p({name} | ...) reads {', '.join(sorted(below))}, which q draws after {name}"
    return True, f"KL({q.name} || {p.name}) has a closed form"


def largest_enumeration(program: Program) -> int:
    """The most joint values of enumerated variables that any term or elimination step holds, samples not counted."""
    sizes = {axis: size for axis, size in program.sizes.items() if axis != SAMPLES}
    densities = program.log_q_axes()
    enumerated = {name: densities[name] for name in program.enumerated}
    labels = program.label_axes()
    weighing = [labels[label] for label in program.weighing_labels()]
    largest = 1
    terms = {*densities.values(), *program.log_p_axes().values()}
    for axes in terms:
        needed = closure((*axes, *(axis for w in weighing for axis in w)), enumerated)
        factors = [enumerated[axis] for axis in needed if axis in enumerated] + weighing
        largest = max(largest, elimination_order([*factors, axes], axes, sizes)[1])
    return largest
