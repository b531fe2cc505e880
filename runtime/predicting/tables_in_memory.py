"""Tables that a program holds: data frames, mappings of names to arrays, structured arrays; as columns of arrays."""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.data.read.parquet_columns import array_of
from runtime.errors import DataError
from runtime.predicting.input_parts import InputPart, InputTable
from runtime.predicting.input_tables import in_memory

Columns = dict[str, NDArray[Any]]


def open_table(table: Any) -> InputTable:
    """A table as an input. Its columns of one value a row are the output's too. Raises DataError for what is none."""
    columns = arrays_of(table)
    found = in_memory("the table", columns)
    names = tuple(name for name, cells in columns.items() if cells.ndim == 1 and cells.dtype != object)
    places = [found.header.index(name) for name in names]

    def parts(size: int) -> Iterator[InputPart]:
        for part in found.parts(size):
            yield replace(part, own=tuple(part.own[place] for place in places))

    return replace(found, header=names, parts=parts, arrays=False)


def arrays_of(table: Any) -> Columns:
    """Columns of whatever holds a table in memory; nulls as NaN or "". Raises DataError for what is none."""
    if isinstance(table, Mapping):
        return {str(name): _column(cells) for name, cells in table.items()}
    if hasattr(table, "columns") and hasattr(table, "to_numpy") and hasattr(table, "__getitem__"):
        return {str(name): _column(table[name]) for name in table.columns}
    if hasattr(table, "__dataframe__"):
        return _interchanged(table)
    array = np.asarray(table) if hasattr(table, "__array__") else None
    if array is not None and array.dtype.names:
        return {name: _column(array[name]) for name in array.dtype.names}
    raise DataError(
        f"a {type(table).__name__} is no table with named columns",
        "give a path, a data frame, a mapping of names to arrays, or a structured array",
    )


def _interchanged(table: Any) -> Columns:
    if importlib.util.find_spec("pyarrow") is None:
        raise DataError(
            "pyarrow, which reads data frames of other libraries, is not installed",
            "in graphspec's checkout: pip install -e '.[parquet]'; or give a mapping of names to arrays",
        )
    from pyarrow.interchange import from_dataframe

    found = from_dataframe(table)
    return {name: np.require(array_of(found.column(name)), requirements="W") for name in found.column_names}


def _column(cells: Any) -> NDArray[Any]:
    """Texts as text, numbers as numbers, None and NaN as blanks."""
    array = np.asarray(cells)
    if array.dtype.kind in "biufU":
        return np.array(array)
    plain = [None if cell is None or cell != cell or str(cell) == "<NA>" else cell for cell in array.tolist()]
    numbers = all(cell is None or isinstance(cell, int | float) for cell in plain)
    if numbers:
        return np.array([np.nan if cell is None else float(cell) for cell in plain])
    return np.array(["" if cell is None else str(cell).strip() for cell in plain], dtype=np.str_)
