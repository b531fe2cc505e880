"""Who depends on whom once something is seen: d-separation by walking the open paths.

The ball of "Bayes-ball" (Shachter 1998) rolls from one variable over the graph. What is not seen passes it on, except
from parent to parent; what is seen sends it from parent to parent only, so a collider opens when it, or something below
it, is seen. One walk visits every edge at most twice. Nodes are names; the graph holds random variables only
(deterministic ones replaced by what they read).
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

DENSE = 64
"""Neighbourhoods larger than this are judged by walks alone."""

Visit = tuple[str, bool]
"""A node, and whether the ball came to it along an arrow (from a parent)."""


def with_ancestors(graph: nx.DiGraph, names: Iterable[str], known: set[str]) -> None:
    """Adds `names` and everything above them to `known`, which holds such sets already."""
    pending = [name for name in names if name not in known]
    while pending:
        name = pending.pop()
        if name not in known:
            known.add(name)
            pending.extend(p for p in graph.predecessors(name) if p not in known)


@dataclass(frozen=True)
class Walk:
    """Every visit of one ball, with the visit before it."""

    start: str
    visits: dict[Visit, Visit | None]

    def touched(self) -> set[str]:
        """Every variable the ball came to, seen ones included."""
        return {name for name, _ in self.visits} - {self.start}

    def path(self, graph: nx.DiGraph, target: str) -> str:
        """A short open path to `target`, with its arrows: `r → x ← i`. The way down from a collider to what is seen
        below it, and back, is left out."""
        visit: Visit | None = next(v for v in self.visits if v[0] == target)
        nodes: list[str] = []
        while visit is not None:
            if visit[0] in nodes:
                del nodes[nodes.index(visit[0]) + 1 :]
            else:
                nodes.append(visit[0])
            visit = self.visits[visit]
        nodes.reverse()
        arrows = (f" {'→' if graph.has_edge(before, after) else '←'} {after}" for before, after in pairwise(nodes))
        return nodes[0] + "".join(arrows)


def walk(graph: nx.DiGraph, start: str, seen: Collection[str], wanted: Collection[str] | None = None) -> Walk:
    """Rolls the ball from `start` (which is not seen) over every path that `seen` leaves open; if told what is wanted,
    until it has come to all of it."""
    first: Visit = (start, False)
    visits: dict[Visit, Visit | None] = {first: None}
    pending = deque([first])
    left = None if wanted is None else set(wanted)
    while pending and (left is None or left):
        visit = pending.popleft()
        for following in _next(graph, visit, seen):
            if following not in visits and following[0] != start:
                visits[following] = visit
                pending.append(following)
                if left:
                    left.discard(following[0])
    return Walk(start, visits)


def _next(graph: nx.DiGraph, visit: Visit, seen: Collection[str]) -> Iterator[Visit]:
    """Unseen: on in both directions, but not from parent to parent. Seen: only from parent to parent."""
    name, from_parent = visit
    if (name in seen) == from_parent:
        yield from ((parent, False) for parent in graph.predecessors(name))
    if name not in seen:
        yield from ((child, True) for child in graph.successors(name))


def boundary(graph: nx.DiGraph, name: str, seen: Set[str], enough: Collection[str] | None = None) -> set[str]:
    """The smallest subset of `seen` that, once known, makes `name` independent of the rest of `seen`.

    It is what the ball touches: u is in it exactly if `name` and u are dependent given all the others of `seen`
    (d-separation is a compositional graphoid, so this set is unique). enough: a part of `seen` known to contain it,
    which makes the walk short.
    """
    return walk(graph, name, seen, enough).touched() & seen


def sufficient_parents(graph: nx.DiGraph, order: Sequence[str]) -> dict[str, set[str]]:
    """For hidden variables in recognition order, sets that contain each one's `boundary`; what grows dense is left out.

    Elimination on the moral graph, last variable first: what is adjacent when a variable goes makes it independent of
    the rest. It is linear on chains, where a walk per variable is quadratic.
    """
    if max((degree for _, degree in graph.in_degree), default=0) > DENSE:
        return {}
    near = {name: set(others) for name, others in nx.moral_graph(graph).adjacency()}
    free, result = set(order), dict[str, set[str]]()
    for name in reversed(order):
        neighbours = near.pop(name)
        free.discard(name)
        hidden = neighbours & free
        if len(hidden) * len(neighbours) > DENSE**2:
            return result
        result[name] = neighbours
        for other in neighbours:
            near[other].discard(name)
            near[other] |= (neighbours if other in hidden else hidden) - {other}
    return result


def collapse(graph: nx.DiGraph, deterministic: Collection[str]) -> nx.DiGraph:
    """The acyclic `graph` with deterministic variables replaced by what they depend on."""
    sources: dict[str, set[str]] = {}
    result: nx.DiGraph = nx.DiGraph()
    for name in nx.topological_sort(graph):
        parents: set[str] = set().union(*(sources.get(p, {p}) for p in graph.predecessors(name)))
        if name in deterministic:
            sources[name] = parents
        else:
            result.add_node(name)
            result.add_edges_from((parent, name) for parent in parents)
    return result
