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

CODING_HINT = "look at how the column is coded, and at what counts as a blank (-1 is one, unless `names` declares it)"


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
            report.warning("GS121", place, f"column {column.name}: {problem}", hint=CODING_HINT)


def _problem(variable: Variable, entry: ColumnSpec, column: Column, numbers: NumberFormat) -> str:
    variable = as_source_calls_it(variable, entry, column)
    found = rows_by_value(variable, entry, column, numbers)
    each = variable.domain == "category" and not variable.shape
    rows = dict.fromkeys(variable.value_names, 0) if each else {}
    rows |= {variable.value_names[int(value)]: count for value, count in found.items()}
    return label_problem(variable.name, rows, sum(column.counts) - sum(found.values()))


def as_source_calls_it(variable: Variable, entry: ColumnSpec, column: Column) -> Variable:
    """The variable with its class folders for names, where the spec gives none."""
    if column.classes is None:
        return variable
    return with_folder_names(variable, column.values, entry.missing_in(column.name))


def rows_by_value(variable: Variable, entry: ColumnSpec, column: Column, numbers: NumberFormat) -> dict[float, int]:
    """How many rows of a column whose cells are all known have each value (a class by its index); blanks left out."""
    values = CellReader(read_as(variable, entry), entry.missing_in(column.name), column.values, numbers).values
    rows: dict[float, int] = {}
    for value, count in zip(values, column.counts, strict=True):
        if value is not None and value == value:
            rows[value] = rows.get(value, 0) + count
    return rows


def label_problem(name: str, rows: Mapping[str, int], blanks: int, row: str = "row") -> str:
    """What is wrong with labels of which `rows[class]` rows have each class: one class, or classes without a row.

    row: which rows these are, `training row`. Asked by `check` of all rows, by `train` of those that train.
    """
    told = f" ({blanks} blank)" if blanks else ""
    there = [label for label, count in rows.items() if count]
    absent = [label for label, count in rows.items() if not count]
    if len(there) == 1 and rows[there[0]] > 1:
        return (
            f"the {rows[there[0]]} {row}s that have '{name}' are all {there[0]}{told}: there is nothing to tell apart, "
            "and an error of 0 says nothing"
        )
    if not absent or len(there) < 2:
        return ""
    which = f"class {absent[0]}" if len(absent) == 1 else f"classes {few(absent, 6)}"
    return f"no {row} has {which} of '{name}'{told}: {'it is' if len(absent) == 1 else 'they are'} never learned"
