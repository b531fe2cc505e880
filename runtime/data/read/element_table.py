"""Columns of the elements of a plate, one after the other, and which row has which."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.data.read.table import Array, Column, whole

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class ElementTable:
    """All elements of one plate, those of a row side by side.

    columns: [total, ...] each. lengths: [outer] how many each row has (in nested plates each element of the plate
    outside). starts: [N + 1] the first element of each row, and their number; places: [total] where each stands in its
    row, counted through all plates; sizes: room of the plates, outermost first. where: an element in words.
    """

    name: str
    columns: Mapping[str, Column]
    lengths: Numbers
    starts: Numbers
    places: Numbers
    sizes: tuple[int, ...]
    where: Callable[[int], str]

    @property
    def total(self) -> int:
        """Number of elements."""
        return len(self.places)

    @property
    def full(self) -> bool:
        """Every row has as many elements as there is room for."""
        return self.total == (len(self.starts) - 1) * int(np.prod(self.sizes))


def placed(lengths: Numbers, size: int, outer: "ElementTable | None") -> tuple[Numbers, Numbers, tuple[int, ...]]:
    """`starts`, `places` and `sizes` of elements of which each unit outside has `lengths` many, side by side."""
    first = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    unit = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(first[-1]) - first[unit]
    if outer is None:
        return first, within, (size,)
    return first[outer.starts], outer.places[unit] * size + within, (*outer.sizes, size)


def as_texts(column: Column) -> list[str]:
    """Cells of single values as text: whole numbers without a point, blanks as nothing. Keys are compared so."""
    cells = whole(column)
    if cells.dtype.kind == "U":
        texts: list[str] = cells.tolist()
        return texts
    if cells.dtype.kind == "f":
        return ["" if cell != cell else str(int(cell)) if cell.is_integer() else repr(cell) for cell in cells.tolist()]
    return [str(int(cell)) for cell in cells.tolist()]


def chosen_lines(column: Column, lines: Numbers | Sequence[int]) -> Array:
    """Cells of some lines, in their order."""
    return whole(column)[np.asarray(lines, dtype=np.int64)]
