"""Columns of a .parquet file as arrays: numbers as they are stored, text as text, nulls as blanks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphspec.headers.parquet import opened_parquet, parquet_table, plain_column
from graphspec.rules.cell_rules import OBJECTS_HINT
from runtime.data.read.table import Array, Table, make_table, require_columns
from runtime.errors import DataError


def read_parquet(path: Path, columns: Sequence[str]) -> Table:
    """Columns of a file, of which no others are read. Raises DataError, and SourceError for what cannot be read."""
    found = parquet_table(path).columns
    require_columns(path.name, found, columns)
    for name in columns:
        if found[name].repeated:
            raise DataError(f"{path.name} has more than one column called {name!r}", "rename one of them")
        if found[name].kind == "other":
            raise DataError(f"column {name!r} of {path.name} holds no single numbers or texts", OBJECTS_HINT)
    with opened_parquet(path) as file:
        read = file.read(columns=list(columns))
        return make_table(path.name, {name: array_of(read.column(name)) for name in columns})


def array_of(column: Any) -> Array:
    """One column. Whole numbers with nulls become floats, whose blanks are NaN."""
    from pyarrow import types

    column = plain_column(column)
    if types.is_boolean(column.type):
        column = column.cast("int8")
    if types.is_integer(column.type) or types.is_floating(column.type):
        if column.null_count and types.is_integer(column.type):
            column = column.cast("float64", safe=False)
        values: Array = column.to_numpy(zero_copy_only=False) if not column.null_count else _with_nan(column)
        return values
    return np.array(["" if cell is None else cell.strip() for cell in column.to_pylist()], dtype=np.str_)


def _with_nan(column: Any) -> Array:
    values: Array = column.fill_null(float("nan")).to_numpy(zero_copy_only=False)
    return values
