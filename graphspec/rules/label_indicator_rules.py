"""Inputs that give a label away together: columns of which each tells one class from all others (one-hot codes, dummy
variables). One such column may be a fact about the class; as many as there are classes, less one, are the label."""

from collections.abc import Iterable, Iterator, Sequence
from math import prod

from graphspec.graphs.graph import Variable
from graphspec.headers.columns import Column
from graphspec.language import Spec
from graphspec.reading.suggestions import listed
from graphspec.rules.declared import allowed
from graphspec.rules.label_copy_rules import LEAST_ROWS, MOST_BLANKS
from graphspec.rules.row_values import RowValues
from graphspec.text.report import Report

MOST_CANDIDATES = 500
"""Columns of two values that are compared, of one input."""
MOST_ELEMENTS = 64
"""A larger array in a row is no set of indicators."""


def indicated(label: Iterable[float], other: Iterable[float]) -> float | None:
    """The class that one of the two values of a column stands for, and the other value for all other classes; None
    where the column says anything else. NaN is a blank. Reads no further than to the row that speaks against it."""
    classes: dict[float, set[float]] = {}
    for value, found in zip(label, other, strict=True):
        if value != value or found != found:
            continue
        classes.setdefault(found, set()).add(value)
        if len(classes) > 2 or (len(classes) == 2 and all(len(each) > 1 for each in classes.values())):
            return None
    if len(classes) != 2:
        return None
    one, rest = sorted(classes.values(), key=len)
    return None if len(one) > 1 or one & rest else next(iter(one))


def check_indicators(spec: Spec, variables: dict[str, Variable], values: RowValues, report: Report) -> None:
    """GS124 for inputs that hold an indicator of every class of a label but one, of columns that can be looked at."""
    inputs = [v for v in variables.values() if v.role == "observed" and v.name in values.data.variables]
    for label in variables.values():
        entry = values.data.variables.get(label.name)
        if label.role != "supervised" or label.domain != "category" or label.shape or entry is None or entry.soft:
            continue
        columns = values.columns_of(entry)
        if len(columns) == 1 and not allowed(spec, label.name, "GS124"):
            for other in inputs:
                _check_input(label, columns[0], other, values, report)


def _check_input(label: Variable, own: Column, other: Variable, values: RowValues, report: Report) -> None:
    candidates = list(_candidates(own, values.columns_of(values.data.variables[other.name])))
    if not 0 < len(candidates) <= MOST_CANDIDATES:
        return
    wanted = [(label, own.name), *((other, column.name) for column in candidates)]
    read = values.read(wanted)
    (truth,) = read.get(own.name, [()])
    rows = [value for value in truth if value == value]
    told = dict(_indicators(truth, [column for column in candidates if column.name in read], read))
    if len(rows) < LEAST_ROWS or len(set(rows)) < 3 or len(set(told.values())) < len(set(rows)) - 1:
        return
    message = f"{_called(told)} tell '{label.name}' outright: each marks one class, in all {len(rows)} rows"
    report.error(
        "GS124",
        ("data", "variables", label.name),
        message,
        hint=f"take them out of '{other.name}', unless they are known wherever '{label.name}' is asked for (then "
        "`allow: [GS124]`)",
        related=(report.related(("data", "variables", other.name), f"'{other.name}' reads them", key=True),),
        severity="warning",
    )


def _candidates(own: Column, columns: Sequence[Column]) -> Iterator[Column]:
    """Columns of two values, as far as their cells are known; small arrays, of which they are not."""
    for column in columns:
        two = 2 <= len(column.values) <= 2 + MOST_BLANKS or not column.values
        if column.name != own.name and two and not column.picture and prod(column.shape or ()) <= MOST_ELEMENTS:
            yield column


Element = tuple[str, int | None]
"""A column, and its place in the column where there are several."""


def _indicators(
    truth: Sequence[float], columns: Sequence[Column], read: dict[str, list[list[float]]]
) -> Iterator[tuple[Element, float]]:
    """Each element that marks a class, and the class."""
    for column in columns:
        elements = read[column.name]
        for place, element in enumerate(elements):
            marked = indicated(truth, element)
            if marked is not None:
                yield (column.name, place if len(elements) > 1 else None), marked


def _called(elements: Iterable[Element]) -> str:
    """`columns isA, isB and isC`, `elements 0, 1 and 2 of column x`."""
    places: dict[str, list[str]] = {}
    for column, place in elements:
        places.setdefault(column, []).extend([] if place is None else [str(place)])
    if not any(places.values()):
        return f"columns {listed(places, most=6)}"
    return listed(f"elements {listed(found, most=6)} of column {column}" for column, found in places.items())
