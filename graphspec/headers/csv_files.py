"""Rows of a .csv or .tsv file (or either as .gz, or a metadata.jsonl) as they are read everywhere, and what its first
rows tell.

Quotes are taken strictly: one that is never closed would swallow the rows after it, of which nobody would hear.
"""

import csv
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from graphspec.headers.columns import Column, Kind
from graphspec.headers.json_lines import ENDING, json_header, json_rows
from graphspec.headers.numbers import PLAIN_NUMBERS, NumberFormat
from graphspec.headers.table import SourceError, Table
from graphspec.reading.suggestions import counted

SEPARATORS = (",", ";", "\t", "|")
SNIFFED_LINES = 20
COUNTED_CHARACTERS = 4_000_000
"""A table up to this size is read to its end, so that rows are counted and every value of a column is known."""
LONGEST_LINE = 2**26
_ROWS_AT_ONCE = 1000
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


@dataclass(frozen=True)
class Dialect:
    """How a table of text is written. separator: between cells; None is judged by the first lines."""

    separator: str | None = None
    numbers: NumberFormat = PLAIN_NUMBERS


PLAIN_DIALECT = Dialect()


class _Lines:
    """The lines of a text file, packed or not, none longer than memory allows; `characters` counts those read, `row`
    is the number of the line, from 1, on which the latest row ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.characters = 0
        self.row = 0

    def __iter__(self) -> Iterator[str]:
        number = 0
        with self._open() as stream:
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise SourceError(
                        f"{self.path.name} line {number} is longer than {LONGEST_LINE} characters",
                        "a table has one row a line",
                    )
                self.characters += len(line)
                yield line

    def _open(self) -> TextIO:
        if self.path.suffix.lower() == ".gz":
            import gzip  # a few milliseconds that other tables do not need

            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return self.path.open(encoding="utf-8-sig", newline="")


def csv_rows(path: Path, dialect: Dialect = PLAIN_DIALECT) -> Iterator[list[str]]:
    """The header, then every row, cells stripped.

    The separator is the dialect's, else what a first line `sep=;` says, else the sign `,`, `;`, tab or `|` that cuts
    the first lines into rows of one length (quotes heeded). Raises SourceError for an empty file, rows of another
    length than the header, quotes that are not closed, a damaged .gz and text that is not UTF-8.
    """
    yield from _rows(path, dialect, _Lines(path))


def _rows(path: Path, dialect: Dialect, lines: _Lines) -> Iterator[list[str]]:
    reader, skipped = None, 0
    try:
        if path.suffix.lower() == ENDING:
            yield from _rows_of_objects(path, dialect, lines)
            return
        stream = iter(lines)
        head = list(islice(stream, SNIFFED_LINES))
        told = _SEP_LINE.fullmatch(head[0]) if head else None
        if told is not None:
            head, skipped = head[1:], 1
        separator = dialect.separator or (told.group(1) if told is not None else separator_of(path, head))
        reader = csv.reader(chain(head, stream), delimiter=separator, skipinitialspace=True, strict=True)
        header = [cell.strip() for cell in next(reader, [])]
        if not any(header):
            raise SourceError(f"{path.name} is empty", "the first line names the columns")
        yield header
        for row in reader:
            if len(row) != len(header) and row:
                raise _uneven(path, reader.line_num + skipped, row, header)
            if row:
                lines.row = reader.line_num + skipped
                yield [cell.strip() for cell in row]
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from error
    except csv.Error as error:
        line = 1 if reader is None else reader.line_num + skipped
        raise SourceError(
            f"{path.name} cannot be read at line {line} ({error})",
            'a cell that begins with a quote ends with one; a quote inside it is written twice: "5"" wide"',
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path.name} cannot be read ({error})") from error


def _rows_of_objects(path: Path, dialect: Dialect, lines: _Lines) -> Iterator[list[str]]:
    """The same of JSON objects."""
    facts = path.stat()
    header = _keys(path, facts.st_size, facts.st_mtime_ns)
    yield list(header)
    for number, cells in json_rows(path, lines, header, dialect.numbers.decimal):
        lines.row = number
        yield cells


@lru_cache(maxsize=16)
def _keys(path: Path, size: int, changed: int) -> tuple[str, ...]:
    """Of all objects of a file of this size, changed at this time."""
    return tuple(json_header(path, _Lines(path)))


def separator_in(path: Path, dialect: Dialect = PLAIN_DIALECT) -> str:
    """The sign between the cells of a table, as `csv_rows` takes it. Raises SourceError for what is no text."""
    if path.suffix.lower() == ENDING:
        return ","
    try:
        head = list(islice(_Lines(path), SNIFFED_LINES))
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path.name} cannot be read ({error})") from error
    told = _SEP_LINE.fullmatch(head[0]) if head else None
    return dialect.separator or (told.group(1) if told is not None else separator_of(path, head))


def _uneven(path: Path, line: int, row: list[str], header: list[str]) -> SourceError:
    hint = 'quote cells that hold the separator, or name it: data: {separator: ";"}'
    if len(header) == 1 and header[0].startswith("#"):
        hint = "the first line names the columns: take the comment out of the file"
    if len(row) == len(header) + 1:
        hint = f"{hint}; a first column without a name needs an empty cell in the header"
    return SourceError(f"{path.name} line {line} has {counted(len(row), 'cell')}, the header {len(header)}", hint)


def separator_of(path: Path, head: list[str]) -> str:
    """The separator of a table whose first lines are `head`; a tab where the file is called .tsv."""
    if ".tsv" in (suffix.lower() for suffix in path.suffixes):
        return "\t"
    bare = _QUOTED.sub("", _header_text(head))
    found = [separator for separator in SEPARATORS if separator in bare]
    return max(found, key=lambda separator: _fit(head, separator)) if found else ","


def _header_text(head: list[str]) -> str:
    """The first line with something in it, and those that a quoted line break adds to it."""
    text = ""
    for line in head:
        text += line
        if text.strip() and text.count('"') % 2 == 0:
            break
    return text


def _fit(head: list[str], separator: str) -> tuple[bool, int]:
    """Whether the separator gives the first lines one length, and the header's."""
    try:
        rows = [row for row in csv.reader(head, delimiter=separator, skipinitialspace=True) if row]
    except csv.Error:
        return False, 0
    whole = rows[:-1] if len(head) == SNIFFED_LINES and len(rows) > 1 else rows  # the last may go on below
    return len({len(row) for row in whole}) == 1, len(rows[0]) if rows else 0


def csv_header(path: Path, dialect: Dialect = PLAIN_DIALECT) -> list[str]:
    """The names of the columns, "" for one without. Raises SourceError as `csv_rows`."""
    rows = csv_rows(path, dialect)
    return next(rows)


def csv_line(path: Path, row: int, dialect: Dialect = PLAIN_DIALECT) -> int:
    """The line of the file, from 1, on which row number `row`, from 0, ends. Raises SourceError as `csv_rows`."""
    lines = _Lines(path)
    next(islice(_rows(path, dialect, lines), row + 1, None), None)
    return lines.row


def csv_table(path: Path, dialect: Dialect = PLAIN_DIALECT) -> Table:
    """Columns from the header and the first rows (all rows of a small file). Columns without a name are left out."""
    lines = _Lines(path)
    rows = _rows(path, dialect, lines)
    header = next(rows)
    seen: list[Counter[str]] = [Counter() for _ in header]
    count = 0
    for some in _batches(rows, lines):
        for cells, column in zip(seen, zip(*some, strict=True), strict=True):
            cells.update(column)
        count += len(some)
    whole = lines.characters <= COUNTED_CHARACTERS
    times = Counter(header)
    columns = {
        name: _column(name, cells, dialect.numbers, whole, times[name] > 1)
        for name, cells in zip(header, seen, strict=True)
        if name
    }
    return Table(columns, count if whole else None)


def _batches(rows: Iterator[list[str]], lines: _Lines) -> Iterator[list[list[str]]]:
    """Some rows at a time, until the file ends or more than `COUNTED_CHARACTERS` are read."""
    some: list[list[str]] = []
    for row in rows:
        some.append(row)
        if lines.characters > COUNTED_CHARACTERS:
            break
        if len(some) == _ROWS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _column(name: str, cells: Counter[str], numbers: NumberFormat, whole: bool, repeated: bool) -> Column:
    found = numbers.all_of([cell for cell in cells if cell])
    kind: Kind = "number"
    if any(number is None for number in found):
        kind = "text"
    elif all(number is not None and number.is_integer() for number in found):
        kind = "integer"
    values, counts = tuple(cells), tuple(cells.values())
    return Column(name, kind, (), values=values, counts=counts, complete=whole, repeated=repeated)
