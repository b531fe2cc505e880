"""From: the text of `data.source`. To: a `Table` of the columns asked for. Which file holds what, `headers` says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from graphspec.headers import (
    PLAIN_DIALECT,
    Dialect,
    Member,
    SourceError,
    SplitName,
    csv_rows,
    npz_members,
    picture_folder,
)
from graphspec.headers.sources import (
    FORMATS,
    KNOWN_SETS,
    FileSource,
    KnownSource,
    MissingSource,
    data_folder,
    require_file,
    resolve_source,
)
from graphspec.rules.cell_rules import OBJECTS_HINT
from runtime.data.read import known_sets
from runtime.data.read.mapped_arrays import map_member
from runtime.data.read.named_pictures import NamedColumn, with_named_pictures
from runtime.data.read.parquet_columns import read_parquet
from runtime.data.read.picture_column import files_as_cells, read_pictures
from runtime.data.read.picture_decoding import PictureReading
from runtime.data.read.row_identity import by_name
from runtime.data.read.shards import read_shards
from runtime.data.read.table import Array, Column, Parts, Table, joined_rows, make_table, require_columns
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import DataError


@dataclass(frozen=True)
class Readings:
    """How picture files are read, by column: those of the source itself, and those that cells of a table name."""

    own: Mapping[str, PictureReading] = field(default_factory=dict)
    named: Mapping[str, NamedColumn] = field(default_factory=dict)


ROWS_AT_ONCE = 10_000


def read_table(
    source: str,
    columns: Sequence[str],
    spec_path: Path | None,
    data_dir: Path | None,
    tell: Tell,
    readings: Readings | None = None,
    dialect: Dialect = PLAIN_DIALECT,
    regime: str | None = None,
) -> Table:
    """Load `columns` of a source, or map them. Raises DataError for what is not there or cannot be read.

    tell: called with a line of text before something that takes long. readings: by column, how picture files are read.
    dialect: of a table of text. regime: of multi_mnist.
    """
    found = resolve_source(source, spec_path, data_dir)
    if isinstance(found, MissingSource):
        raise _missing(found)
    if isinstance(found, KnownSource):
        require_columns(found.known.name, found.known.columns, columns)
        return known_sets.read(found.known, columns, data_folder(data_dir), regime)
    try:
        return _read_file(found, columns, tell, readings or Readings(), dialect)
    except SourceError as error:
        raise DataError(error.message, error.hint) from error


def _missing(source: MissingSource) -> DataError:
    tried = "\n  ".join(map(str, source.searched))
    known_names = ", ".join(KNOWN_SETS)
    return DataError(
        f"data source {source.source!r} is not there; looked for\n  {tried}",
        f"put it there, or name the folder that has it with --data-dir or GRAPHSPEC_DATA "
        f"(known data sets: {known_names})",
    )


def _read_file(source: FileSource, columns: Sequence[str], tell: Tell, readings: Readings, dialect: Dialect) -> Table:
    require_file(source.path)
    if source.format == "npz":
        return _read_npz(source.path, columns, tell)
    if source.format == "csv":
        parts = [_read_csv(path, columns, dialect) for path in source.tables.values()]
        return with_named_pictures(_joined(parts), source.tables, readings.named, tell)
    if source.format == "parquet":
        parts = [read_parquet(path, columns) for path in source.tables.values()]
        return with_named_pictures(_joined(parts), source.tables, readings.named, tell)
    if source.format == "folder":
        return _read_folder(source.path, columns, tell, readings.own.get("image", PictureReading()))
    if source.format == "shards":
        return read_shards(source.path, columns, tell, readings.own)
    raise DataError(f"data source {source.path} is of no kind that can be read", f"a source is {FORMATS}")


def _joined(parts: Sequence[Table]) -> Table:
    """A table, or those of the training and the test split one after the other."""
    if len(parts) == 1:
        return parts[0]
    train, test = parts
    columns = {name: joined_rows(name, train.columns[name], test.columns[name]) for name in train.columns}
    return make_table(train.name, columns, training_rows=train.rows)


def _read_npz(path: Path, columns: Sequence[str], tell: Tell) -> Table:
    splits = npz_members(path)
    for split, members in splits.items():
        shown = path.name if split == "train" else f"the test split of {path.name}"
        require_columns(shown, members, columns)
    notes: list[str] = []
    parts = {
        split: {name: _read_array(members[name], tell, notes) for name in columns} for split, members in splits.items()
    }
    if "test" not in parts:
        return make_table(path.name, parts["train"], notes=tuple(notes))
    train = make_table(f"the training split of {path.name}", parts["train"])
    test = make_table(f"the test split of {path.name}", parts["test"])
    joined = {name: joined_rows(name, train.columns[name], test.columns[name]) for name in columns}
    return make_table(path.name, joined, training_rows=train.rows, notes=tuple(notes))


def _read_array(member: Member, tell: Tell, notes: list[str]) -> Column:
    mapped = map_member(member, tell)
    if mapped is None:
        return _load_array(member)
    array, note = mapped
    notes += [note] if note else []
    return Parts((array,))


def _load_array(member: Member) -> Array:
    """One array, never unpickled."""
    place = f"array {member.key!r} of {member.file.name}"
    try:
        with np.load(member.file, allow_pickle=False) as archive:
            values: Array = archive[member.key]
    except ValueError as error:
        if "pickle" in str(error):
            raise DataError(f"{place} holds Python objects", OBJECTS_HINT) from error
        raise DataError(f"{place} cannot be read ({error})", "write the file again; it may be truncated") from error
    except Exception as error:  # zipfile and zlib raise many kinds for a damaged file
        raise DataError(f"{place} cannot be read ({error})", "write the file again; it may be truncated") from error
    if values.ndim == 0:
        raise DataError(f"{place} is a single value, not a column", "save one value per row")
    if values.dtype.kind == "S":
        values = _as_text(place, values)
    if values.dtype.kind not in "buifU":
        raise DataError(f"{place} has type {values.dtype}", "save numbers, booleans or text")
    return values


def _as_text(place: str, values: Array) -> Array:
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{place} holds bytes that are no UTF-8 text", "save it as text") from error


def _read_csv(path: Path, columns: Sequence[str], dialect: Dialect) -> Table:
    rows = csv_rows(path, dialect)
    header = next(rows)
    times = Counter(header)
    repeated = next((name for name in columns if times[name] > 1), None)
    if repeated is not None:
        raise DataError(f"{path.name} has more than one column called {repeated!r}", "rename one of them")
    require_columns(path.name, filter(None, header), columns)
    place = {name: i for i, name in enumerate(header)}
    positions = [place[name] for name in columns]
    blocks = [_block(some, positions) for some in iter(lambda: list(islice(rows, ROWS_AT_ONCE)), [])]
    if not blocks:
        raise DataError(f"{path.name} has a header but no rows", "check that the file was written completely")
    return make_table(
        path.name, {name: np.concatenate([block[i] for block in blocks]) for i, name in enumerate(columns)}
    )


def _block(rows: Sequence[Sequence[str]], positions: Sequence[int]) -> list[Array]:
    """Some rows as one array of text per column: far smaller than lists of cells."""
    return [np.array([row[i] for row in rows], dtype=np.str_) for i in positions]


def _read_folder(path: Path, columns: Sequence[str], tell: Tell, reading: PictureReading) -> Table:
    """Rows are named by their files' names, which stay when a picture moves to another class folder."""
    found = picture_folder(path)
    ordered: tuple[SplitName, ...] = ("train", "test") if "test" in found.splits else ("train",)
    files = [image for split in ordered for image in found.splits[split]]
    labelled = any(image.label for image in files)
    require_columns(f"folder {path.name}", ("image", "label") if labelled else ("image",), columns)
    read: dict[str, Column] = {}
    notes, kept = [remark.message for remark in found.remarks], np.ones(len(files), dtype=np.bool_)
    if "image" in columns:
        cells = files_as_cells(f"folder {path.name}", str(path.absolute()), [image.file for image in files])
        pictures = read_pictures(cells, reading, tell)
        read["image"], kept = pictures.column, pictures.kept
        notes += pictures.notes
    if "label" in columns:
        read["label"] = np.array([image.label for image in files], dtype=np.str_)[kept]
    training = int(kept[: len(found.splits["train"])].sum()) if "test" in found.splits else None
    classes = {"label": tuple(sorted({image.label for image in files}))}
    named = by_name(image.file.name for image, there in zip(files, kept, strict=True) if there)
    shown = np.array([image.file.relative_to(path).as_posix() for image in files], dtype=np.str_)[kept]
    return replace(make_table(path.name, read, training, classes, tuple(notes), named), known_as=shown)
