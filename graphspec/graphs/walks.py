"""Circles through neighbours, along which values come one element after the other, and the order that they leave.

From: the graph of one side with everything that it borrows, where circles are only those that rules allow. To: its
factors in order, those of a circle as one. Names only.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import networkx as nx

from graphspec.language.plates import ViewKind

Neighbours = Mapping[str, tuple[str, ViewKind]]
"""Views of neighbours: along which plate, and which of them."""


@dataclass(frozen=True)
class Loop:
    """A walk along a plate. members: of one element, in the order in which they come. carried: the views by which they
    read the element before; kind: which of its neighbours that is."""

    plate: str
    kind: ViewKind
    members: tuple[str, ...]
    carried: tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """What runs together: one factor, or all of a loop's, what they carry first."""

    names: tuple[str, ...]
    loop: Loop | None = None


def circles(graph: nx.DiGraph) -> list[set[str]]:
    """Groups of nodes that depend on themselves."""
    components = (set(component) for component in nx.strongly_connected_components(graph))
    return [nodes for nodes in components if len(nodes) > 1 or graph.has_edge(*(list(nodes) * 2))]


def arrange(
    graph: nx.DiGraph,
    own: Sequence[str],
    borrowed: Collection[str],
    neighbours: Neighbours,
    known: Collection[str] = (),
) -> tuple[Unit, ...]:
    """The factors of one side in the order they run: repeatedly the first as written whose parents are done, what is
    borrowed right before its first reader.

    own: the side's factors as written; borrowed: functions beside those, and views. known: own factors whose variables
    have a value without them, so that nobody waits for them: given values cut walks.
    """
    free = nx.DiGraph(graph)
    free.remove_edges_from([edge for name in known if name in graph for edge in graph.out_edges(name)])
    place = {name: position for position, name in enumerate(own)}
    units = nx.condensation(free)
    inside = {unit: units.nodes[unit]["members"] for unit in units}
    computed = {u for u, names in inside.items() if not names.isdisjoint(place) or not names.isdisjoint(borrowed)}
    first = {u: min(place[n] for n in inside[u] if n in place) for u in computed if inside[u] & place.keys()}
    needs, order = dict[int, set[int]](), list(nx.topological_sort(units))
    for unit in order:
        above = list(units.predecessors(unit))
        needs[unit] = {p for p in above if p in first}.union(*(needs[p] for p in above if p not in first))
    depth = {unit: position for position, unit in enumerate(order)}
    found, done = list[int](), set[int]()
    for unit in _by_place(first, needs):
        before = {u for u in nx.ancestors(units, unit) if u in computed and u not in first and u not in done}
        found += [*sorted(before, key=depth.__getitem__), unit]
        done |= before
    return tuple(_unit(free, inside[unit], place, neighbours) for unit in found)


def _by_place(first: Mapping[int, int], needs: Mapping[int, set[int]]) -> list[int]:
    readers: dict[int, list[int]] = {unit: [] for unit in first}
    waiting = {unit: len(needs[unit]) for unit in first}
    for unit in first:
        for needed in needs[unit]:
            readers[needed].append(unit)
    ready = [(first[unit], unit) for unit, count in waiting.items() if count == 0]
    heapify(ready)
    found = []
    while ready:
        _, unit = heappop(ready)
        found.append(unit)
        for reader in readers[unit]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heappush(ready, (first[reader], reader))
    assert len(found) == len(first), "circles that are no walks are refused before"
    return found


def _unit(graph: nx.DiGraph, names: set[str], place: Mapping[str, int], neighbours: Neighbours) -> Unit:
    """One factor, or a loop: within an element nobody waits for what an element before has."""
    if len(names) == 1:
        return Unit(tuple(names))
    carried = tuple(sorted(names & neighbours.keys()))
    assert carried, f"{sorted(names)} is a circle within one element"
    within = nx.DiGraph(graph.subgraph(names - set(carried)))
    members = tuple(nx.lexicographical_topological_sort(within, key=lambda name: (place.get(name, len(place)), name)))
    plate, kind = neighbours[carried[0]]
    return Unit((*carried, *members), Loop(plate, kind, members, carried))
