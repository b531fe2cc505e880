"""Columns of a table whose cells name picture files, as pixels. Which file a cell means, `graphspec.headers` says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from graphspec.headers.named_files import FileColumn, NamedFiles, files_beside
from graphspec.headers.table import SplitName
from runtime.data.read.picture_column import PictureCells, Pictures, files_version, read_pictures
from runtime.data.read.picture_decoding import PictureReading
from runtime.data.read.picture_scale import Cell
from runtime.data.read.row_identity import by_name
from runtime.data.read.table import Array, Column, Parts, Table, taken
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import DataError


@dataclass(frozen=True)
class NamedColumn:
    """How the pictures of a column of file names are read. may_be_blank: a row may name none."""

    files: FileColumn
    reading: PictureReading
    may_be_blank: bool = False


def with_named_pictures(
    table: Table, files: Mapping[SplitName, Path], columns: Mapping[str, NamedColumn], tell: Tell
) -> Table:
    """The table with pixels where `columns` says that cells name files; rows are called after the first of them.

    files: the table of each split. Raises DataError and SourceError, by row and file, for what is not there or cannot
    be read; rows whose picture is skipped are left out.
    """
    wanted = {name: column for name, column in columns.items() if name in table.columns}
    if not wanted:
        return table
    named = {name: _named(table, name, files, column) for name, column in wanted.items()}
    read = {name: _pictures(each, wanted[name], tell) for name, each in named.items()}
    kept = np.logical_and.reduce([pictures.kept for pictures in read.values()])
    names = np.array(next(iter(named.values())).cells, dtype=np.str_)
    remarks = [remark.message for each in named.values() for remark in each.remarks()]
    training = None if table.training_rows is None else int(kept[: table.training_rows].sum())
    found: dict[str, Column] = {
        name: taken(column, kept) if not kept.all() else column for name, column in table.columns.items()
    }
    found |= {name: p.column if kept.all() else taken(p.column, kept[p.kept]) for name, p in read.items()}
    notes = (*table.notes, *remarks, *(note for pictures in read.values() for note in pictures.notes))
    shown, identities = names[kept], by_name(_identity(names[kept]))
    return replace(
        table, columns=found, training_rows=training, notes=notes, named=identities, known_as=shown,
        where=lambda row: f"row {row} ({shown[row]})" if shown[row] else f"row {row}",
    )  # fmt: skip


def _identity(names: Array) -> Iterator[str]:
    """What rows are called; those without a picture by their place."""
    return (str(name) or f"row {row}" for row, name in enumerate(names))


def named_pictures(table: str, name: str, cells: Array, beside: Path, column: NamedColumn, tell: Tell) -> Column:
    """The pictures of all rows of a table that is no training data. beside: a file that stands where the table does.

    `folder` is looked for beside it; where there is none, cells are relative to the table itself. Raises as
    `with_named_pictures`, and DataError where pictures are to be skipped that cannot be read.
    """
    files = column.files
    if files.folder is not None and not (beside.parent / files.folder).is_dir():
        files = replace(files, folder=None)
    blanks = frozenset(files.blanks)
    named = NamedFiles(
        table, name, ["" if c in blanks else c for c in cells.tolist()], files_beside(beside, files.folder)
    )
    _refuse(named, column)
    return _pictures(named, replace(column, reading=replace(column.reading, skip=False)), tell).column


def _named(table: Table, name: str, files: Mapping[SplitName, Path], column: NamedColumn) -> NamedFiles:
    cells = table.columns[name]
    if isinstance(cells, Parts) or cells.dtype.kind != "U" or cells.ndim != 1:
        raise DataError(f"column {name!r} of {table.name} holds no names of files", "a picture is read from its file")
    training = table.rows if table.training_rows is None else table.training_rows
    split: dict[SplitName, Sequence[str]] = {"train": cells[:training].tolist(), "test": cells[training:].tolist()}
    named = NamedFiles.of(table.name, name, {each: split[each] for each in files}, files, column.files)
    _refuse(named, column)
    return named


def _refuse(named: NamedFiles, column: NamedColumn) -> None:
    named.refuse_missing()
    if not column.may_be_blank:
        named.refuse_blank()
    if not named.files:
        raise DataError(f"column {named.column!r} of {named.table} names no picture", "name another column")


def _pictures(named: NamedFiles, column: NamedColumn, tell: Tell) -> Pictures:
    files = named.files

    def walk() -> Iterator[Cell]:
        return ((named.place(row), file) for row, file in files.items())

    origin = (str(named.folder.absolute()), named.table, named.column)
    version, nbytes = files_version(list(files.values()))
    cells = PictureCells(named.table, origin, version, len(files), nbytes, walk)
    pictures = read_pictures(cells, column.reading, tell)
    return pictures if len(files) == len(named.cells) else _with_blanks(named, pictures)


def _with_blanks(named: NamedFiles, pictures: Pictures) -> Pictures:
    """A picture a row, of floats: NaN in rows that name none."""
    if isinstance(pictures.column, Parts) or pictures.column.dtype == object:
        raise DataError(
            f"some rows of {named.table} name no picture, and the others are too many or of too many sizes for memory",
            "make them small (`resize`), or take rows without a picture out",
        )
    kept = np.ones(len(named.cells), dtype=np.bool_)
    given = np.array(list(named.files))
    kept[given[~pictures.kept]] = False
    pixels = np.full((int(kept.sum()), *pictures.column.shape[1:]), np.nan, dtype=np.float32)
    scale = np.float32(255 if pictures.column.dtype == np.uint8 else 1)
    pixels[(np.cumsum(kept) - 1)[given[pictures.kept]]] = pictures.column.astype(np.float32) / scale
    return Pictures(pixels, kept, pictures.notes)
