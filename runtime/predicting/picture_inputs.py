"""Inputs whose cells name picture files: the model reads their pixels, the output keeps their names."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from graphspec.headers import SourceError
from runtime.data.read.named_pictures import named_pictures
from runtime.data.read.table import Array, Column, whole
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import DataError
from runtime.predicting.input_parts import InputPart, InputTable, sliced
from runtime.predicting.used_run import UsedRun

_ROWS_AT_ONCE = 10_000


def with_pictures(table: InputTable, used: UsedRun, tell: Tell, beside: Path | None = None) -> InputTable:
    """The table with pixels for names of files. They are all read first, on one scale, as in training: in memory, or
    beyond that by the decoded copy.

    beside: a file that stands where the table does; None where it is one in memory, or read from standard input.
    """
    wanted = {name: column for name, column in used.readings.named.items() if name in table.readable}
    cells = _texts(table, list(wanted)) if wanted else {}
    if not cells:
        return table
    place = beside or Path().absolute() / "table"
    try:
        read = {n: named_pictures(table.name, n, each, place, wanted[n], tell) for n, each in cells.items()}
    except SourceError as error:
        raise DataError(error.message, error.hint) from error

    def parts(size: int) -> Iterator[InputPart]:
        for part in table.parts(size):
            yield replace(part, columns=_with(part, read))

    return replace(table, parts=parts)


def _texts(table: InputTable, names: list[str]) -> dict[str, Array]:
    """The columns among some that hold text."""
    found: dict[str, list[Array]] = {name: [] for name in names}
    for part in table.parts(_ROWS_AT_ONCE):
        for name in found:
            found[name].append(whole(part.columns[name]))
    columns = {name: np.concatenate(some) for name, some in found.items()}
    return {name: cells for name, cells in columns.items() if cells.dtype.kind == "U" and cells.ndim == 1}


def _with(part: InputPart, read: Mapping[str, Column]) -> dict[str, Column]:
    pixels = {name: sliced(column, part.first, part.first + part.rows) for name, column in read.items()}
    return {**part.columns, **pixels}
