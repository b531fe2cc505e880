"""A table with a column of picture files' names: the commonest layout there is, which comes later."""

from itertools import islice

from graphspec.headers import SourceError, csv_rows
from graphspec.headers.folder_listing import is_picture_name
from graphspec.headers.folder_remarks import NPZ_WAY_OUT
from graphspec.headers.sources import FileSource, Source
from graphspec.text.report import Report
from graphspec.text.tree import Path

_LOOKED_AT = 50
"""First rows of a table that are looked at."""


def columns_of_file_names(source: Source) -> frozenset[str]:
    """Columns of a .csv whose first cells are names of picture files, blanks aside."""
    if not isinstance(source, FileSource) or source.format != "csv":
        return frozenset()
    try:
        header, *rows = islice(csv_rows(source.path), _LOOKED_AT + 1)
    except (SourceError, ValueError):  # told where columns are looked up
        return frozenset()
    given = {name: [row[i] for row in rows if row[i]] for i, name in enumerate(header)}
    return frozenset(name for name, cells in given.items() if cells and all(map(is_picture_name, cells)))


def refuse_file_names(place: Path, column: str, variable: str, report: Report) -> None:
    """GS090: the pictures of a table's file names are not read yet."""
    message = f"column {column} holds names of picture files, and '{variable}' cannot be read from those yet"
    report.error("GS090", place, message, hint=NPZ_WAY_OUT)
