"""A source once read: raw columns, one array each, and where the source's own test split begins.

Not here: what a variable makes of a column (`values`), or who reads which source (`reading`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphspec.suggestions import did_you_mean
from runtime.errors import DataError

Array = NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Columns as stored: [N, ...] numbers, [N] text, or [N] objects where images differ in size ([C, H, W] each).

    Rows are numbered from 0: the source's training split first, then its test split.
    training_rows: rows of the source's own training split; None where the source has no split of its own.
    classes: class names in index order, where the source itself orders them (folders of images).
    """

    name: str
    columns: Mapping[str, Array]
    training_rows: int | None = None
    classes: Mapping[str, tuple[str, ...]] | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows, the source's own test split included."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def fingerprint(self) -> str:
        """SHA-256 over names, types, shapes and contents of the columns read, in the order of their names."""
        digest = hashlib.sha256()
        for name in sorted(self.columns):
            column = self.columns[name]
            parts = column if column.dtype == object else (column,)
            for part in parts:
                digest.update(f"{name}|{part.dtype.str}|{part.shape}|".encode())
                digest.update(np.ascontiguousarray(part).view(np.uint8).data if part.size else b"")
        return digest.hexdigest()


def make_table(
    name: str,
    columns: Mapping[str, Array],
    training_rows: int | None = None,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    notes: tuple[str, ...] = (),
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
    return Table(name, columns, training_rows, classes, notes)


def require_columns(source: str, available: Iterable[str], needed: Iterable[str]) -> None:
    """Raise DataError for the first needed column that the source does not have, with the likeliest name."""
    there = list(available)
    for name in needed:
        if name not in there:
            hint = f"{did_you_mean(name, there)} columns: {', '.join(there)}".strip()
            raise DataError(f"{source} has no column {name!r}", hint)
