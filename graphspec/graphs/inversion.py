"""`recognition: auto`: a recognition graph that can represent every dependence the posterior of p has.

From: the `Outline` of a spec whose generative graph is sound. To: `Derived`, entries as the user could have written
them. The order of recognition comes from eliminating the hidden variables one by one from the moral graph of p, the one
that adds fewest edges first and supervised ones last of all, so that labels come first in recognition (Webb et al.
2018, "Faithful Inversion of Generative Models for Effective Amortized Inference"). Each variable then reads the
smallest set of what is observed or comes before it that makes it independent of the rest (d-separation in p), which is
exact where elimination alone may keep edges that no dependence asks for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

import networkx as nx

from graphspec.graphs.declared_names import Outline
from graphspec.graphs.graph import SIDES, Graphs
from graphspec.graphs.moral_graph import MoralGraph
from graphspec.graphs.separation import boundary, collapse, sufficient_parents
from graphspec.language import DEFAULT_NETWORK, FactorSpec, VariableSpec
from graphspec.language.factors import EXACT
from graphspec.language.networks import Cnn, Linear, Mlp, Resnet

HIDDEN = ("latent", "supervised")
TRUNK = "features"


@dataclass(frozen=True)
class Derived:
    """Variables and recognition factors to add to the spec."""

    variables: Mapping[str, VariableSpec]
    factors: Mapping[str, FactorSpec]


def invertible(outline: Outline) -> bool:
    """The generative graph, and what is written of recognition, are sound enough to derive the rest from."""
    if not outline.whole or outline.cyclic:
        return False
    names = outline.variables
    if outline.spec.plates or any(
        p not in names for side in SIDES for f in outline.written(side).values() for p in f.parents
    ):
        return False
    return all(_sound(outline, name) for name in names)


def _sound(outline: Outline, name: str) -> bool:
    role = outline.role(name)
    if role in HIDDEN:
        return outline.has_factor("generative", name)
    return role == "observed" or outline.home(name) is not None


def derive_recognition(outline: Outline) -> Derived:
    """Every recognition factor that is not written, and the trunk they share."""
    deterministic = _with_role(outline, "deterministic")
    model = collapse(outline.graph("generative"), deterministic)
    written = collapse(outline.graph("recognition"), deterministic)
    observed = [name for name in _with_role(outline, "observed") if name in model]
    hidden = [name for name in outline.variables if outline.role(name) in HIDDEN]
    order = recognition_order(model, hidden, written, _with_role(outline, "supervised"))
    order = [name for name in order if name not in outline.exact]  # summed out of p: nobody reads them in q
    parents = faithful_parents(model, observed, order)
    wanted = {name: parents[name] for name in order if name not in outline.factors("recognition")}
    return _share_trunk(outline, observed, wanted)


def _with_role(outline: Outline, role: str) -> list[str]:
    return [name for name in outline.variables if outline.role(name) == role]


def faithful_parents(model: nx.DiGraph, observed: Iterable[str], order: Sequence[str]) -> dict[str, list[str]]:
    """For hidden variables in recognition order: the observed and earlier ones that each has to read so that the
    result asserts no independence that p lacks; none of them can be left out for this order."""
    place = {name: position for position, name in enumerate(observed)}
    seen, enough = set(place), sufficient_parents(model, order)
    result: dict[str, list[str]] = {}
    for name in order:
        result[name] = sorted(boundary(model, name, seen, enough.get(name)), key=place.__getitem__)
        seen.add(name)
        place[name] = len(place)
    return result


def recognition_order(
    model: nx.DiGraph, hidden: list[str], written: nx.DiGraph, supervised: Iterable[str] = ()
) -> list[str]:
    """Hidden variables in the order recognition runs; parents of `written` factors before their children.

    Built from its end: of the variables that no written factor still waits for, latent ones first, the one whose
    removal from the moral graph adds fewest edges (then the one with fewest neighbours, then the last declared).
    """
    graph, labels = MoralGraph(model, hidden), set(supervised)
    place, free = graph.place, set(hidden)
    children = {name: _below(written, name, free) for name in hidden}

    def entry(name: str) -> tuple[bool, int, int, int]:
        return name in labels, graph.fill(place[name]), graph.degree(place[name]), -place[name]

    heap = [entry(name) for name in hidden if not children[name]]
    heapify(heap)
    reverse: list[str] = []
    while heap:
        found = heappop(heap)
        name = hidden[-found[-1]]
        if name not in free or found != entry(name):
            continue  # eliminated, or its cost has changed: a newer entry stands further down
        free.discard(name)
        reverse.append(name)
        before = {p for p in written.predecessors(name) if p in free} if name in written else set()
        for other in before:
            children[other].discard(name)
        changed = {graph.names[other] for other in graph.eliminate(place[name])}
        for other in changed | before:
            if not children[other]:
                heappush(heap, entry(other))
    assert not free, "written factors have no cycle"
    return reverse[::-1]


def _below(written: nx.DiGraph, name: str, free: set[str]) -> set[str]:
    return {child for child in written.successors(name) if child in free} if name in written else set()


def _share_trunk(outline: Outline, observed: list[str], wanted: Mapping[str, list[str]]) -> Derived:
    """Derived factors read the observed variables through the trunks as written, or through one trunk of their own if
    two or more of them read any."""
    seen = set(observed)
    trunks = written_trunks(outline)
    readers = [name for name, parents in wanted.items() if seen & set(parents)]
    variables: dict[str, VariableSpec] = {}
    factors: dict[str, FactorSpec] = {}
    if not trunks and len(readers) > 1 and _has_hidden_layer(outline):
        shared = [x for x in observed if sum(x in wanted[name] for name in readers) > 1]
        if shared:
            name = _unique(outline)
            variables[name] = VariableSpec(role="deterministic")
            factors[name] = FactorSpec(parents=tuple(shared))
            trunks = {name: frozenset(shared)}
    for name, parents in wanted.items():
        factors[name] = _factor(parents, trunks)
    return Derived(variables, factors)


def _factor(parents: list[str], trunks: Mapping[str, frozenset[str]]) -> FactorSpec:
    """Trunks in place of what they read; a linear head where nothing else is read."""
    through = [trunk for trunk, sources in trunks.items() if sources & set(parents)]
    covered = frozenset().union(*(trunks[trunk] for trunk in through))
    names = [*through, *(p for p in parents if p not in covered)]
    head = Linear(kind="linear") if through and names == through else None
    return FactorSpec(parents=tuple(names), network=head)


def written_trunks(outline: Outline) -> dict[str, frozenset[str]]:
    """Deterministic variables written in recognition that depend on observed variables only, with these; of a chain of
    such variables the last."""
    graph = outline.graph("recognition")
    sources: dict[str, frozenset[str]] = {}  # of what depends on observed variables only: on which
    for name in nx.topological_sort(graph):
        role, parents = outline.role(name), list(graph.predecessors(name))
        if role == "observed":
            sources[name] = frozenset([name])
        elif role == "deterministic" and parents and all(parent in sources for parent in parents):
            sources[name] = frozenset().union(*(sources[parent] for parent in parents))
    found = {n: sources[n] for n in outline.factors("recognition") if n in sources and outline.role(n) != "observed"}
    return {name: above for name, above in found.items() if not any(child in found for child in graph.successors(name))}


def _has_hidden_layer(outline: Outline) -> bool:
    """The default network gives features without being told a size."""
    network = outline.spec.networks.get("default", DEFAULT_NETWORK)
    return isinstance(network, Mlp | Cnn) or (isinstance(network, Resnet) and network.direction == "down")


def _unique(outline: Outline) -> str:
    name, count = TRUNK, 2
    while name in outline.variables:
        name, count = f"{TRUNK}_{count}", count + 1
    return name


def as_yaml(graphs: Graphs) -> dict[str, Any]:
    """The recognition graph as the user could write it, ready for a YAML writer: `recognition`, and under `variables`
    the ones that `auto` added."""
    written = graphs.spec.recognition.factors
    recognition: dict[str, Any] = dict.fromkeys(graphs.exact, EXACT)
    for factor in graphs.order("recognition"):
        name = factor.variable
        if name in written:
            recognition[name] = written[name].model_dump(mode="json", by_alias=True, exclude_unset=True)
        elif name in graphs.recognition:
            entry: dict[str, Any] = {"parents": list(factor.parents)} if factor.parents else {}
            if isinstance(factor.network, Linear):
                entry["network"] = {"kind": "linear"}
            recognition[name] = entry
    added = {name: {"role": "deterministic"} for name, variable in graphs.variables.items() if variable.derived}
    return {"variables": added, "recognition": recognition} if added else {"recognition": recognition}
