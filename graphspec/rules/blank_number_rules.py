"""Numbers of a column that read like blanks. Code GS128."""

import math
from collections.abc import Iterable

from graphspec.graphs.graph import Variable
from graphspec.headers.blank_numbers import number_for_blank
from graphspec.headers.columns import Column
from graphspec.headers.numbers import NumberFormat
from graphspec.language import ColumnSpec
from graphspec.reading.suggestions import amount, counted
from graphspec.rules.label_value_rules import rows_by_value
from graphspec.text.report import Report
from graphspec.text.tree import Path as Place

Doubt = tuple[str, float, int]
"""A column, the number, and in how many cells it stands."""


def check_blank_numbers(
    variable: Variable,
    entry: ColumnSpec,
    columns: Iterable[tuple[Place, Column]],
    numbers: NumberFormat,
    report: Report,
) -> None:
    """GS128: a number apart from all others is a value, and may be meant as a blank. One warning a variable."""
    if variable.domain not in ("real", "positive") or entry.soft:
        return
    told = [(place, doubt) for place, column in columns if (doubt := _doubt(variable, entry, column, numbers))]
    if not told:
        return
    place, (name, number, cells) = told[0]
    others = f"; {counted(len(told) - 1, 'column')} more likewise" if len(told) > 1 else ""
    message = f"column {name} holds {number:g} in {amount(cells, ',')} cells, apart from all other numbers{others}"
    listed = f"missing: [{number:g}]"
    hint = f"if it means blank, add `{listed}`; if it is a value, `allow: [GS128]` on '{variable.name}'"
    report.warning("GS128", place, message, hint=hint)


def _doubt(variable: Variable, entry: ColumnSpec, column: Column, numbers: NumberFormat) -> Doubt | None:
    if not column.counts or column.picture:
        return None
    rows = rows_by_value(variable, entry, column, numbers)
    counts = {value: count for value, count in rows.items() if math.isfinite(value)}
    number = number_for_blank(counts)
    return None if number is None else (column.name, number, counts[number])
