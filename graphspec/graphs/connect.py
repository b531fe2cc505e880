"""From a `Spec` to `Graphs`: defaults filled in, names resolved, shapes inferred, `auto` derived.

Works as far as it can, so that all mistakes come at once: what cannot be resolved is reported where it is, and whatever
depends on it stays silent. What is wrong with the structure (unknown names, cycles, forgotten variables) is told by
`rules/graph_rules.py`; here it only decides what is left to do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import networkx as nx

from graphspec.graphs.circles import broken_names
from graphspec.graphs.complete_factors import FactorContext, resolve_factor, resolve_shape, resolve_states
from graphspec.graphs.complete_variables import variable_of
from graphspec.graphs.declared_names import Outline
from graphspec.graphs.graph import SIDES, Factor, Graphs, Side, Variable
from graphspec.graphs.inversion import Derived, derive_recognition, invertible
from graphspec.graphs.viewed import in_plates, plates_fit, plates_of
from graphspec.language.plates import base_of
from graphspec.text.report import Report

NOTHING = Derived({}, {})


def connect(outline: Outline, report: Report) -> Graphs | None:
    """The graphs, or None where a variable or factor could not be resolved (an error is in the report then)."""
    spec = outline.spec
    derived = derive_recognition(outline) if spec.recognition.auto and invertible(outline) else NOTHING
    outline = _with_derived(outline, derived)
    context = FactorContext(outline, _variables(outline, derived, report), report)
    functions = _functions_in_order(outline)
    _forget_shapes(context, {name for _, name in functions})
    resolve_states(context, functions)
    for side, name in functions:
        resolve_shape(context, side, name)
    factors = {side: _factors(context, side, derived) for side in SIDES}
    variables = {name: variable for name, variable in context.variables.items() if variable is not None}
    if not _complete(context, factors):
        return None
    generative, recognition = (_known(factors[side].values()) for side in SIDES)
    return Graphs(
        spec, report.document.source, variables, generative, recognition, context.views, plates_of(spec),
        document=report.document,
    )  # fmt: skip


def _with_derived(outline: Outline, derived: Derived) -> Outline:
    """The outline as if the derived entries had been written, after the others."""
    if not derived.factors:
        return outline
    spec = outline.spec
    recognition = spec.recognition.model_copy(update={"factors": {**spec.recognition.factors, **derived.factors}})
    variables = {**spec.variables, **derived.variables}
    return replace(outline, spec=spec.model_copy(update={"variables": variables, "recognition": recognition}))


def _variables(outline: Outline, derived: Derived, report: Report) -> dict[str, Variable | None]:
    return {
        name: None
        if name in outline.unreadable
        else in_plates(outline.spec, variable_of(name, declared, report, derived=name in derived.variables))
        for name, declared in outline.variables.items()
    }


def _forget_shapes(context: FactorContext, computable: set[str]) -> None:
    """A feature on a cycle, or defined nowhere, has no shape; whoever reads it is judged without."""
    for name, declared in context.outline.variables.items():
        sized = declared.shape is not None or declared.size is not None
        if declared.role == "deterministic" and not sized and name not in computable:
            context.variables[name] = None


def _functions_in_order(outline: Outline) -> list[tuple[Side, str]]:
    """Deterministic variables with the graph that defines them, parents first, those of a walk together; those on a
    cycle left out."""
    broken, homes = broken_names(outline), dict[str, Side]()
    for name, declared in outline.variables.items():
        home = outline.home(name)
        if declared.role == "deterministic" and home is not None and name not in broken:
            homes[name] = home
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(homes)
    graph.add_edges_from((p, name) for name, side in homes.items() for p in outline.parents(side, name) if p in homes)
    groups = nx.condensation(graph)
    order = (name for group in nx.topological_sort(groups) for name in sorted(groups.nodes[group]["members"]))
    return [(homes[name], name) for name in order]


def _factors(context: FactorContext, side: Side, derived: Derived) -> dict[str, Factor | None]:
    return {
        name: resolve_factor(context, side, name, derived=side == "recognition" and name in derived.factors)
        for name in context.outline.factors(side)
    }


def _complete(context: FactorContext, factors: Mapping[Side, Mapping[str, Factor | None]]) -> bool:
    """Everything is resolved and hangs together, so that `Graphs` keeps its promises."""
    outline = context.outline
    resolved = all(factor is not None for side in factors.values() for factor in side.values())
    known = all(variable is not None for variable in context.variables.values())
    if not (outline.whole and resolved and known) or broken_names(outline) or not plates_fit(outline.spec):
        return False
    placed = all(_stands_where_it_should(outline, name) for name in outline.variables)
    return placed and all(_defined(outline, side, name) for side in SIDES for name in factors[side])


def _stands_where_it_should(outline: Outline, name: str) -> bool:
    """The factors that the variable's role asks for, and no others (`rules/graph_rules.py` says what is wrong)."""
    in_p, in_q = (name in outline.factors(side) for side in SIDES)
    in_q = in_q or name in outline.exact
    match outline.role(name):
        case "observed":
            return not in_q
        case "deterministic":
            return in_p != in_q
        case _:
            return in_p and in_q


def _defined(outline: Outline, side: Side, name: str) -> bool:
    """Every parent is declared, and has a function if it is deterministic."""
    for parent in map(base_of, outline.factors(side)[name].parents):
        role = outline.role(parent)
        if parent in outline.spec.plates:
            continue
        if role is None or (role == "deterministic" and outline.home(parent) is None):
            return False
    return True


def _known(factors: Iterable[Factor | None]) -> dict[str, Factor]:
    return {factor.variable: factor for factor in factors if factor is not None}
