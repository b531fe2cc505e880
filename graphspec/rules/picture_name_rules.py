"""Columns of a table whose cells name picture files: the files are there, and look as the variable wants them.

From: a table's cells and the headers of the files. To: the column as the pictures have it, for all other rules.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path as FilePath

from graphspec.graphs.graph import Variable
from graphspec.headers import SourceError
from graphspec.headers.columns import Column
from graphspec.headers.csv_files import Dialect
from graphspec.headers.folder_listing import is_picture_name
from graphspec.headers.folders import probed_column
from graphspec.headers.named_files import FileColumn, NamedFiles, names_files
from graphspec.headers.row_cells import row_cells
from graphspec.headers.sources import FileSource, Source, dialect_of
from graphspec.language import ColumnSpec, DataSection
from graphspec.rules.standings import Standing
from graphspec.text.report import Report
from graphspec.text.tree import Path

_LOOKED_AT = 50
"""Different cells of a column that are looked at."""


def columns_of_file_names(columns: Mapping[str, Column]) -> frozenset[str]:
    """Columns of a table whose first cells are names of picture files, blanks aside."""
    given = {
        name: list(islice(filter(None, column.values), _LOOKED_AT))
        for name, column in columns.items()
        if column.kind == "text" and column.classes is None
    }
    return frozenset(name for name, cells in given.items() if cells and all(map(is_picture_name, cells)))


def reads_files(variable: Variable, entry: ColumnSpec, standing: Standing) -> bool:
    """The variable is read from the picture files that its column names."""
    column = (standing.info.columns or {}).get(entry.column or "")
    if column is None or column.repeated or not _is_table(standing.source) or not names_files(variable, entry):
        return False
    return entry.folder is not None or not column.values or bool(columns_of_file_names({column.name: column}))


def _is_table(source: Source) -> bool:
    return isinstance(source, FileSource) and source.holds_names


def check_folder(standing: Standing, entry: ColumnSpec, report: Report) -> None:
    """GS084 for `folder` where no cell names a file."""
    if entry.folder is None or standing.info.columns is None:
        return
    path: Path = ("data", "variables", standing.variable.name, "folder")
    if not _is_table(standing.source):
        message = f"`folder` is for a table whose cells name picture files, and {standing.called} is none"
        report.error("GS084", path, message, key=True, hint="leave it out")
    elif not names_files(standing.variable, entry):
        message = f"`folder` needs one column of file names and an image, and '{standing.variable.name}' is none"
        hint = "declare a shape such as [1, 28, 28]: channels, height, width"
        report.error("GS084", path, message, key=True, hint=hint)


def with_pictures(standing: Standing, entry: ColumnSpec, data: DataSection, place: Path, report: Report) -> Standing:
    """The column as its pictures have it; GS088 for files that are not there or cannot be read, GS107 for those that no
    row names."""
    info, source = standing.info, standing.source
    assert info.columns is not None and entry.column is not None and isinstance(source, FileSource)
    try:
        named = _named(standing, entry, source, dialect_of(data))
        named.refuse_missing()
        if not standing.variable.missing:
            named.refuse_blank()
        cells = [(named.place(row), file) for row, file in named.files.items()]
        if not cells:
            raise SourceError(f"column {entry.column} of {standing.called} names no picture", "choose another column")
        column = probed_column(entry.column, standing.called, cells, data.on_error == "skip")
    except SourceError as error:
        report.error("GS088", place, error.message, hint=error.hint)
        return replace(standing, info=replace(info, columns=None))
    for remark in named.remarks():
        report.error("GS107", place, remark.message, hint=remark.hint, severity="warning" if remark.serious else "note")
    return replace(standing, info=replace(info, columns={**info.columns, entry.column: column}), seen=True)


def _named(standing: Standing, entry: ColumnSpec, source: FileSource, dialect: Dialect) -> NamedFiles:
    """The cells of all splits; of a very large table those of its first rows."""
    name = entry.column or ""
    column = (standing.info.columns or {})[name]
    cells = {split: _cells(source, path, column, dialect) for split, path in source.tables.items()}
    return NamedFiles.of(source.path.name, name, cells, source.tables, FileColumn.of(entry))


def _cells(source: FileSource, path: FilePath, column: Column, dialect: Dialect) -> list[str]:
    found = row_cells(replace(source, path=path, test=None), {column.name: column}, [column.name], dialect)
    return [str(cell) for cell in (found[column.name][0] if found else column.values)]


def refuse_file_names(place: Path, column: str, variable: Variable, report: Report) -> None:
    """GS083: a name is no value."""
    message = f"column {column} holds names of picture files, and '{variable.name}' is no picture"
    hint = f"declare `shape: [channels, height, width]` and read {{column: {column}, folder: FOLDER}}"
    report.error("GS083", place, message, hint=hint)
