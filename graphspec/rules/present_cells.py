"""Cells of elements that are there, in padded columns of a plate with a count: the others are nobody's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import prod

from graphspec.graphs.graph import Variable
from graphspec.graphs.plate_counts import counts_along
from graphspec.graphs.reading_across import variable_path
from graphspec.headers import SourceError
from graphspec.headers.columns import Column, written_out
from graphspec.headers.numbers import PLAIN_NUMBERS
from graphspec.headers.row_cells import Cells, row_cells
from graphspec.headers.sources import FileSource, Source, SourceInfo, dialect_of
from graphspec.language import ColumnSpec, DataSection, Spec
from graphspec.rules.array_rules import are_bytes


def present_cells(
    spec: Spec, data: DataSection, source: Source, info: SourceInfo, variable: Variable
) -> dict[str, Column]:
    """The columns of a variable, as its cells are stored, with the cells of elements that are there; with none where
    that would mean loading the data, or counts stand in a plate themselves."""
    columns = info.columns or {}
    entry, path = data.variables[variable.name], variable_path(spec, variable.name)
    names = [name for name in written_out(entry.names, columns) if name in columns]
    unknown = {name: replace(columns[name], values=(), counts=(), complete=False) for name in names}
    if any(are_bytes(variable, entry, columns[name]) for name in names):
        return unknown
    (count, *others) = counts_along(spec, path)
    counted = data.variables.get(count)
    if others or len(path) > 1 or counted is None or counted.column is None or counted.column not in columns:
        return unknown
    if not isinstance(source, FileSource) or source.format == "shards" or info.has_test:
        return unknown
    try:
        cells = row_cells(source, columns, [*names, counted.column], dialect_of(data))
    except SourceError:  # whoever reads the column says what is wrong with it
        return unknown
    if counted.column not in cells or any(name not in cells for name in names):
        return unknown
    lengths = [_length(cell) for cell in cells[counted.column][0]]
    if any(len(column) != len(lengths) for name in names for column in cells[name]):
        return unknown  # GS088 says so
    step = max(1, prod(variable.of_element))
    found = {}
    for place, name in enumerate(names):
        each = [cells[name][0]] if entry.columns is not None else cells[name]
        first = place if entry.columns is not None else 0
        there = [_there(column, lengths, first + at // step) for at, column in enumerate(each)]
        seen = Counter(cell for column in there for cell in column)
        found[name] = replace(columns[name], values=tuple(seen), counts=tuple(seen.values()), complete=True)
    return found


def _length(cell: str | int | float) -> float:
    number = PLAIN_NUMBERS.number(str(cell).strip())
    return 0.0 if number is None or number != number else number


def _there(column: Cells, lengths: Sequence[float], place: int) -> list[str]:
    """Cells of one place of the plate in the rows that have it; NaN is nothing."""
    return ["" if cell != cell else str(cell) for cell, length in zip(column, lengths, strict=True) if place < length]


def stored_shape(spec: Spec, variable: Variable, entry: ColumnSpec, info: SourceInfo) -> tuple[int, ...]:
    """The shape of a row's cell: along plates with a count it may be shorter than the plate."""
    path = [] if not variable.row_axes else list(variable_path(spec, variable.name))
    stored = stored_axes(entry, info)
    if stored is None or len(stored) < len(path):
        return variable.shape
    axes = [
        min(size, found) if spec.plates[plate].count is not None else size
        for plate, size, found in zip(path, variable.shape, stored, strict=False)
    ]
    return (*axes, *variable.shape[len(axes) :])


def stored_axes(entry: ColumnSpec, info: SourceInfo) -> tuple[int, ...] | None:
    """The shape of a row's cell, several columns side by side; None where it is not known."""
    if entry.columns is not None:
        names = written_out(entry.columns, info.columns or {})
        return (len(dict.fromkeys(names)),)
    column = (info.columns or {}).get(entry.column or "")
    return None if column is None else column.shape
