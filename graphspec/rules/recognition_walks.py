"""GS105 along walks: what the posterior of one element needs to know of others, where elements depend on neighbours.

The template graph has circles there, so both graphs are written out for a few elements and compared as flat ones are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from graphspec.graphs.graph import Graphs
from graphspec.graphs.separation import Walk, collapse, walk
from graphspec.graphs.written_out import Place, few_of_each, written_out
from graphspec.reading.suggestions import listed
from graphspec.rules.graph_rules import silenced
from graphspec.text.report import Report


@dataclass
class _Gap:
    """Elements of another variable that some element does not know. nearest: how far away, whose walk came to it, and
    which it is; furthest: in steps."""

    nearest: tuple[int, str, str, Walk]
    furthest: int


Gaps = dict[tuple[str, int], _Gap]
"""By the other variable, and whether its elements are earlier (-1), later (1) or at the same place (0)."""


def check_faithful_walks(graphs: Graphs, report: Report) -> None:
    """Dependences of an element's posterior on other elements that recognition cannot represent (GS105), each variable
    once. Specs with exact variables are not judged."""
    if graphs.exact:
        return
    sizes = few_of_each(graphs)
    deterministic = {name for name, variable in graphs.variables.items() if variable.role == "deterministic"}
    generative, recognition = written_out(graphs, "generative", sizes), written_out(graphs, "recognition", sizes)
    places = {**dict(generative.nodes(data=True)), **dict(recognition.nodes(data=True))}
    functions = {name for name in places if places[name]["variable"] in deterministic}
    model = collapse(generative, functions & set(generative))
    read = collapse(recognition, functions & set(recognition))
    seen = {n for n in model if places[n]["variable"] in graphs.observed}
    gaps: dict[str, Gaps] = {}
    for name in _in_order(graphs, recognition):
        variable = places[name]["variable"]
        if variable in deterministic or variable not in graphs.recognition:
            continue
        if name in model and not silenced(graphs.spec, "GS105", variable):
            ball, parents = walk(model, name, seen), set(read.predecessors(name))
            for other in (ball.touched() & seen) - parents:
                _note(gaps.setdefault(variable, {}), places, ball, other)
        seen.add(name)
    for variable, found in gaps.items():
        _report(variable, found, list(graphs.variables), model, report)


def _in_order(graphs: Graphs, recognition: nx.DiGraph) -> list[str]:
    """Elements in the order in which recognition runs: as written, those of a walk one after the other."""
    order = {factor.variable: place for place, factor in enumerate(graphs.order("recognition"))}
    steps = {name: step for step, name in enumerate(recognition)}

    def key(name: str) -> tuple[int, int]:
        return order.get(recognition.nodes[name]["variable"], -1), steps[name]

    return list(nx.lexicographical_topological_sort(recognition, key=key))


def _note(gaps: Gaps, places: Mapping[str, Mapping[str, Any]], ball: Walk, other: str) -> None:
    """One more element that another does not know."""
    own: Place = places[ball.start]["place"]
    variable, there = places[other]["variable"], places[other]["place"]
    steps = [there[plate] - own[plate] for plate in there if plate in own]
    ahead = next((step for step in steps if step), 0)
    distance = sum(map(abs, steps))
    nearest = (distance, ball.start, other, ball)
    gap = gaps.setdefault((variable, (ahead > 0) - (ahead < 0)), _Gap(nearest, distance))
    gap.nearest, gap.furthest = min(gap.nearest, nearest, key=lambda each: each[:3]), max(gap.furthest, distance)


_WORDS = {-1: "earlier", 1: "later"}
_VIEWS = {-1: "@previous", 0: "", 1: "@next"}


def _report(variable: str, gaps: Gaps, order: Sequence[str], model: nx.DiGraph, report: Report) -> None:
    ordered = sorted(gaps.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    texts = [
        f"{other} of {_WORDS[side]} elements" if side and gap.furthest > 1 else f"{other}{_VIEWS[side]}"
        for (other, side), gap in ordered
    ]
    paths = [gap.nearest[3].path(model, gap.nearest[2]) for _, gap in ordered]
    by = "it by an open path" if len(paths) == 1 else "them by open paths"
    report.warning(
        "GS105",
        ("recognition", variable),
        f"recognition of {variable} does not read {listed(texts)}, and in the posterior {variable} depends on {by}: "
        f"{'; '.join(paths)}",
        key=True,
        hint="let it read them, what is further away by a walk (a gru over observed values, forward or backward), or "
        f"`allow: [GS105]` of {variable} if the gap is meant",
    )
