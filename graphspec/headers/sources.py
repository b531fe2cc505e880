"""Where rows come from: known data sets, and files by path.

From: the text of `data.source`. To: `KnownSource`, `FileSource` or `MissingSource` (`resolve_source`), and what
they hold as far as that is known without loading (`describe`). Rows of a source are numbered from 0 in the order
read: the training split first, then the test split where the source has one of its own.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graphspec.headers import (
    PLAIN_DIALECT,
    Dialect,
    Remark,
    SourceError,
    SplitName,
    Table,
    csv_header,
    csv_table,
    expand,
    folder_tables,
    npz_tables,
    shard_tables,
)
from graphspec.headers.columns import Column
from graphspec.headers.metadata_tables import metadata_tables
from graphspec.headers.numbers import NumberFormat
from graphspec.headers.parquet import ENDINGS, parquet_table
from graphspec.language import DataSection

Format = Literal["npz", "csv", "parquet", "folder", "shards"]
FORMATS = "an .npz file, a .csv or .tsv file (or .csv.gz, .tsv.gz), a .parquet file, a folder of images or .tar shards"


@dataclass(frozen=True)
class KnownSet:
    """A data set by name. `rows` has "test" only where the set comes with a test split of its own.

    folder: where its files stand inside the data folder ("" for what needs no files).
    origin: for what needs no files, where its rows come from.
    """

    name: str
    title: str
    columns: Mapping[str, Column]
    rows: Mapping[SplitName, int]
    folder: str = ""
    origin: str = ""


def _image(channels: int, height: int, width: int) -> Column:
    return Column("image", "number", (channels, height, width), picture=True, domain="unit")


def _classes(name: str, classes: int) -> Column:
    return Column(name, "integer", (), classes=classes, domain="category")


def _known(
    name: str, title: str, columns: tuple[Column, ...], train: int, test: int | None, folder: str, origin: str = ""
) -> KnownSet:
    rows: dict[SplitName, int] = {"train": train} if test is None else {"train": train, "test": test}
    return KnownSet(name, title, {column.name: column for column in columns}, rows, folder, origin)


SPRITE_FACTORS: dict[str, int] = {"shape": 3, "scale": 6, "rotation": 24, "x": 16, "y": 16}
"""Columns of `sprites` beside the image, and how many values each takes. shape: square, ellipse, heart; scale: half to
full size in equal steps; rotation: counterclockwise in steps of 15 degrees; x from the left, y from the top, in pixels.
"""

KNOWN_SETS: dict[str, KnownSet] = {
    known.name: known
    for known in (
        _known("digits", "handwritten digits, 8 x 8 (scikit-learn's, embedded)",
               (_image(1, 8, 8), _classes("label", 10)), 1797, None, "", "comes with scikit-learn"),
        _known("mnist", "handwritten digits, 28 x 28", (_image(1, 28, 28), _classes("label", 10)), 60000, 10000,
               "MNIST"),
        _known("mnist_pairs", "pairs of mnist's digits, with their sum",
               (Column("image", "number", (2, 1, 28, 28), picture=True, domain="unit"),
                Column("digit", "integer", (2,), classes=10, domain="category"), _classes("sum", 19)),
               30000, 5000, "MNIST"),
        _known("svhn", "house numbers in colour, 32 x 32", (_image(3, 32, 32), _classes("label", 10)), 73257, 26032,
               "SVHN"),
        _known("svhn_extra", "svhn with its 531131 easier extra images after the training rows",
               (_image(3, 32, 32), _classes("label", 10)), 604388, 26032, "SVHN"),
        _known("yale_b", "38 faces under varied light, 192 x 168 (extended Yale B, cropped)",
               (_image(1, 192, 168), _classes("identity", 38), Column("light", "number", (3,), domain="direction"),
                Column("azimuth", "number", ()), Column("elevation", "number", ())),
               2414, None, "CroppedYale"),
        _known("sprites", "white squares, ellipses and hearts of known size, turn and place, 32 x 32",
               (_image(1, 32, 32), *(_classes(name, classes) for name, classes in SPRITE_FACTORS.items())),
               30000, 5000, "", "rendered when it is read"),
        _known("multi_mnist", "one to three digits of mnist on a canvas, 50 x 50, with what stands where",
               (_image(1, 50, 50), Column("count", "integer", ()),
                Column("digits", "integer", (3,), classes=10, domain="category"),
                Column("crops", "number", (3, 1, 28, 28), picture=True, domain="unit"),
                Column("places", "number", (3, 3)), Column("split", "integer", ())),
               22000, 2000, "MNIST", "rendered from mnist when it is read"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class KnownSource:
    """`source` names a known data set."""

    known: KnownSet


@dataclass(frozen=True)
class FileSource:
    """`source` is a path and something is there. `format` None: of no kind that can be read.

    path: of shards, as written: `{000..009}` stands for several files; of a folder of pictures with a table, the table.
    test: a second table, of the source's own test split.
    """

    path: Path
    format: Format | None
    test: Path | None = None

    @property
    def tables(self) -> dict[SplitName, Path]:
        """The files of a table, by split."""
        return {"train": self.path} if self.test is None else {"train": self.path, "test": self.test}

    @property
    def holds_names(self) -> bool:
        """A table, in which a cell may name a file."""
        return self.format in ("csv", "parquet")


@dataclass(frozen=True)
class MissingSource:
    """Nothing is there: the paths tried, in order."""

    source: str
    searched: tuple[Path, ...]


Source = KnownSource | FileSource | MissingSource


@dataclass(frozen=True)
class SourceInfo:
    """What is known without loading. `columns` None: nothing is; `rows` per split, None where not counted.

    columns: of the training split; test_columns: of the source's own test split, None without one. remarks: what is
    there and is not read. files: some cells are picture files.
    """

    columns: dict[str, Column] | None
    rows: dict[SplitName, int | None]
    test_columns: dict[str, Column] | None = None
    note: str = ""
    remarks: tuple[Remark, ...] = ()
    files: bool = False

    @property
    def has_test(self) -> bool:
        """The source comes with a test split of its own."""
        return "test" in self.rows


def data_folder(explicit: Path | None = None) -> Path:
    """Where data sets live: `--data-dir`, else $GRAPHSPEC_DATA, else the user's cache folder."""
    if explicit is not None:
        return Path(os.path.expanduser(explicit))
    named = os.environ.get("GRAPHSPEC_DATA")
    return Path(os.path.expanduser(named)) if named else cache_folder()


def cache_folder() -> Path:
    """This program's part of the user's cache folder."""
    return _user_cache() / "graphspec"


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))


def search_folders(spec_path: Path | None, data_dir: Path | None) -> tuple[Path, ...]:
    """Where a relative path is looked for: beside the spec, in the working folder, in the data folder."""
    beside = () if spec_path is None else (_absolute(Path(os.path.expanduser(spec_path))).parent,)
    return tuple(dict.fromkeys((*beside, _absolute(Path()), _absolute(data_folder(data_dir)))))


def _absolute(path: Path) -> Path:
    """From the root on; as it is where the working folder is no more."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path


def find_file(name: str, spec_path: Path | None, data_dir: Path | None) -> Path | MissingSource:
    """The first existing path that `name` stands for, or where it was looked for."""
    path = Path(os.path.expanduser(name))
    tried = (path,) if path.is_absolute() else tuple(f / path for f in search_folders(spec_path, data_dir))
    try:
        existing = (candidate for candidate in tried if name.strip() and any(map(os.path.exists, expand(candidate))))
        return next(existing, MissingSource(name, tried))
    except SourceError:  # a range too long to look for: whoever opens it says so
        return tried[0]


def resolve_source(source: str, spec_path: Path | None = None, data_dir: Path | None = None) -> Source:
    """What `data.source` stands for. A known name wins over a file of that name (write `./mnist` for the file).

    spec_path: the spec's file, None where it came from standard input. Never raises for what the user wrote.
    """
    if source in KNOWN_SETS:
        return KnownSource(KNOWN_SETS[source])
    found = find_file(source, spec_path, data_dir)
    if isinstance(found, MissingSource):
        return found
    tables = metadata_tables(found) if os.path.isdir(found) else ()
    path, *test = tables or (found,)
    return FileSource(path, _format(path), *test)


def _format(path: Path) -> Format | None:
    if os.path.isdir(path):
        return "folder"
    if path.name.lower().endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz", "metadata.jsonl")):
        return "csv"
    formats: dict[str, Format] = {".npz": "npz", ".tar": "shards", **dict.fromkeys(ENDINGS, "parquet")}
    return formats.get(path.suffix.lower())


def dialect_of(data: DataSection) -> Dialect:
    """How the spec says that a table of text is written."""
    return Dialect(data.separator, NumberFormat(data.decimal or ".", data.thousands or ""))


def describe(source: Source, dialect: Dialect = PLAIN_DIALECT, *, skip: bool = False) -> SourceInfo:
    """Columns and row counts from declarations and headers. Raises SourceError for what cannot be read.

    skip: pictures that cannot be read are left out.
    """
    if isinstance(source, KnownSource):
        columns = dict(source.known.columns)
        test = columns if "test" in source.known.rows else None
        return SourceInfo(columns, dict(source.known.rows), test, source.known.title)
    if isinstance(source, MissingSource):
        return SourceInfo(None, {}, note=f"{source.source} is not there")
    tables = _tables(source, dialect, skip)
    rows: dict[SplitName, int | None] = {split: table.rows for split, table in tables.items()}
    test = tables["test"].columns if "test" in tables else None
    train = tables["train"]
    files = any(column.channels for column in train.columns.values())
    return SourceInfo(train.columns, rows, test, remarks=train.remarks, files=files)


def column_names(source: KnownSource | FileSource, dialect: Dialect = PLAIN_DIALECT) -> list[str]:
    """Names of the columns, as far as they can be asked for. Raises SourceError for what cannot be read."""
    if isinstance(source, FileSource) and source.format == "csv":
        require_file(source.path)
        return list(dict.fromkeys(filter(None, csv_header(source.path, dialect))))
    return list(describe(source, dialect).columns or {})


def _tables(source: FileSource, dialect: Dialect, skip: bool) -> dict[SplitName, Table]:
    require_file(source.path)
    if source.format == "npz":
        return npz_tables(source.path)
    if source.format == "csv":
        return {split: csv_table(path, dialect) for split, path in source.tables.items()}
    if source.format == "parquet":
        return {split: parquet_table(path) for split, path in source.tables.items()}
    if source.format == "folder":
        return folder_tables(source.path, skip=skip)
    if source.format == "shards":
        return shard_tables(source.path)
    raise SourceError(f"{source.path.name} is of no kind that can be read", f"a source is {FORMATS}")


def require_file(path: Path) -> None:
    """Raise SourceError for a pipe, a device or a socket: rows are read twice, and some of these never end."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise SourceError(f"{path} is a pipe or a device, not a file", "write the rows into a file first")


def read_row_list(path: Path) -> tuple[int, ...]:
    """Rows of a `rows: FILE` budget: 0-based, one a line; blank lines and `#` remarks are skipped."""
    rows: list[int] = []
    require_file(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path.name} cannot be read ({error})", "one 0-based row number a line") from error
    for number, line in enumerate(lines, start=1):
        text = line.split("#", 1)[0].strip()
        if text and not text.isdecimal():
            raise SourceError(f"{path.name} line {number} is {text!r}, not a row number", "one 0-based row a line")
        if text:
            rows.append(int(text))
    return tuple(rows)
