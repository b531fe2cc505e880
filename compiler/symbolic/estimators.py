"""How the expectation over each hidden variable is taken, and why: one `Choice` per variable.

From: `Graphs` and a pattern of labels. Not here: what they cost together (`lowering` relaxes what costs too much).
"""

from collections.abc import Iterable, Mapping, Set
from math import prod

import networkx as nx

from compiler.symbolic.drawn_before import read_and_drawn_after
from compiler.symbolic.program import Choice
from graphspec.graphs.coupling import coupling_reader, joint_values, summed_jointly
from graphspec.graphs.exact_sums import exact_sums
from graphspec.graphs.graph import Graphs, Variable
from graphspec.graphs.separation import with_ancestors
from graphspec.language.objective import EstimatorSpec, TotalCorrelation
from graphspec.language.plates import shown
from graphspec.reading.suggestions import amount

SUPPORT_CAP = 256
"""Largest number of values of one variable that is enumerated unless the spec asks for it."""


def support_size(variable: Variable) -> int | None:
    """Joint values of all elements of a discrete variable; None if not finite."""
    return None if variable.support is None else variable.support ** prod(variable.shape)


def first_choice(graphs: Graphs, name: str, weighed: Set[str]) -> Choice:
    """What the spec asks for, else what suits the variable alone. weighed: labels and what they depend on."""
    variable, family = graphs.variables[name], graphs.recognition[name].family
    assert family is not None, "deterministic variables are never hidden"
    override = graphs.spec.objective.estimators.get(name)
    if override is not None:
        return _asked_for(graphs, name, override, weighed)
    if variable.discrete and variable.support is not None and (reader := coupling_reader(graphs, name)) is not None:
        return _coupled(graphs, name, reader)
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
    return Choice("relax", f"{amount(size)} joint values are too many to sum")


def _coupled(graphs: Graphs, name: str, reader: str) -> Choice:
    """Of a variable whose elements something reads together: all of them at once, where they are few."""
    joint = joint_values(graphs, name)
    if summed_jointly(graphs, name):
        reason = f"{shown(reader)} couples the elements: {joint} joint values, the sum is exact"
        return Choice("enumerate", reason, joint=True)
    return Choice("relax", f"{shown(reader)} couples the elements, whose joint values are too many to sum")


def _asked_for(graphs: Graphs, name: str, override: EstimatorSpec, weighed: Set[str]) -> Choice:
    """The spec's own choice. A budget holds where draws of the variable are not weighted by a label."""
    variable, budget = graphs.variables[name], 1 if override.budget == "auto" else override.budget
    if override.kind == "enumerate" and (reader := coupling_reader(graphs, name)) is not None:
        return _coupled(graphs, name, reader)
    if override.kind == "mean":
        return Choice("mean", "the spec asks for it: what reads it gets q's mean, and this is no bound any more")
    if override.kind != "enumerate" or budget is None or variable.shape:
        return Choice(override.kind, "the spec asks for it" + _with_baseline(graphs, override.kind))
    if budget + 1 >= (variable.support or 0):
        return Choice("enumerate", f"{variable.support} values: a budget of {budget} saves nothing, the sum is exact")
    if graphs.spec.objective.bound == "importance_weighted":
        return Choice("enumerate", f"{variable.support} values: inside a logarithm only the exact sum is unbiased")
    if name in weighed:
        return Choice("enumerate", f"{variable.support} values: upstream of a label only the exact sum is unbiased")
    most = "likeliest" if budget == 1 else f"{budget} likeliest"
    rest = f"the {most} of {variable.support} values and one weighted draw for the rest: unbiased"
    return Choice("enumerate", rest, budget=budget)


def _with_baseline(graphs: Graphs, kind: str) -> str:
    """What keeps the score function's variance in check."""
    if kind != "score_function":
        return ""
    samples = graphs.spec.objective.samples
    return "; the other samples are the baseline" if samples > 1 else "; raise `samples` to give it a baseline"


def score_above(graphs: Graphs, graph: nx.DiGraph, choices: dict[str, Choice]) -> dict[str, Choice]:
    """Enumerated variables upstream of a score-function draw are drawn too: its draws would differ by their values."""
    scored = [name for name, choice in choices.items() if choice.estimator == "score_function"]
    above = depended_on(graph, scored)
    reason = f"upstream of {', '.join(scored)}, whose draws take the score function" + _with_baseline(
        graphs, "score_function"
    )
    return {
        name: Choice("score_function", reason) if name in above and choice.estimator == "enumerate" else choice
        for name, choice in choices.items()
    }


def stochastic_graph(graphs: Graphs) -> nx.DiGraph:
    """The recognition graph with deterministic variables replaced by what they depend on."""
    graph: nx.DiGraph = nx.DiGraph()
    for factor in graphs.recognition.values():
        if not factor.deterministic:
            graph.add_node(factor.variable)
            graph.add_edges_from((parent, factor.variable) for parent in graphs.stochastic_parents(factor))
    return graph


def depended_on(graph: nx.DiGraph, names: Iterable[str]) -> set[str]:
    """Everything that some of `names` depends on."""
    found: set[str] = set()
    with_ancestors(graph, {parent for name in names for parent in graph.predecessors(name)}, found)
    return found


def _below(graph: nx.DiGraph, drawn: Mapping[str, int], name: str, candidates: Set[str]) -> set[str]:
    """Those of `candidates` that depend on `name`. drawn: places in recognition order, which bound the search: along a
    chain it looks no further than the neighbour it is asked about."""
    last = max((drawn[other] for other in candidates if other in drawn), default=-1)
    found, pending = {name}, [name]
    while pending:
        for child in graph.successors(pending.pop()):
            if child not in found and drawn[child] <= last:
                found.add(child)
                pending.append(child)
    return (found - {name}) & candidates


def closed_kl(
    graphs: Graphs, graph: nx.DiGraph, drawn: Mapping[str, int], name: str, choice: Choice, upstream: set[str]
) -> tuple[bool, str]:
    """Whether a closed form replaces E[log p - log q] of one variable (if its draw influences nothing else in that
    term), and why."""
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
    inside = next((each for each in exact_sums(graphs) if name in each.factors and name not in each.own), None)
    if inside is not None:
        return False, f"p({name} | ...) stands inside the exact sum over {', '.join(inside.variables)}"
    if name in upstream:
        return False, f"{name} is upstream of a label, so its draws are weighted"
    if graphs.plates:
        below = read_and_drawn_after(graphs, name)
    else:
        below = _below(graph, drawn, name, graphs.stochastic_parents(graphs.generative[name]))
    if below:
        return False, f"p({name} | ...) reads {', '.join(sorted(below))}, which q draws after {name}"
    return True, f"KL({q.name} || {p.name}) has a closed form"
