"""What people hand in, as parts of rows: tables of text and .parquet files as they are read, all else by the readers of
training. Of a large file only a part is in memory.

From: a path (or arrays). To: `InputTable`. Not here: what the cells mean.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from graphspec.headers import SourceError, csv_rows, npz_members, npz_tables, picture_folder
from graphspec.headers.csv_files import separator_in
from graphspec.headers.parquet import opened_parquet, parquet_table
from graphspec.headers.sources import FileSource, KnownSource, MissingSource, require_file, resolve_source
from runtime.data.read.parquet_columns import array_of
from runtime.data.read.reading import Readings, read_table
from runtime.data.read.table import Array, Column, whole
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import DataError
from runtime.predicting.input_parts import InputPart, InputTable, own_copy, sliced
from runtime.predicting.picture_inputs import with_pictures
from runtime.predicting.used_run import UsedRun

FILE_NAME, ROW = "file_name", "row"
"""What names the rows of a folder of pictures, and of what has nothing else to name them."""


def open_input(source: str, used: UsedRun, tell: Tell, stack: ExitStack) -> InputTable:
    """The input that a path, the name of a known set, or `-` stands for. stack: closes what was opened.

    Raises DataError for what is not there or cannot be read.
    """
    piped = piped_input(stack) if source == "-" else None
    source = source if piped is None else str(piped)
    found = resolve_source(source, None, used.data_dir)
    try:
        if isinstance(found, MissingSource):
            raise DataError(f"there is no {source} to predict", "name a file, a folder of pictures or a known set")
        if isinstance(found, KnownSource):
            return _read_whole(source, found.known.name, used, tuple(found.known.columns), tell)
        require_file(found.path)
        table = _open_file(source, found, used, tell)
        return with_pictures(table, used, tell, found.path if piped is None else None) if found.holds_names else table
    except SourceError as error:
        raise DataError(error.message, error.hint) from error


def _open_file(source: str, found: FileSource, used: UsedRun, tell: Tell) -> InputTable:
    match found.format:
        case "csv":
            return _text_table(found.path, used)
        case "parquet":
            return _parquet_file(found.path)
        case "npz":
            return _arrays_file(source, found.path, used, tell)
        case "folder":
            return _folder(source, found.path, used, tell)
    raise DataError(
        f"{found.path} is of no kind that can be predicted",
        "an input is a .csv, .tsv (or .csv.gz, .tsv.gz), .parquet or .npz file, a folder of pictures or a known set",
    )


def piped_input(stack: ExitStack) -> Path:
    """Rows are read twice, so that they are kept in a file as long as it takes."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graphspec-")))
    path = folder / "standard-input.csv"
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(2**20):
            file.write(block)
    return path


# --- tables that are read part by part ----------------------------------------------------------------------------


def own_table(path: Path, used: UsedRun) -> InputTable:
    """A table of text or a .parquet file as it stands, a part a number of lines."""
    return _parquet_file(path) if path.suffix.lower() in (".parquet", ".pq") else _text_table(path, used)


def _text_table(path: Path, used: UsedRun) -> InputTable:
    dialect = used.dialect
    header = tuple(next(csv_rows(path, dialect)))
    times = Counter(header)
    readable = tuple(name for name in dict.fromkeys(header) if name and times[name] == 1)

    def parts(size: int) -> Iterator[InputPart]:
        first, places = 0, [header.index(name) for name in readable]
        with _told():
            rows = csv_rows(path, dialect)
            next(rows)
            while some := list(islice(rows, size)):
                own = tuple(np.array(cells, dtype=np.str_) for cells in zip(*some, strict=True))
                columns = {name: own[place] for name, place in zip(readable, places, strict=True)}
                yield InputPart(first, len(some), own, columns)
                first += len(some)
        if not first:
            raise DataError(f"{path.name} has a header but no rows", "check that the file was written completely")

    return InputTable(path.name, path, header, readable, None, parts, separator_in(path, dialect))


def _parquet_file(path: Path) -> InputTable:
    table = parquet_table(path)
    with opened_parquet(path) as file:
        header = tuple(file.schema_arrow.names)
    readable = tuple(name for name, column in table.columns.items() if not column.repeated and column.kind != "other")

    def parts(size: int) -> Iterator[InputPart]:
        first = 0
        with _told(), opened_parquet(path) as file:
            for batch in file.iter_batches(batch_size=size):
                own = tuple(batch.columns)
                columns: dict[str, Column] = {name: own_copy(array_of(own[header.index(name)])) for name in readable}
                yield InputPart(first, batch.num_rows, own, columns)
                first += batch.num_rows
        if not first:
            raise DataError(f"{path.name} has no rows", "check that the file was written completely")

    return InputTable(path.name, path, header, readable, table.rows, parts)


class _told:
    """Errors of a source, met while its rows are read, as errors of the data."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SourceError):
            raise DataError(error.message, error.hint) from error


# --- sources that are read by training's readers ------------------------------------------------------------------


def _arrays_file(source: str, path: Path, used: UsedRun, tell: Tell) -> InputTable:
    """Arrays of an .npz file; those with as many rows as the ones that the model reads are its columns."""
    splits = npz_members(path)
    names = tuple(name for name in splits["train"] if all(name in members for members in splits.values()))
    found = _read_whole(source, path.name, used, names, tell, path)
    return replace(with_own(found, *_single_values(source, names, found, used, tell)), arrays=True)


def _single_values(
    source: str, names: Sequence[str], found: InputTable, used: UsedRun, tell: Tell
) -> tuple[tuple[str, ...], tuple[Array, ...]]:
    """The arrays of one value a row, which the output has too; larger ones stay where they are."""
    headers = npz_tables(found.path)["train"].columns if found.path is not None else {}
    rows = next((headers[name].rows for name in found.readable if name in headers), None)
    small = [name for name in names if name in headers and not headers[name].shape and headers[name].rows == rows]
    if not small:
        return (ROW,), (np.arange(found.rows or 0),)
    table = read_table(source, small, None, used.data_dir, tell, dialect=used.dialect)
    return tuple(small), tuple(whole(table.columns[name]) for name in small)


def _folder(source: str, path: Path, used: UsedRun, tell: Tell) -> InputTable:
    """A run whose pictures are named by a table reads them from a folder too."""
    found = picture_folder(path)
    called = next((name for name in used.readings.named if "image" not in used.readings.own), "image")
    files = [image for split in ("train", "test") for image in found.splits.get(split, ())]
    names = ("image", "label") if any(image.label for image in files) else ("image",)
    read = _read_whole(source, f"folder {path.name}", used, names, tell, path, {called: "image"})
    own = np.array([image.file.relative_to(path).as_posix() for image in files], dtype=np.str_)
    if read.rows != len(files):
        raise DataError(
            f"{len(files) - (read.rows or 0)} pictures of {path.name} cannot be read, and nothing says which",
            "take `on_error: skip` out of the spec of the run, or the damaged pictures out of the folder",
        )
    return with_own(read, (FILE_NAME,), (own,))


def _read_whole(
    source: str,
    name: str,
    used: UsedRun,
    there: Sequence[str],
    tell: Tell,
    path: Path | None = None,
    renamed: Mapping[str, str] | None = None,
) -> InputTable:
    """A source of which the model's columns are in memory, or mapped. renamed: what the source calls some of them."""
    here = dict(renamed or {})
    read = dict.fromkeys(column for spec in used.columns.values() for column in spec.names)
    wanted = [column for column in read if here.get(column, column) in there]
    if not wanted:
        missing = [column for spec in used.columns.values() for column in spec.names]
        raise DataError(f"{name} has none of the columns that the run reads: {', '.join(missing[:12])}",
                        f"it has {', '.join(list(there)[:12])}")  # fmt: skip
    regime = used.data.regime if source == used.data.source else None
    readings = Readings({here.get(column, column): each for column, each in used.readings.own.items()})
    names = [here.get(column, column) for column in wanted]
    table = read_table(source, names, None, used.data_dir, tell, readings, used.dialect, regime)
    for note in table.notes:
        tell(f"note: {note}")
    own, columns = np.arange(table.rows), {column: table.columns[here.get(column, column)] for column in wanted}
    return with_own(in_memory(name, columns, path), (ROW,), (own,))


def in_memory(name: str, columns: Mapping[str, Column], path: Path | None = None) -> InputTable:
    """Columns that are at hand, each of them the input's own. Raises DataError where they differ in length."""
    lengths = {column: len(cells) for column, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"columns of {name} differ in length: {lengths}", "every column has one cell a row")
    rows, header = next(iter(lengths.values()), 0), tuple(columns)
    if not rows:
        raise DataError(f"{name} has no rows", "check that it was written completely")

    def parts(size: int) -> Iterator[InputPart]:
        for first in range(0, rows, size):
            some = {column: sliced(cells, first, first + size) for column, cells in columns.items()}
            yield InputPart(first, min(size, rows - first), tuple(some.values()), some)

    return InputTable(name, path, header, header, rows, parts, arrays=True)


def with_own(table: InputTable, header: tuple[str, ...], own: tuple[Array, ...]) -> InputTable:
    """The same rows, which the output knows by other columns."""

    def parts(size: int) -> Iterator[InputPart]:
        for part in table.parts(size):
            yield replace(part, own=tuple(cells[part.first : part.first + part.rows] for cells in own))

    return replace(table, header=header, parts=parts, arrays=False)


def input_file(source: str, used: UsedRun) -> Path | None:
    """The file or folder that an input is, where it is one."""
    found = resolve_source(source, None, used.data_dir)
    return found.path if isinstance(found, FileSource) else None
