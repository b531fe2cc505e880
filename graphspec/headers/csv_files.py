"""Rows of a .csv file as they are read everywhere, and what its first rows tell about its columns."""

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from graphspec.headers.columns import Column, Kind
from graphspec.headers.table import SourceError, Table

SNIFFED_ROWS = 1000
COUNTED_BYTES = 4_000_000
"""A .csv up to this size is read to its end, so that rows are counted and every value of a column is known."""
MANY_VALUES = 100


def csv_rows(path: Path) -> Iterator[list[str]]:
    """The header, then every row, cells stripped; separator `,`, or `;` or tab where the header has no comma.

    Raises SourceError for an empty file, a header with blank or repeated names, rows of another length, and text
    that is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            separator = next((s for s in (",", ";", "\t") if s in first), ",")
            reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(path, header)
            yield header
            for row in reader:
                if len(row) not in (0, len(header)):
                    raise SourceError(
                        f"{path.name} line {reader.line_num} has {len(row)} cells, the header {len(header)}",
                        "quote cells that hold the separator",
                    )
                if row:
                    yield [cell.strip() for cell in row]
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise SourceError(f"{path.name} cannot be read ({error})") from error


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise SourceError(f"{path.name} is empty", "the first line names the columns")
    if "" in header:
        raise SourceError(f"column {header.index('') + 1} of {path.name} has no name", "name it in the first line")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise SourceError(f"{path.name} has more than one column called {', '.join(repeated)}", "rename one of them")


def csv_table(path: Path) -> Table:
    """Columns from the header and the first rows (all rows of a small file)."""
    small = path.stat().st_size <= COUNTED_BYTES
    rows = csv_rows(path)
    header = next(rows)
    count = 0
    values: list[dict[str, None]] = [{} for _ in header]
    numbers = [True] * len(header)
    integers = [True] * len(header)
    for row in rows if small else islice(rows, SNIFFED_ROWS):
        count += 1
        for i, cell in enumerate(row):
            if len(values[i]) <= MANY_VALUES:
                values[i][cell] = None
            if count <= SNIFFED_ROWS and numbers[i] and cell:
                numbers[i] = is_number(cell)
                integers[i] = integers[i] and is_integer(cell)
    columns = {}
    for name, seen, number, integer in zip(header, values, numbers, integers, strict=True):
        kind: Kind = "text" if not number else "integer" if integer else "number"
        few = len(seen) <= MANY_VALUES
        columns[name] = Column(name, kind, (), values=tuple(seen) if few else (), complete=small and few)
    return Table(columns, count if small else None)


def is_number(cell: str) -> bool:
    """The cell reads as a number; `nan` does."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_integer(cell: str) -> bool:
    """The cell reads as a whole number; `3.0` does, as tables with blanks are often written so."""
    return is_number(cell) and re.fullmatch(r"[+-]?\d+(\.0*)?", cell) is not None
