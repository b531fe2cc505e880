"""X as an estimator was given it: columns by name, numbers apart from classes, as arrays that a run can read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kind = Literal["number", "binary", "category"]


@dataclass(frozen=True)
class GivenColumns:
    """cells: by name, [N] each, numbers as float64 (NaN for blanks), all else as text ("" for blanks). kinds: of each.
    named: the names are the caller's own."""

    cells: Mapping[str, Array]
    kinds: Mapping[str, Kind]
    named: bool

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.cells.values())))

    @property
    def numbers(self) -> Array:
        """[N, columns], all of them. Raises ValueError where one is none."""
        texts = [name for name, kind in self.kinds.items() if kind == "category"]
        if texts:
            raise ValueError(f"column {texts[0]!r} holds texts, and this spec reads numbers by their place")
        return np.stack(list(self.cells.values()), axis=1)


def has_columns_of_texts(X: Any) -> bool:
    """X is a data frame with columns that are no numbers; it is then not made an array."""
    if not (hasattr(X, "columns") and hasattr(X, "iloc")):
        return False
    return any(_kind(X.iloc[:, place]) != "number" for place in range(len(X.columns)))


def columns_of_frame(X: Any) -> GivenColumns:
    """A data frame with columns of any kind."""
    names = [str(name) for name in X.columns]
    kinds = {name: _kind(X.iloc[:, place]) for place, name in enumerate(names)}
    cells = {name: _cells(X.iloc[:, place], kinds[name]) for place, name in enumerate(names)}
    return GivenColumns(cells, kinds, named=True)


def columns_of_array(X: Array, names: Array | None) -> GivenColumns:
    """Numbers [N, columns]; without names columns are called x0, x1, ..."""
    called = [f"x{place}" for place in range(X.shape[1])] if names is None else [str(name) for name in names]
    cells = {name: np.ascontiguousarray(X[:, place], dtype=np.float64) for place, name in enumerate(called)}
    return GivenColumns(cells, dict.fromkeys(called, "number"), named=names is not None)


def _kind(column: Any) -> Kind:
    kind = getattr(column.dtype, "kind", "O")
    if kind == "b":
        return "binary"
    return "number" if kind in "iuf" else "category"


def _cells(column: Any, kind: Kind) -> Array:
    values = column.to_numpy(dtype=object)
    absent = np.array([is_absent(cell) for cell in values], dtype=np.bool_)
    if kind == "category":
        return np.array(["" if gone else str(cell).strip() for cell, gone in zip(values, absent, strict=True)], np.str_)
    return np.array([np.nan if gone else float(cell) for cell, gone in zip(values, absent, strict=True)])


def is_absent(cell: Any) -> bool:
    """None, NaN and what pandas has for them, or an empty text."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return True
    return str(cell) in ("", "<NA>", "NaT")
