"""A table with a column of picture files' names: the commonest layout there is, which comes later."""

from collections.abc import Mapping
from itertools import islice

from graphspec.headers.columns import Column
from graphspec.headers.folder_listing import is_picture_name
from graphspec.headers.folder_remarks import NPZ_WAY_OUT
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


def refuse_file_names(place: Path, column: str, variable: str, report: Report) -> None:
    """GS090: the pictures of a table's file names are not read yet."""
    message = f"column {column} holds names of picture files, and '{variable}' cannot be read from those yet"
    report.error("GS090", place, message, hint=NPZ_WAY_OUT)
