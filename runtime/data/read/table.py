"""A source once read: raw columns, one array each, and where the source's own test split begins.

Not here: what a variable makes of a column (`values`), or who reads which source (`reading`).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphspec.reading.suggestions import did_you_mean, few
from runtime.data.read.row_identity import Identities, by_place
from runtime.errors import DataError

Array = NDArray[Any]

_HASHED_BYTES = 2**24


@dataclass(frozen=True)
class Parts:
    """A column too large to be loaded: arrays mapped from files, rows of one after rows of the other."""

    arrays: tuple[Array, ...]

    def __len__(self) -> int:
        return sum(len(array) for array in self.arrays)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one element, the same in all parts."""
        return self.arrays[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, ...] of all parts together."""
        return (len(self), *self.arrays[0].shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes of all parts in their files."""
        return sum(array.nbytes for array in self.arrays)

    def take(self, rows: NDArray[np.int64]) -> Array:
        """The rows [B], read into memory."""
        if len(self.arrays) == 1:
            return np.asarray(self.arrays[0][rows])
        result = np.empty((len(rows), *self.shape[1:]), self.dtype)
        first = 0
        for array in self.arrays:
            here = (rows >= first) & (rows < first + len(array))
            result[here] = array[rows[here] - first]
            first += len(array)
        return result

    def chunks(self, size: int) -> Iterator[tuple[int, Array]]:
        """(first row, some rows) of about `size` bytes, in order; views, which a look at reads from the file."""
        first = 0
        for array in self.arrays:
            step = max(1, size * len(array) // max(1, array.nbytes))
            for start in range(0, len(array), step):
                yield first + start, array[start : start + step]
            first += len(array)


Column = Array | Parts


def whole(column: Column) -> Array:
    """All of a column in memory."""
    return np.concatenate(column.arrays) if isinstance(column, Parts) else column


def taken(column: Column, rows: NDArray[np.bool_]) -> Column:
    """The rows [N] that are True; of a large column, the stretches between the others, still mapped."""
    if not isinstance(column, Parts):
        return column[rows]
    edges = np.flatnonzero(np.diff(rows.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    arrays, first = [], 0
    for array in column.arrays:
        stretches = np.clip(edges - first, 0, len(array))
        arrays += [array[start:end] for start, end in stretches.tolist() if end > start]
        first += len(array)
    return Parts(tuple(arrays))


def joined_rows(column: str, train: Column, test: Column) -> Column:
    """Rows of the training split, then of the test split. Raises DataError where their cells differ in shape."""
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"column {column!r} has cells of shape {list(train.shape[1:])} in the training split and "
            f"{list(test.shape[1:])} in the test split",
            "write both splits alike",
        )
    if isinstance(train, Parts) or isinstance(test, Parts):
        both = [part.arrays if isinstance(part, Parts) else (part,) for part in (train, test)]
        if train.dtype == test.dtype:
            return Parts((*both[0], *both[1]))
    return np.concatenate([whole(train), whole(test)])


@dataclass(frozen=True)
class Table:
    """Columns as stored: [N, ...] numbers, [N] text, or [N] objects where images differ in size ([C, H, W] each);
    large ones of numbers as `Parts`.

    Rows are numbered from 0: the source's training split first, then its test split.
    training_rows: rows of the source's own training split; None where the source has no split of its own.
    classes: class names in index order, where the source itself orders them (folders of images).
    named: [N] who each row is wherever it stands, where the source names its rows. Two rows may have the same name.
    where: a row in words, where it has a better name than its number. known_as: [N] the picture file that each row
    is, or its key, by which people know it.
    """

    name: str
    columns: Mapping[str, Column]
    training_rows: int | None = None
    classes: Mapping[str, tuple[str, ...]] | None = None
    notes: tuple[str, ...] = ()
    named: Identities | None = None
    where: Callable[[int], str] | None = None
    known_as: NDArray[np.str_] | None = None

    @property
    def rows(self) -> int:
        """Number of rows, the source's own test split included."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def identities(self) -> Identities:
        """[N] who each row is: by its name, else by its place in the source."""
        if self.named is not None:
            return self.named
        training = self.rows if self.training_rows is None else self.training_rows
        return by_place(training, self.rows - training)

    def fingerprint(self) -> str:
        """SHA-256 over names, types, shapes and contents of the columns read, in the order of their names."""
        digest = hashlib.sha256()
        for name in sorted(self.columns):
            column = self.columns[name]
            for cell in _cells(column):
                digest.update(f"{name}|{cell.dtype.str}|{cell.shape}|".encode())
                for part in cell.arrays if isinstance(cell, Parts) else (cell,):
                    for piece in _bytes_of(part):
                        digest.update(piece)
        return digest.hexdigest()


def _cells(column: Column) -> Sequence[Column]:
    """What has one shape: the images of a ragged column, else the column."""
    return (column,) if isinstance(column, Parts) or column.dtype != object else tuple(column)


def _bytes_of(array: Array) -> Iterator[memoryview]:
    """The contents in order, some at a time, without a copy of the whole."""
    if array.ndim == 0 or not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    flat = array.reshape(-1).view(np.uint8)
    for start in range(0, len(flat), _HASHED_BYTES):
        yield flat[start : start + _HASHED_BYTES].data


def make_table(
    name: str,
    columns: Mapping[str, Column],
    training_rows: int | None = None,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    notes: tuple[str, ...] = (),
    named: Identities | None = None,
) -> Table:
    """A table whose columns agree. Raises DataError where row counts differ or there are no rows."""
    counts = {column: len(values) for column, values in columns.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{column} {rows}" for column, rows in counts.items())
        raise DataError(
            f"columns of {name} have different numbers of rows: {listed}", "every column has one cell a row"
        )
    if not any(counts.values()):
        raise DataError(f"{name} has no rows", "check that the file was written completely")
    return Table(name, columns, training_rows, classes, notes, named)


def require_columns(source: str, available: Iterable[str], needed: Iterable[str]) -> None:
    """Raise DataError for the first needed column that the source does not have, with the likeliest name."""
    there = dict.fromkeys(available)
    for name in needed:
        if name not in there:
            hint = f"{did_you_mean(name, there)} columns: {few(there)}".strip()
            raise DataError(f"{source} has no column {name!r}", hint)
