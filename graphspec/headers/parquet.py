"""Tables in .parquet files: columns from the footer, cells of single columns as text, as a table of text has them.

pyarrow is an extra (`graphspec[parquet]`), loaded when such a file is met. Nulls are blanks, flags are 0 and 1, dates
and times are text as ISO 8601 writes it; what holds lists or structures in a cell is refused when a variable reads it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphspec.headers.columns import Column, Kind
from graphspec.headers.table import SourceError, Table

ENDINGS = (".parquet", ".pq")
LOOKED_CELLS = 2**20
"""So many cells are read when a spec is checked; columns with more are left to `train`."""


def parquet_table(path: Path) -> Table:
    """Columns and rows from the footer alone. Raises SourceError for what cannot be read, and without pyarrow."""
    with opened_parquet(path) as file:
        schema = file.schema_arrow
        times = Counter(schema.names)
        columns = {
            field.name: Column(field.name, _kind(field.type), (), repeated=times[field.name] > 1)
            for field in schema
            if field.name
        }
        return Table(columns, file.metadata.num_rows)


def parquet_cells(path: Path, names: Sequence[str]) -> dict[str, list[str]] | None:
    """The cells of some columns as text, "" for a null; None where they are too many to be looked at."""
    with opened_parquet(path) as file:
        if file.metadata.num_rows * len(names) > LOOKED_CELLS:
            return None
        table = file.read(columns=list(names))
        return {name: cells_as_text(table.column(name)) for name in names}


@contextmanager
def opened_parquet(path: Path) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile`. Whatever it raises within is a SourceError that names the file."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        message = f"{path.name} is a Parquet file, and pyarrow, which reads it, is not installed"
        hint = "in graphspec's checkout: pip install -e '.[parquet]'; or save the table as .csv"
        raise SourceError(message, hint) from error
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except SourceError:
        raise
    except Exception as error:  # pyarrow raises many kinds for a damaged file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceError(
            f"{path.name} cannot be read ({reason})", "write the file again; it may be damaged"
        ) from error


def _kind(stored: Any) -> Kind:
    """Of what a column holds; "other" for lists, structures, bytes and spans of time."""
    from pyarrow import types

    if types.is_dictionary(stored):
        return _kind(stored.value_type)
    if types.is_boolean(stored) or types.is_integer(stored):
        return "integer"
    if types.is_floating(stored) or types.is_decimal(stored):
        return "number"
    text = (types.is_string, types.is_large_string, types.is_string_view, types.is_date, types.is_timestamp)
    return "text" if any(each(stored) for each in text) or types.is_null(stored) else "other"


def plain_column(column: Any) -> Any:
    """A column (`pyarrow.ChunkedArray` or `Array`): decimals as floats, dates as text, dictionaries as what they
    stand for."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_decimal(column.type) or types.is_float16(column.type):
        return column.cast(pa.float64())
    if types.is_date(column.type):
        days = column.cast(pa.date32()).to_pylist()
        return pa.array([None if day is None else day.isoformat() for day in days], pa.string())
    if types.is_timestamp(column.type):
        moments = column.cast(pa.timestamp("us", column.type.tz), safe=False).to_pylist()
        texts = [None if moment is None else moment.isoformat() for moment in moments]
        return pa.array(texts, pa.string())
    return column.cast(pa.string()) if types.is_null(column.type) else column


def cells_as_text(column: Any) -> list[str]:
    """Cells as a table of text would have them."""
    return [_as_text(cell) for cell in plain_column(column).to_pylist()]


def _as_text(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    return str(int(cell)) if isinstance(cell, bool) else str(cell).strip()
