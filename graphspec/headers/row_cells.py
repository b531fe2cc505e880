"""Cells of some columns row by row, of files that are small enough to be read while a spec is checked.

What stands beside what in a row: whether one column copies another, which rows have any of several labels. Counts of a
single column stand in its `Column`.
"""

from collections.abc import Mapping, Sequence
from math import prod

from graphspec.headers.columns import Column
from graphspec.headers.csv_files import Dialect, csv_rows
from graphspec.headers.npz import npz_cells, npz_members
from graphspec.headers.parquet import parquet_cells
from graphspec.headers.sources import FileSource

MOST_CELLS = 2**19
"""Of an array in an .npz file: larger ones are left to `train`, which reads them anyway."""

Cells = Sequence[str | int | float]


def row_cells(
    source: FileSource, columns: Mapping[str, Column], names: Sequence[str], dialect: Dialect
) -> dict[str, list[Cells]]:
    """Of each column that can be looked at, its elements (one of a table), each with a cell for every row of the
    training split; text of tables, numbers or text of arrays. Raises SourceError for what cannot be read."""
    if source.format == "csv":
        wanted = [name for name in dict.fromkeys(names) if columns[name].complete]
        return _of_table(source, wanted, dialect) if wanted else {}
    if source.format == "parquet":
        wanted = [name for name in dict.fromkeys(names) if columns[name].kind != "other"]
        cells = parquet_cells(source.path, wanted) if wanted else {}
        return {name: [column] for name, column in (cells or {}).items()}
    if source.format != "npz":
        return {}
    members = npz_members(source.path)["train"]
    return {name: list(npz_cells(members[name])) for name in dict.fromkeys(names) if _is_small(columns[name])}


def _is_small(column: Column) -> bool:
    return column.kind != "other" and column.rows is not None and column.rows * prod(column.shape or ()) <= MOST_CELLS


def _of_table(source: FileSource, names: Sequence[str], dialect: Dialect) -> dict[str, list[Cells]]:
    rows = csv_rows(source.path, dialect)
    header = next(rows)
    places = [header.index(name) for name in names]
    cells: list[list[str]] = [[] for _ in names]
    for row in rows:
        for column, place in zip(cells, places, strict=True):
            column.append(row[place])
    return {name: [column] for name, column in zip(names, cells, strict=True)}
