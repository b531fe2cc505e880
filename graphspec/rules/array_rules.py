"""Whether the arrays of an .npz file (or the columns of a .parquet file) hold values of a variable: their cells by the
rules for cells of text, and what only arrays have, bytes and rows of one length."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from graphspec.graphs.graph import Variable
from graphspec.headers import npz_members
from graphspec.headers.columns import Column
from graphspec.headers.npz_cells import ArrayCells, look_at
from graphspec.headers.parquet import parquet_cells
from graphspec.headers.sources import FileSource, Source
from graphspec.language import ColumnSpec
from graphspec.rules.cell_rules import Problem

UNIT_LENGTH = 1e-2
"""Largest departure from length or sum 1 that rounding is taken for; such rows are normalised when they are read."""
MEASURES = {"direction": "length", "simplex": "sum"}


def with_label_cells(column: Column, entry: ColumnSpec, source: FileSource) -> Column:
    """A column of single cells of an .npz file with those of the training split; others as they are.

    Raises SourceError for an array that cannot be read.
    """
    if source.format == "parquet":
        return _of_parquet([column], source)[0]
    if source.format != "npz" or column.shape not in ((), (1,)):
        return column
    cells = look_at([npz_members(source.path)["train"][column.name]], entry.missing_in(column.name))
    return _with(column, cells)


def with_array_cells(
    columns: Sequence[Column], variable: Variable, entry: ColumnSpec, source: Source
) -> tuple[list[Column], Problem | None]:
    """The columns with the cells that were seen of their arrays, and what is wrong with one that no cell tells.

    Columns that `with_label_cells` has looked at are read in the other splits only; columns of other sources are given
    back as they are. Raises SourceError for an array that cannot be read.
    """
    if isinstance(source, FileSource) and source.format == "parquet":
        return _of_parquet(columns, source), None
    if not isinstance(source, FileSource) or source.format != "npz":
        return list(columns), None
    splits = npz_members(source.path)
    found: list[Column] = []
    for column in columns:
        seen = bool(column.values)
        arrays = [members[column.name] for split, members in splits.items() if not (seen and split == "train")]
        measure = MEASURES.get(variable.domain or "", "") if column.shape == variable.shape else ""
        cells = look_at(arrays, entry.missing_in(column.name), measure)
        if are_bytes(variable, entry, column):
            problem = _problem_with_bytes(column, cells)
            found.append(column)
        else:
            problem = _problem_with_rows(variable, column, cells, measure)
            found.append(_with(column, cells))
        if problem is not None:
            return list(columns), problem
    return found, None


def _of_parquet(columns: Sequence[Column], source: FileSource) -> list[Column]:
    """The columns with all their cells, where these are few; those that are known already as they are."""
    wanted = [column.name for column in columns if not column.values and column.kind != "other"]
    cells = parquet_cells(source.path, wanted) if wanted else None
    found = []
    for column in columns:
        seen = Counter((cells or {}).get(column.name, ()))
        values, counts = tuple(seen), tuple(seen.values())
        found.append(replace(column, values=values, counts=counts, complete=True) if seen else column)
    return found


def _with(column: Column, cells: ArrayCells) -> Column:
    """The column with these cells beside those that it has."""
    counts = Counter(dict(zip(column.values, column.counts, strict=True)))
    counts.update(cells.counts)
    complete = cells.complete and (column.complete or not column.values)
    return replace(column, values=tuple(counts), counts=tuple(counts.values()), complete=complete)


def are_bytes(variable: Variable, entry: ColumnSpec, column: Column) -> bool:
    """The cells are bytes that stand for [0, 1]: images, and vectors where the variable asks for values in [0, 1]."""
    if not column.byte or not column.shape or (variable.discrete and entry.binarize is None):
        return False
    return len(column.shape) > 1 or variable.domain in ("unit", "binary")


def _problem_with_bytes(column: Column, cells: ArrayCells) -> Problem | None:
    largest = max((int(cell) for cell in cells.counts if cell), default=None)
    if largest is None or not cells.complete or largest > 1:
        return None
    return f"column {column.name} is stored as bytes, and no byte is larger than {largest}", (
        "bytes are divided by 255: if the values are 0 and 1 already, store them as bool or float"
    )


def _problem_with_rows(variable: Variable, column: Column, cells: ArrayCells, measure: str) -> Problem | None:
    if abs(cells.off - 1) <= UNIT_LENGTH:
        return None
    hint = "a direction has length 1" if measure == "length" else "the elements of a simplex add up to 1"
    return f"column {column.name} has a row of {measure} {cells.off:g}, 1 is expected for '{variable.name}'", hint
