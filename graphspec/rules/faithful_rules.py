"""GS105: what the posterior of a variable depends on and its factor of recognition does not read.

Both graphs are written out for a few elements of each plate, so that elements that meet in one observed variable, or
hang together along a sequence, are told from one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from graphspec.graphs.exact_sums import own_latents
from graphspec.graphs.graph import Graphs
from graphspec.graphs.separation import Walk, collapse, sufficient_parents, walk
from graphspec.graphs.written_out import few_of_each, looked_along, written_out
from graphspec.reading.suggestions import listed
from graphspec.rules.graph_rules import silenced
from graphspec.text.report import Report

MOST_VISITS = 1_000_000
"""Stops along open paths, over all walks, after which `check` leaves the remaining variables unjudged: seconds."""

MOST_PATHS = 12
"""Open paths written out in one message."""


@dataclass(frozen=True)
class _Gap:
    """An element that another does not know. other: its variable. side: -1 it comes before in their plates, 1 after, 0
    in the same place; None where the reader has no place among its elements. near: by one step of its innermost plate.
    order: of nearness."""

    other: str
    side: int | None
    near: bool
    order: tuple[int, str, str]
    path: str


def check_faithful(graphs: Graphs, report: Report) -> None:
    """Dependences of the posterior that recognition cannot represent (GS105), each variable once.

    With no label given, recognition asserts that each hidden variable is independent of everything before it that it
    does not read, given what it reads. d-separation in p tells which of these independences do not hold; each missing
    arrow named here is needed for the order in which recognition runs, and together they suffice. After `MOST_VISITS`
    along open paths a note says which variables were not judged. An exact variable has p's own posterior: nothing but
    what is drawn for each of its values knows it; where such sums are refused there is nothing to compare with.
    """
    if graphs.exact and report.failed:
        return
    sizes = few_of_each(graphs)
    recognition = written_out(graphs, "recognition", sizes)
    model, read, nodes = _random(graphs, written_out(graphs, "generative", sizes), recognition)
    own = set(own_latents(graphs))
    before, behind = _in_order(graphs, recognition, own)
    exact = [name for name in model if nodes[name]["variable"] in graphs.exact]
    known = {name for name in model if nodes[name]["variable"] in graphs.observed}
    enough = sufficient_parents(model, [name for name in (*before, *exact, *behind) if name in model])
    gaps: dict[str, list[_Gap]] = {}
    same, visits = _same_rows(graphs, nodes), 0
    for at, name in enumerate(judged := [*before, *behind]):
        variable, parents = nodes[name]["variable"], set(read.predecessors(name))
        parents = parents.union(*(same[parent] for parent in parents if parent in same))
        if at == len(before):
            known.update(exact)
        wanted = enough[name] - parents if name in enough else None
        excused = graphs.recognition[variable].derived or silenced(graphs.spec, "GS105", variable)
        if name in model and wanted != set() and not excused:
            if visits > MOST_VISITS:
                _report_rest(list(dict.fromkeys(nodes[each]["variable"] for each in judged[at:])), report)
                break
            ball = walk(model, name, known, wanted)
            visits += len(ball.visits)
            missing = (ball.touched() & known) - parents
            gaps.setdefault(variable, []).extend(_gap(graphs, model, nodes, ball, other) for other in missing)
        known.add(name)
    for variable, found in gaps.items():
        if found:
            _report(graphs, variable, found, report)


def _random(
    graphs: Graphs, generative: nx.DiGraph, recognition: nx.DiGraph
) -> tuple[nx.DiGraph, nx.DiGraph, dict[str, Mapping[str, Any]]]:
    """Both graphs without deterministic elements, and the variable and place of every element."""
    nodes = {**dict(generative.nodes(data=True)), **dict(recognition.nodes(data=True))}
    functions = {name for name in nodes if graphs.variables[nodes[name]["variable"]].role == "deterministic"}
    return collapse(generative, functions), collapse(recognition, functions), nodes


def _same_rows(graphs: Graphs, nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """By element: others that the same columns of the data feed, in the same place. A picture that is read in two ways
    is one picture, and who sees one of them knows the other."""
    by_cells: dict[Any, set[str]] = {}
    columns = {} if graphs.spec.data is None else graphs.spec.data.variables
    for name, node in nodes.items():
        if (entry := columns.get(node["variable"])) is not None:
            by_cells.setdefault((entry.names, entry.folder, tuple(sorted(node["place"].items()))), set()).add(name)
    return {name: together for together in by_cells.values() if len(together) > 1 for name in together}


def _in_order(graphs: Graphs, recognition: nx.DiGraph, own: Collection[str]) -> tuple[list[str], list[str]]:
    """Hidden elements in the order in which recognition runs: as written, those of a walk one after the other. Second:
    what is drawn for each value of an exact variable, and so behind all else."""
    order = {f.variable: place for place, f in enumerate(graphs.order("recognition"))}
    steps = {name: step for step, name in enumerate(recognition)}

    def key(name: str) -> tuple[bool, int, int]:
        variable = recognition.nodes[name]["variable"]
        return variable in own, order.get(variable, -1), steps[name]

    arranged = nx.lexicographical_topological_sort(recognition, key=key)
    variables = {name: recognition.nodes[name]["variable"] for name in arranged}
    drawn = {f.variable for f in graphs.recognition.values() if not f.deterministic}
    judged = [name for name, variable in variables.items() if variable in drawn]
    return [name for name in judged if variables[name] not in own], [n for n in judged if variables[n] in own]


def _gap(graphs: Graphs, model: nx.DiGraph, nodes: Mapping[str, Mapping[str, Any]], ball: Walk, other: str) -> _Gap:
    own, there, variable = nodes[ball.start]["place"], nodes[other]["place"], nodes[other]["variable"]
    steps = {plate: there[plate] - own[plate] for plate in there if plate in own}
    ahead = next((step for step in steps.values() if step), 0)
    distance = sum(map(abs, steps.values()))
    side = None if len(steps) < len(there) else (ahead > 0) - (ahead < 0)
    innermost = graphs.variables[variable].path[-1:]
    near = distance == 1 and any(steps.get(plate) for plate in innermost)
    return _Gap(variable, side, near, (distance, ball.start, other), ball.path(model, other))


_WORDS = {-1: "earlier", 1: "later"}
_VIEWS = {-1: "previous", 1: "next"}


def _report(graphs: Graphs, variable: str, gaps: Sequence[_Gap], report: Report) -> None:
    by_other: dict[str, dict[int | None, list[_Gap]]] = {}
    for gap in sorted(gaps, key=lambda gap: (gap.side or 0, gap.order)):
        by_other.setdefault(gap.other, {}).setdefault(gap.side, []).append(gap)
    others = [name for name in graphs.variables if name in by_other]
    told = [each for name in others for each in _told(graphs, name, by_other[name])]
    texts, paths = [text for text, _ in told], [path for _, path in told]
    shown = "; ".join(paths[:MOST_PATHS] + ["..."] * (len(paths) > MOST_PATHS))
    by = "it by an open path" if len(paths) == 1 else "them by open paths"
    said = f"recognition of {variable} does not read {listed(texts)}, and in the posterior {variable} depends on {by}"
    hint = _hint(graphs, variable, {name: by_other[name] for name in others})
    report.warning("GS105", ("recognition", variable), f"{said}: {shown}", key=True, hint=hint)


def _told(graphs: Graphs, name: str, sides: Mapping[int | None, Sequence[_Gap]]) -> Iterator[tuple[str, str]]:
    """What is not read of one variable, in words, each with a path: earlier and later elements are "other" ones unless
    they are neighbours, and neighbours are told only where some factor looks at them."""
    looked = not looked_along(graphs).isdisjoint(graphs.variables[name].path)
    for side, found in sides.items():
        others = -1 in sides and 1 in sides
        if side is None:
            yield f"{name} of elements of {graphs.variables[name].path[-1]}", found[0].path
        elif side == 0:
            yield name, found[0].path
        elif looked and all(gap.near for each in (-1, 1) for gap in sides.get(each, ())):
            yield f"{name}@{_VIEWS[side]}", found[0].path
        elif not others or side < 0:
            yield f"{name} of {'other' if others else _WORDS[side]} elements", found[0].path


def _hint(graphs: Graphs, variable: str, gaps: Mapping[str, Mapping[int | None, Sequence[_Gap]]]) -> str:
    if all(set(sides) == {0} for sides in gaps.values()):
        trunks = _trunks(graphs)
        reads = dict.fromkeys(trunks.get(name, name) for name in gaps)
        return f"add {listed(reads)} to the parents of {variable}, or `allow: [GS105]` if the gap is meant"
    ways = []
    if any(side for sides in gaps.values() for side in sides):
        ways.append("what is further away by a walk (a gru over observed values, forward or backward)")
    pooled = next((name for name, sides in gaps.items() if None in sides or {-1, 1} <= set(sides)), None)
    if pooled is not None:
        ways.append(f"all elements together by a view (`{pooled}@mean`)")
    return f"let it read them, {' or '.join(ways)}, or `allow: [GS105]` of {variable} if the gap is meant"


def _trunks(graphs: Graphs) -> dict[str, str]:
    """What to add to the parents for an observed variable: its features, where recognition has some."""
    trunks: dict[str, str] = {}
    for factor in graphs.recognition.values():
        if factor.deterministic and len(sources := graphs.stochastic_parents(factor)) == 1:
            (source,) = sources
            if graphs.variables[source].role == "observed":
                trunks.setdefault(source, factor.variable)
    return trunks


def _report_rest(rest: Sequence[str], report: Report) -> None:
    said = f"these graphs are too large to compare in full: recognition of {listed(rest)} was not compared with p"
    report.note("GS105", ("recognition", rest[0]), said, key=True)
