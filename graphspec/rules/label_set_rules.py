"""Labels of a plate's elements as a set (`order: unknown`): where they cannot be one. Codes GS028, GS096."""

from collections.abc import Iterator, Sequence
from math import factorial

import networkx as nx

from graphspec.graphs.coupling import is_certain
from graphspec.graphs.graph import Graphs
from graphspec.language.plate_data import UNKNOWN_ORDER
from graphspec.rules.refusals import refuse
from graphspec.text.report import Report

MOST = 5
"""Elements of a plate: each evaluation compares all 120 assignments."""
SORT = "sort the data, so that label i is that of element i, and leave `order: unknown` out"
Reason = tuple[str, str]
"""Because what, and what to do instead."""


def check_label_sets(graphs: Graphs, report: Report) -> None:
    """GS096: every label can be scored at every element by itself. GS028: there are labels."""
    data = graphs.spec.data
    for name, entry in {} if data is None else data.plates.items():
        if entry.order != UNKNOWN_ORDER:
            continue
        path = ("data", "plates", name, "order")
        labels = [label for label in graphs.supervised if graphs.variables[label].path[-1:] == (name,)]
        if not labels:
            message = f"`order: unknown` is of labels, and no supervised variable stands in {name}"
            report.error("GS028", path, message, hint="leave it out, or name the column that elements are sorted by")
        for because, instead in _reasons(graphs, name, labels):
            refuse(report, path, f"labels of {name} as a set", because, instead)


def _reasons(graphs: Graphs, name: str, labels: Sequence[str]) -> Iterator[Reason]:
    plate = graphs.plates[name]
    if plate.ordered:
        yield f"{name} is `ordered`: which element comes first is part of the model", "leave `ordered` out, or " + SORT
    if plate.size > MOST:
        several = factorial(plate.size)
        told = f"{several:,}" if plate.size <= 12 else f"{plate.size}!"
        yield f"its {plate.size} elements have {told} assignments", f"at most {MOST} elements, or {SORT}"
    inner = next((v for v in graphs.supervised if name in graphs.variables[v].path[:-1]), None)
    if len(plate.path) > 1 or inner is not None:
        other = plate.path[0] if inner is None else graphs.variables[inner].path[-1]
        yield f"{name} and {other} stand in each other, and one assignment is of all that a row has", SORT
    for label in labels:
        if label in graphs.exact:
            yield f"{label} is summed out of p, where its elements depend on each other", f"a factor q of {label}"
        elif is_certain(graphs.recognition.get(label)):
            yield f"{label} is computed with certainty: q of it has no values to choose between", SORT
        else:
            yield from _fed(graphs, label, labels)


def _fed(graphs: Graphs, label: str, labels: Sequence[str]) -> Iterator[Reason]:
    """Where q of a label depends on a label of the same plate, which changes with the assignment."""
    graph = graphs.graph("recognition")
    above = nx.ancestors(graph, label) if label in graph else set()
    feeding = [other for other in labels if other in above]
    if feeding:
        read = f"q of {label} depends on {feeding[0]}, which goes to another element with each assignment"
        yield read, f"let {label} read what recognition knows without the labels of these elements, or {SORT}"
