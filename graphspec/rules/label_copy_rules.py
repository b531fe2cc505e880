"""An input that copies a label: the same cells, or other words for the same classes, under another name.

GS097 where the cells are equal, the warning GS124 where each value of the input stands for one class and the other way
round. `check` asks of columns it can look at, `train` of all others.
"""

from collections import Counter
from collections.abc import Iterable
from math import isclose
from typing import Literal

from graphspec.diagnostics import Severity
from graphspec.graphs.graph import Variable
from graphspec.headers.columns import Column
from graphspec.language import Spec
from graphspec.rules.declared import allowed
from graphspec.rules.row_values import RowValues
from graphspec.text.report import Report

LEAST_ROWS = 30
"""Agreement in fewer rows than this may be luck; repeats of classes count, for two columns of names agree anyway."""
LEAST_OTHERS = 10
"""Of these rows, so many have another value than the commonest: two columns of hardly anything but 0 agree anyway."""
SAME = 1e-6
"""Numbers as close as this are one number, in whatever precision it was kept."""
MOST_BLANKS = 5
"""Ways to write a blank that one column has."""
COPY_HINT = "take it out of '{input}'"
RENAMED_HINT = "take it out of '{input}', unless it is known wherever '{label}' is asked for (then `allow: [GS124]`)"
Agreement = Literal["equal", "renamed"]
CODES_OF: dict[Agreement, tuple[str, str, Severity]] = {
    "equal": ("GS097", COPY_HINT, "error"),
    "renamed": ("GS124", RENAMED_HINT, "warning"),
}


def agreement(label: Iterable[float], other: Iterable[float], *, classes: bool) -> tuple[Agreement, int] | None:
    """How two columns agree in every row that has both, and in how many; None where they do not, or in too few rows.

    Reads no further than to the first row that speaks against it. NaN is a blank. classes: the label's values are
    classes, so that another coding of them is a copy too.
    """
    found = _agreement(label, other, classes)
    if found is None:
        return None
    kind, rows = found
    confirming = rows.total() - (0 if kind == "equal" else len(rows))
    if confirming < LEAST_ROWS or rows.total() - max(rows.values()) < LEAST_OTHERS:
        return None
    return kind, rows.total()


def may_agree(label: Iterable[float], other: Iterable[float], *, classes: bool) -> bool:
    """No row of these, however few, tells the two apart."""
    return _agreement(label, other, classes) is not None


def _agreement(
    label: Iterable[float], other: Iterable[float], classes: bool
) -> tuple[Agreement, Counter[float]] | None:
    """How they agree, and the label's values where both are given."""
    equal, rows = True, Counter[float]()
    there, back = dict[float, float](), dict[float, float]()
    for value, found in zip(label, other, strict=True):
        if value != value or found != found:
            continue
        equal = equal and isclose(value, found, rel_tol=SAME)
        one_to_one = there.setdefault(value, found) == found and back.setdefault(found, value) == value
        if not (equal or (classes and one_to_one)):
            return None
        rows[value] += 1
    return ("equal" if equal else "renamed"), rows


def copy_message(kind: Agreement, column: str, label: str, rows: int, unit: str = "rows") -> str:
    """What an input that copies a label is told. unit: what is counted."""
    if kind == "equal":
        return f"{column} holds the labels of '{label}': equal in all {rows} {unit} that have both"
    return f"{column} tells '{label}' outright: in all {rows} {unit} that have both, each of its values is one class"


def check_label_copies(spec: Spec, variables: dict[str, Variable], values: RowValues, report: Report) -> None:
    """GS097 and GS124 for columns that can be looked at row by row."""
    labels = [v for v in variables.values() if v.role == "supervised" and _single(values, v)]
    inputs = [v for v in variables.values() if v.role == "observed" and v.name in values.data.variables]
    pairs = [
        (label, columns[0], other, column)
        for label in labels
        for columns in [values.columns_of(values.data.variables[label.name])]
        for other in inputs
        for column in values.columns_of(values.data.variables[other.name])
        if column.name != columns[0].name and _possible(label, columns[0], other, column, values)
    ]
    wanted = {(variable.name, column.name): (variable, column.name) for label, own, other, column in pairs
              for variable, column in ((label, own), (other, column))}  # fmt: skip
    read = values.read(list(wanted.values()))
    for label, own, other, column in pairs:
        for place, element in enumerate(read.get(column.name, ())):
            found = agreement(read.get(own.name, [()])[0], element, classes=label.discrete)
            if found is not None:
                part = f"element {place} of " if len(read[column.name]) > 1 else ""
                _tell(spec, label, other, f"{part}column {column.name}", found, report)


def _tell(
    spec: Spec, label: Variable, other: Variable, column: str, found: tuple[Agreement, int], report: Report
) -> None:
    kind, rows = found
    if kind == "renamed" and allowed(spec, label.name, "GS124"):
        return
    code, hint, severity = CODES_OF[kind]
    report.error(
        code,
        ("data", "variables", label.name),
        copy_message(kind, column, label.name, rows),
        hint=hint.format(input=other.name, label=label.name),
        related=(report.related(("data", "variables", other.name), f"'{other.name}' reads it", key=True),),
        severity=severity,
    )


def _single(values: RowValues, label: Variable) -> bool:
    """One column with one cell a row."""
    entry = values.data.variables.get(label.name)
    return entry is not None and not entry.soft and label.shape in ((), (1,)) and len(values.columns_of(entry)) == 1


def _possible(label: Variable, own: Column, other: Variable, column: Column, values: RowValues) -> bool:
    """By the cells that each column has anywhere, which are known of tables of text, one may copy the other. Quick: a
    wide table has thousands of columns."""
    if not (own.values and column.values):
        return True
    blanks = MOST_BLANKS + len(values.data.variables[other.name].missing_in(column.name))
    if len(column.values) + MOST_BLANKS < len(own.values):
        return False
    if label.discrete:
        return len(column.values) <= max(label.support or 0, len(own.values)) + blanks
    first, found = (values.numbers.number(each.values[0]) for each in (own, column))
    return first is None or found is None or isclose(first, found, rel_tol=SAME)
