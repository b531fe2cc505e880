"""Tables that a program holds: data frames, mappings of names to arrays, arrays; as columns of arrays, and back."""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphspec.reading.suggestions import few
from runtime.data.read.parquet_columns import array_of
from runtime.errors import DataError
from runtime.predicting.input_parts import InputPart, InputTable
from runtime.predicting.input_tables import in_memory
from runtime.predicting.used_run import UsedRun

Columns = dict[str, NDArray[Any]]


def open_table(table: Any, used: UsedRun) -> InputTable:
    """A table as an input. Its columns of one value a row are the output's too. Raises DataError for what is none."""
    columns = arrays_of(table, used)
    found = in_memory("the table", columns)
    names = tuple(name for name, cells in columns.items() if cells.ndim == 1 and cells.dtype != object)
    places = [found.header.index(name) for name in names]

    def parts(size: int) -> Iterator[InputPart]:
        for part in found.parts(size):
            yield replace(part, own=tuple(part.own[place] for place in places))

    return replace(found, header=names, parts=parts, arrays=False)


def arrays_of(table: Any, used: UsedRun) -> Columns:
    """Columns of whatever holds a table in memory; nulls as NaN or "". An array without names has the columns that the
    run reads, in its order. Raises DataError for what is none."""
    if isinstance(table, Mapping):
        return {str(name): _column(str(name), cells) for name, cells in table.items()}
    if hasattr(table, "columns") and hasattr(table, "to_numpy") and hasattr(table, "__getitem__"):
        names = [str(name) for name in table.columns]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"the table has more than one column called {twice!r}", "rename one of them")
        return {str(name): _column(str(name), table[name]) for name in table.columns}
    if hasattr(table, "__dataframe__"):
        return _interchanged(table)
    if hasattr(table, "__array__"):
        array = np.asarray(table)
        if array.dtype.names:
            return {name: _column(name, array[name]) for name in array.dtype.names}
        return _without_names(array, used)
    raise DataError(
        f"a {type(table).__name__} is no table with named columns",
        "give a path, a data frame, a mapping of names to arrays, or an array",
    )


def _without_names(array: NDArray[Any], used: UsedRun) -> Columns:
    graphs = used.graphs
    observed = [name for name in graphs.observed if name in used.columns]
    wanted = [column for name in observed for column in used.columns[name].names]
    if len(wanted) == 1 and array.shape[1:] == tuple(graphs.variables[observed[0]].shape):
        return {wanted[0]: _column(wanted[0], array)}
    if array.ndim == 2 and array.shape[1] == len(wanted):
        return {name: _column(name, array[:, place]) for place, name in enumerate(wanted)}
    raise DataError(
        f"an array of shape {list(array.shape)} has no column names, and is not what the run reads: "
        f"[rows, {len(wanted)}], {few(wanted)}",
        "give these columns in this order, or a data frame or mapping that names them",
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


def _column(name: str, cells: Any) -> NDArray[Any]:
    """Texts as text, numbers as numbers, None and NaN as blanks."""
    try:
        array = np.asarray(cells)
    except ValueError:
        raise DataError(f"column {name!r} of the table has rows of different shapes", "one shape for all") from None
    if array.dtype.kind in "biufU":
        return np.array(array)
    if array.dtype.kind in "mM":
        return np.where(np.isnat(array), "", array.astype(np.str_))
    plain = [None if _absent(cell) else cell for cell in array.reshape(-1).tolist()]
    if all(cell is None or isinstance(cell, int | float) for cell in plain):
        numbers = np.array([np.nan if cell is None else float(cell) for cell in plain])
        return numbers.reshape(array.shape)
    return np.array(["" if cell is None else str(cell).strip() for cell in plain], dtype=np.str_).reshape(array.shape)


def _absent(cell: Any) -> bool:
    """None, NaN, and what pandas has for them, which cannot be compared."""
    return cell is None or (isinstance(cell, float) and cell != cell) or str(cell) in ("<NA>", "NaT")


def as_frame(columns: Columns, like: Any = None) -> Any:
    """Columns as a table of the kind that was given: of pandas with its index, of polars or pyarrow. For all else a
    data frame where pandas is installed, else the dictionary."""
    kind = type(like).__module__.split(".")[0] if like is not None else ""
    if kind == "polars":
        import polars

        return polars.DataFrame(columns)
    if kind == "pyarrow":
        import pyarrow

        return pyarrow.table(columns)
    if importlib.util.find_spec("pandas") is None:
        return columns
    import pandas

    rows = len(next(iter(columns.values()), ()))
    index = getattr(like, "index", None) if kind == "pandas" else None
    return pandas.DataFrame(columns, index=index if index is not None and len(index) == rows else None)
