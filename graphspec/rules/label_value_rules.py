"""Whether the labels of a column differ: with one value there is nothing to tell apart, a class without rows is never
learned."""

from collections.abc import Iterable, Mapping

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import CellReader, read_as
from graphspec.headers.columns import Column
from graphspec.headers.numbers import NumberFormat
from graphspec.language import ColumnSpec
from graphspec.reading.suggestions import few
from graphspec.rules.class_folder_rules import with_folder_names
from graphspec.text.report import Report
from graphspec.text.tree import Path as Place


def check_labels_differ(
    variable: Variable,
    entry: ColumnSpec,
    columns: Iterable[tuple[Place, Column]],
    numbers: NumberFormat,
    report: Report,
) -> None:
    """GS121 where all labels of a column have one value, or a class no row; of columns whose cells are all known."""
    if variable.role != "supervised" or variable.domain not in ("category", "binary") or entry.soft:
        return
    for place, column in columns:
        problem = _problem(variable, entry, column, numbers) if column.complete and column.values else ""
        if problem:
            hint = "look at how the column is coded, and at what counts as a blank"
            report.warning("GS121", place, f"column {column.name}: {problem}", hint=hint)


def _problem(variable: Variable, entry: ColumnSpec, column: Column, numbers: NumberFormat) -> str:
    missing = entry.missing_in(column.name)
    variable = with_folder_names(variable, column.values, missing) if column.classes is not None else variable
    reader = CellReader(read_as(variable, entry), missing, column.values, numbers)
    rows: dict[int, int] = {}
    for value, count in zip(reader.values, column.counts, strict=True):
        if value is not None and value == value:
            rows[int(value)] = rows.get(int(value), 0) + count
    return label_problem(variable, rows, sum(column.counts) - sum(rows.values()))


def label_problem(variable: Variable, rows: Mapping[int, int], blanks: int) -> str:
    """What is wrong with labels of which `rows[value]` rows have each value: one value, or classes without a row."""
    told = f" ({blanks} blank)" if blanks else ""
    if len(rows) == 1:
        ((value, count),) = rows.items()
        if count == 1:
            return ""
        shown = show_value(variable, value)
        return f"all {count} labels of '{variable.name}' are {shown}{told}: there is nothing to tell apart"
    if variable.domain != "category" or variable.shape or variable.support is None or not rows:
        return ""
    absent = [show_value(variable, value) for value in range(variable.support) if value not in rows]
    if not absent:
        return ""
    which = f"class {absent[0]}" if len(absent) == 1 else f"classes {few(absent, 6)}"
    return f"no row has {which} of '{variable.name}'{told}: {'it is' if len(absent) == 1 else 'they are'} never learned"


def show_value(variable: Variable, value: int) -> str:
    """A class by its name."""
    return variable.names[value] if variable.names else str(value)
