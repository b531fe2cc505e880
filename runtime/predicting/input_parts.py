"""What an input is to whoever answers its rows: parts of rows side by side, of columns as they are stored."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime.data.read.table import Array, Column, Parts


@dataclass(frozen=True)
class InputPart:
    """Some rows, side by side. first: the number of the first of them in the input; own: cells of the input's own
    columns, by place, as they are stored; columns: what the model may read."""

    first: int
    rows: int
    own: tuple[Any, ...]
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class InputTable:
    """name: for messages. path: of a file or folder. header: the own columns, in order; readable: the names that can be
    read. rows: None where they are not counted. parts: so many rows at a time. separator: of a table of text.
    arrays: columns are arrays of an .npz file or in memory, and may have cells of more than one value."""

    name: str
    path: Path | None
    header: tuple[str, ...]
    readable: tuple[str, ...]
    rows: int | None
    parts: Callable[[int], Iterator[InputPart]]
    separator: str | None = None
    arrays: bool = False


def sliced(column: Column, start: int, stop: int) -> Array:
    """Rows side by side, read into memory."""
    if isinstance(column, Parts):
        return column.take(np.arange(start, min(stop, len(column))))
    return own_copy(column[start:stop])


def own_copy(cells: Array) -> Array:
    """In memory that nobody else has: tensors are made of it."""
    return np.require(cells, requirements="W")
