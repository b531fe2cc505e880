"""What matters for a target once something is known (d-separation), and which of it can be summed.

From: the nodes of a question and which elements rows tell. To: for a target its nodes, and those of them whose values
are written out on axes: all of them where no table exceeds `MOST_ENTRIES`, else as many as draws leave room for.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from compiler.families import ENTRIES
from graphspec.graphs.separation import walk, with_ancestors
from runtime.querying.nodes import Node, Scene
from runtime.querying.spread import elimination_order

MOST_ENTRIES = 65_536
"""Of a table that is summed exactly, and of a joint answer."""
MOST_DRAWN_ENTRIES = 2_000_000
"""Of all tables of one row, over its draws."""

EVIDENCE = " is known"
Elements = NDArray[np.bool_]


@dataclass(frozen=True)
class Told:
    """Which elements are known, the same in some rows. given: by node [*shape], set ones included; weighing: of those
    the facts, whose densities count. ranged: flat numbers of the elements of which a range is known."""

    given: Mapping[str, Elements]
    weighing: Mapping[str, Elements]
    ranged: Mapping[str, frozenset[int]]

    def whole(self, name: str) -> bool:
        """All elements have a value."""
        return name in self.given and bool(self.given[name].all())

    def hidden(self, node: Node) -> list[int]:
        """Flat numbers of the elements without one."""
        count = prod(node.variable.shape)
        if node.name not in self.given:
            return list(range(count))
        return np.flatnonzero(~self.given[node.name].reshape(count)).tolist()


@dataclass(frozen=True)
class Sums:
    """nodes: in order, what is evaluated. weighed: whose densities at facts count. inner: read by another.
    summed: whose hidden elements are axes. entries: of the largest table. drawn: something is."""

    nodes: tuple[str, ...]
    weighed: frozenset[str]
    inner: frozenset[str]
    summed: frozenset[str]
    entries: int
    drawn: bool


def relevant(scene: Scene, told: Told, targets: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Nodes to evaluate for some targets, and nodes whose facts weigh. targets: names of nodes."""
    graph, seen = _with_evidence(scene, told)
    visited: set[tuple[str, bool]] = set()
    starts = [name for name in targets if name not in seen]
    for start in starts:
        visited |= walk(graph, start, seen).visits.keys()
    weighed = {name for name, along in visited if name in seen and along}
    above: set[str] = set()
    with_ancestors(graph, [*starts, *weighed], above)
    hidden = {name for name, _ in visited if name not in seen} & above
    return _told_of(hidden | set(starts), weighed)


def all_evidence(scene: Scene, told: Told) -> tuple[frozenset[str], frozenset[str]]:
    """The same for the probability of all facts."""
    graph, seen = _with_evidence(scene, told)
    weighed = {name for name in seen if name.endswith(EVIDENCE) or name in told.weighing}
    above: set[str] = set()
    with_ancestors(graph, weighed, above)
    return _told_of(above - seen, weighed)


def _told_of(hidden: set[str], weighed: set[str]) -> tuple[frozenset[str], frozenset[str]]:
    facts = {name.removesuffix(EVIDENCE) for name in weighed}
    return frozenset(hidden | facts), frozenset(facts)


def _with_evidence(scene: Scene, told: Told) -> tuple[nx.DiGraph, set[str]]:
    """The nodes' graph and what is seen of it; what is known in part, or as a range, is seen below its node."""
    graph, seen = nx.DiGraph(scene.graph), set[str]()
    for name in scene.nodes:
        weighing = name in told.weighing and bool(told.weighing[name].any())
        if told.whole(name):
            seen.add(name)
            if not weighing:
                graph.remove_edges_from(list(graph.in_edges(name)))
        elif weighing or name in told.ranged:
            graph.add_edge(name, name + EVIDENCE)
            seen.add(name + EVIDENCE)
    return graph, seen


def sums_for(
    scene: Scene,
    told: Told,
    chosen: tuple[frozenset[str], frozenset[str]],
    asked: Mapping[str, Collection[int]],
    *,
    read: Collection[str] = (),
    draws: int,
    joint: bool = False,
    sample: bool = False,
) -> Sums:
    """How to evaluate some nodes. asked: elements of targets. read: nodes that computed targets read. joint: all that
    is asked stays in one table. sample: nothing is summed, so that each draw is one world."""
    names, weighed = chosen
    order = tuple(name for name in scene.nodes if name in names)
    inner = frozenset(
        parent for name in order if name in weighed or not told.whole(name) for parent in scene.nodes[name].parents
    ) | frozenset(read)
    every = frozenset(
        name for name in order
        if scene.nodes[name].variable.support is not None and not told.whole(name) and scene.nodes[name].factor
    )  # fmt: skip
    if sample:
        return Sums(order, weighed, inner, frozenset(), 1, True)
    summed = every
    exact = _size(scene, told, order, weighed, inner, summed, asked, joint)
    if not exact[1] and exact[0] <= MOST_ENTRIES:
        return Sums(order, weighed, inner, summed, exact[0], False)
    most = max(1, MOST_DRAWN_ENTRIES // draws)
    entries = exact[0]
    for name in sorted(every, key=lambda n: (n in inner, len(told.hidden(scene.nodes[n]))), reverse=True):
        if entries <= most:
            break
        summed -= {name}
        entries = _size(scene, told, order, weighed, inner, summed, asked, joint)[0]
    return Sums(order, weighed, inner, summed, entries, True)


def axis_of(node: str, element: int) -> str:
    """The axis of an element's values."""
    return f"{node}.{element}"


def _size(
    scene: Scene,
    told: Told,
    order: tuple[str, ...],
    weighed: frozenset[str],
    inner: frozenset[str],
    summed: frozenset[str],
    asked: Mapping[str, Collection[int]],
    joint: bool,
) -> tuple[int, bool]:
    """Entries of the largest table, and whether something has to be drawn."""
    axes: dict[str, frozenset[str]] = {}
    sizes: dict[str, int] = {}
    scopes: list[frozenset[str]] = []
    fixed: set[str] = set()
    keeps: list[frozenset[str]] = []
    drawn, largest = False, 1
    for name in order:
        node = scene.nodes[name]
        above = frozenset().union(*(axes.get(parent, frozenset()) for parent in node.parents))
        largest = max(largest, prod(sizes[axis] for axis in above))
        if name in weighed:
            scopes.append(above)
        if told.whole(name):
            fixed.add(name)
            continue
        alone = {*asked.get(name, ()), *told.ranged.get(name, ())}
        own = frozenset(axis_of(name, e) for e in told.hidden(node) if name in inner or e in alone)
        if name in summed:
            sizes |= dict.fromkeys(own, node.variable.support or 1)
            scopes += [above | {axis} for axis in own]
            axes[name] = own if name in inner else frozenset()
            if name in asked:
                keeps += [frozenset([axis_of(name, e)]) for e in asked[name] if axis_of(name, e) in own]
            if name in inner and len(own) > 20:
                return MOST_ENTRIES + 1, drawn
            largest = max(largest, prod(sizes[axis] for axis in axes[name]))
            continue
        axes[name] = above
        readable = node.factor is None or (name not in inner and name not in weighed and not node.before)
        followed = bool(node.before) and node.factor is not None and _carried(node)
        drawn = drawn or not (readable or followed) or name in told.ranged
        if name in asked:
            keeps.append(above)
    together = [frozenset().union(*keeps)] if joint else keeps or [frozenset()]
    for keep in together:
        largest = max(largest, elimination_order(scopes, sizes, sorted(keep))[1])
    return largest, drawn


def _carried(node: Node) -> bool:
    """Its noise can be read off its value."""
    assert node.factor is not None and node.factor.family is not None
    entry = ENTRIES.get(node.factor.family.name)
    return entry is not None and entry.carried is not None
