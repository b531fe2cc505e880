"""What the two graphs promise each other: warnings that need the whole picture. Codes GS101-GS105."""

from collections.abc import Sequence
from math import prod

import networkx as nx

from graphspec.graphs.exact_sums import own_latents
from graphspec.graphs.graph import Factor, Graphs
from graphspec.graphs.separation import Walk, collapse, sufficient_parents, walk, with_ancestors
from graphspec.language import NetworkParameter
from graphspec.reading.suggestions import amount, listed
from graphspec.rules.graph_rules import silenced
from graphspec.rules.recognition_walks import check_faithful_walks
from graphspec.text.report import Report

MOST_VISITS = 1_000_000
"""Stops along open paths, over all walks, after which `check` leaves the remaining variables unjudged: seconds."""

MOST_PATHS = 12
"""Open paths written out in one message."""

LARGE_ENUMERATION = 1000
"""Joint values of enumerated variables per row above which `check` warns."""


def _deterministic(graphs: Graphs) -> set[str]:
    return {name for name, variable in graphs.variables.items() if variable.role == "deterministic"}


def check_informed_latents(graphs: Graphs, report: Report) -> None:
    """A latent whose value leaves no trace in what is observed or labelled (GS101). One that recognition reads on the
    way to another variable is an auxiliary variable, and meant."""
    model, recognition = graphs.graph("generative"), graphs.graph("recognition")
    informed, auxiliary = set[str](), set[str]()
    with_ancestors(model, [n for n in (*graphs.observed, *graphs.supervised) if n in model], informed)
    hidden = [n for n in (*graphs.latent, *graphs.supervised) if n in recognition]
    with_ancestors(recognition, {p for n in hidden for p in recognition.predecessors(n)}, auxiliary)
    for name in graphs.latent:
        if name in informed or name in auxiliary or silenced(graphs.spec, "GS101", name):
            continue
        hint = f"the data cannot say anything about it: make {name} a parent of something observed, or remove it"
        report.warning("GS101", ("variables", name), f"nothing observed depends on latent {name}", key=True, hint=hint)


def check_estimators_are_quiet(graphs: Graphs, report: Report) -> None:
    """Hidden variables whose gradient can only come from a score function (GS102)."""
    for name in (*graphs.supervised, *graphs.latent):
        if name in graphs.exact:
            continue
        factor, variable = graphs.recognition[name], graphs.variables[name]
        assert factor.family is not None
        asked = graphs.spec.objective.estimators.get(name)
        if asked is not None and asked.kind == "mean":
            continue
        if asked is not None and asked.kind == "score_function":
            reason = f"the spec asks for a score function for {name}"
        elif variable.discrete and variable.support is None:
            reason = f"{name} has no largest value, so its values cannot be summed or relaxed"
        elif not variable.discrete and not factor.family.reparameterized:
            reason = f"draws of {factor.family.name} have no gradient"
        else:
            continue
        if not silenced(graphs.spec, "GS102", name):
            hint = "give a count its `max`" if variable.domain == "count" else "choose another estimator or family"
            path = ("recognition", name)
            said = f"{reason}: its gradient will be noisy"
            report.warning("GS102", path, said, key=True, hint=f"{hint}, or raise objective.samples")


def check_enumerations(graphs: Graphs, report: Report) -> None:
    """Sums that the spec asks for and that are long (GS103); without being asked the compiler keeps sums short."""
    sizes: dict[str, int] = {}
    for name, asked in graphs.spec.objective.estimators.items():
        variable = graphs.variables.get(name)
        if asked.kind == "enumerate" and asked.budget is None and variable is not None and variable.support is not None:
            sizes[name] = variable.support ** prod(variable.shape)
    total = prod(sizes.values())
    if total <= LARGE_ENUMERATION or any(silenced(graphs.spec, "GS103", name) for name in sizes):
        return
    widest = max(sizes, key=sizes.__getitem__)
    product = " × ".join(amount(size, " ") for size in sizes.values())
    said = f"{listed(sizes)} together have {product + ' = ' if len(sizes) > 1 else ''}{amount(total, ' ')} values"
    message = f"{said}, and each row is computed for every one"
    hint = f"`estimators: {{{widest}: relax}}` draws instead of summing"
    report.warning("GS103", ("objective", "estimators", widest), message, key=True, hint=hint)


def check_parents_are_read(graphs: Graphs, report: Report) -> None:
    """Parents that no network of their factor reads, because `parameters` gives everything (GS104)."""
    for side in ("generative", "recognition"):
        for name, factor in graphs.factors(side).items():
            idle = _unread(factor)
            if idle and not silenced(graphs.spec, "GS104", name):
                given = listed(factor.parameters)
                said = f"no parameter of {name} depends on {listed(idle)}: `parameters` gives {given}"
                hint = f"remove {listed(idle)} from the parents, or leave a parameter to the network"
                report.warning("GS104", (side, name, "parents"), said, hint=hint)


def _unread(factor: Factor) -> list[str]:
    if factor.network is not None or factor.deterministic or not (factor.family and factor.family.parameters):
        return []
    read = {p for value in factor.parameters.values() if isinstance(value, NetworkParameter) for p in value.parents}
    return [parent for parent in factor.parents if parent not in read]


def check_faithful(graphs: Graphs, report: Report) -> None:
    """Dependences of the posterior that recognition cannot represent (GS105).

    With no label given, recognition asserts that each hidden variable is independent of everything before it that it
    does not read, given what it reads. d-separation in p tells which of these independences do not hold; each missing
    arrow named here is needed for the order in which recognition runs, and together they suffice. After `MOST_VISITS`
    along open paths a note says which variables were not judged. An exact variable has p's own posterior: nothing but
    what is drawn for each of its values knows it.
    """
    if graphs.walks("generative") or graphs.walks("recognition"):
        check_faithful_walks(graphs, report)
        return
    model = collapse(_without_counts(graphs), _deterministic(graphs))
    seen = {name for name in graphs.observed if name in model}
    factors = [factor for factor in graphs.order("recognition") if not factor.deterministic]
    own, seen_by_own = set(own_latents(graphs)), set(graphs.exact)
    order = [name for name in (f.variable for f in factors) if name not in own]
    enough = sufficient_parents(model, [*order, *graphs.exact, *(f.variable for f in factors if f.variable in own)])
    trunks, places, visits = _trunks(graphs), {name: place for place, name in enumerate(graphs.variables)}, 0
    for factor in factors:
        name, parents = factor.variable, graphs.stochastic_parents(factor)
        wanted = enough[name] - parents if name in enough else None
        if wanted != set() and not factor.derived and not silenced(graphs.spec, "GS105", name):
            if visits > MOST_VISITS:
                _report_rest(factors, factor, report)
                return
            known = seen | seen_by_own if name in own else seen
            ball = walk(model, name, known, wanted)
            visits += len(ball.visits)
            missing = sorted((ball.touched() & known) - parents, key=places.__getitem__)
            if missing:
                _report_gap(model, ball, missing, [trunks.get(other, other) for other in missing], report)
        (seen_by_own if name in own else seen).add(name)


def _without_counts(graphs: Graphs) -> nx.DiGraph:
    """p without the arrows from counts of plates to what is read across their elements: which elements are there is the
    same in both graphs, and no factor has to read it."""
    graph = nx.DiGraph(graphs.graph("generative"))
    graph.remove_edges_from([(count, name) for name, f in graphs.views.items() for count in f.parents[1:]])
    return graph


def _trunks(graphs: Graphs) -> dict[str, str]:
    """What to add to the parents for an observed variable: its features, where recognition has some."""
    trunks: dict[str, str] = {}
    for factor in graphs.recognition.values():
        if factor.deterministic and len(sources := graphs.stochastic_parents(factor)) == 1:
            (source,) = sources
            if graphs.variables[source].role == "observed":
                trunks.setdefault(source, factor.variable)
    return trunks


def _report_rest(factors: Sequence[Factor], first: Factor, report: Report) -> None:
    rest = [factor.variable for factor in factors[factors.index(first) :]]
    said = f"these graphs are too large to compare in full: recognition of {listed(rest)} was not compared with p"
    report.note("GS105", ("recognition", first.variable), said, key=True)


def _report_gap(model: nx.DiGraph, ball: Walk, declared: list[str], reads: list[str], report: Report) -> None:
    name = ball.start
    paths = "; ".join(
        [ball.path(model, other) for other in declared[:MOST_PATHS]] + ["..."] * (len(declared) > MOST_PATHS)
    )
    by = "it by an open path" if len(declared) == 1 else "them by open paths"
    report.warning(
        "GS105",
        ("recognition", name),
        f"recognition of {name} does not read {listed(declared)}, and in the posterior {name} depends on {by}: {paths}",
        key=True,
        hint=f"add {listed(dict.fromkeys(reads))} to the parents of {name}, or `allow: [GS105]` if the gap is meant",
    )
