"""Cells as stored -> numbers: text, names of classes, and everything that means blank.

From: one raw column. To: numbers with blanks as NaN (floats) or -1 (whole numbers of a discrete variable).
Not here: shapes and ranges (`values`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from graphspec.reading.suggestions import did_you_mean
from runtime.data.read.table import Array
from runtime.errors import DataError

BLANK = -1


@dataclass(frozen=True)
class Place:
    """Where an array comes from, for messages: its column (or several, stacked along the second axis), and which rows.

    first: number of its first row in the source; whole: the array is all of the source, so that counts are of all rows.
    """

    columns: tuple[str, ...]
    first: int = 0
    whole: bool = True

    def describe(self, index: Sequence[int]) -> str:
        """`column 'x', row 3, element [0, 2]` of one element; of stacked columns the one it is in."""
        row, *element = (int(i) for i in index)
        stacked = len(self.columns) > 1 and bool(element)
        column = self.columns[element[0]] if stacked else ", ".join(self.columns)
        inside = f", element {element}" if element and not stacked else ""
        return f"column {column!r}, row {self.first + row}{inside}"


def blank_cells(cells: Array, missing: Sequence[int | float | str]) -> NDArray[np.bool_]:
    """True where a cell is empty, NaN, or listed in `missing` (which matches text and numbers alike)."""
    if cells.dtype.kind == "U":
        blank: NDArray[np.bool_] = np.char.strip(cells) == ""
        values, position = np.unique(cells, return_inverse=True)
        listed = np.array([_is_listed(str(value), missing) for value in values], dtype=np.bool_)
        return blank | listed[position.reshape(cells.shape)]
    blank = np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(cells.shape, dtype=np.bool_)
    for value in missing:
        number = _number(str(value))
        if number is not None:
            blank |= cells == number
    return blank


def _is_listed(cell: str, missing: Sequence[int | float | str]) -> bool:
    number = _number(cell)
    if number is not None and np.isnan(number):
        return True
    return any(cell.strip() == str(value) or (number is not None and number == _number(str(value)))
               for value in missing)  # fmt: skip


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def as_floats(place: Place, cells: Array, blank: NDArray[np.bool_]) -> Array:
    """Numbers with NaN for blanks; floats keep their precision. Raises DataError for text that is no number."""
    if cells.dtype.kind == "U":
        values, position = np.unique(cells, return_inverse=True)
        numbers = np.array([_number(str(value)) for value in values], dtype=np.float64)
        result: Array = numbers[position.reshape(cells.shape)]
        wrong = np.isnan(result) & ~blank
        if wrong.any():
            raise bad_cell(place, cells, wrong, "is not a number", "list what means blank: missing: [...]")
    else:
        result = cells.astype(_float_type(cells), copy=False)
    if (blank & ~np.isnan(result)).any():
        result = np.where(blank, result.dtype.type(np.nan), result)
    return result


def _float_type(cells: Array) -> type[np.floating]:
    """Floats keep their precision as far as torch has it; bytes and half precision fit float32 exactly."""
    size = cells.dtype.itemsize
    small = size <= 4 if cells.dtype.kind == "f" else cells.dtype.kind == "b" or size == 1
    return np.float32 if small else np.float64


def as_integers(place: Place, cells: Array, blank: NDArray[np.bool_], variable: Variable) -> Array:
    """Class indices, 0/1 or counts, with -1 for blanks, in some signed type.

    Raises DataError for a cell that is neither number nor name.
    """
    names = _names_that_count(cells, variable)
    if names:
        return _from_names(place, cells, blank, variable, names)
    if cells.dtype.kind in "bui" and cells.dtype.itemsize < 8 and not blank.any():
        return cells.astype(_signed(cells), copy=False)
    numbers = as_floats(place, cells, blank)
    whole = np.where(blank, BLANK, numbers)
    wrong = ~np.isfinite(whole) | (whole != np.round(whole))
    if wrong.any():
        raise bad_cell(
            place, cells, wrong, "is not a whole number", f"{variable.name} is a {variable.domain}: {_legal(variable)}"
        )
    return whole.astype(np.int64)


def _signed(cells: Array) -> str:
    """The smallest signed type that has all values of the cells' own: int8 for bool, int16 for uint8."""
    return f"i{cells.dtype.itemsize * (2 if cells.dtype.kind == 'u' else 1)}"


def _names_that_count(cells: Array, variable: Variable) -> tuple[str, ...]:
    """The names cells are matched with: for numbers stored as numbers only names that are all numbers."""
    if cells.dtype.kind == "U" or (variable.names and all(_number(name) is not None for name in variable.names)):
        return variable.names
    return ()


def _from_names(
    place: Place, cells: Array, blank: NDArray[np.bool_], variable: Variable, names: Sequence[str]
) -> NDArray[np.int64]:
    values, position = np.unique(cells, return_inverse=True)
    index_of = {name: index for index, name in enumerate(names)}
    codes = np.array([_class_of(str(value), index_of) for value in values], dtype=np.int64)
    result: NDArray[np.int64] = codes[position.reshape(cells.shape)]
    result[blank] = BLANK
    wrong = (result == _UNKNOWN) & ~blank
    if wrong.any():
        first = str(cells[tuple(np.argwhere(wrong)[0])])
        hint = f"{did_you_mean(first, names)} {_legal(variable)}; list what means blank: missing: [...]".strip()
        raise bad_cell(place, cells, wrong, f"is no value of {variable.name}", hint)
    return result


_UNKNOWN = -2


def _class_of(cell: str, index_of: dict[str, int]) -> int:
    """A name's index (a number written otherwise, 3.0 for 3, is the same name), else a class index, -1 for blank."""
    if cell.strip() in index_of:
        return index_of[cell.strip()]
    number = _number(cell)
    if number is None or number != round(number):
        return _UNKNOWN
    if str(round(number)) in index_of:
        return index_of[str(round(number))]
    numeric_names = all(_number(name) is not None for name in index_of)
    inside = number == BLANK or (0 <= number < len(index_of) and not numeric_names)
    return round(number) if inside else _UNKNOWN


def _legal(variable: Variable) -> str:
    if variable.names:
        shown = ", ".join(variable.names[:8]) + (", ..." if len(variable.names) > 8 else "")
        return f"values are {shown}"
    if variable.support is not None:
        return f"values are {variable.minimum} to {variable.minimum + variable.support - 1}"
    return f"values are whole numbers from {variable.minimum} on"


def legal_values(variable: Variable) -> str:
    """`values are 0 to 9`, for hints."""
    return _legal(variable)


def bad_cell(place: Place, cells: Array, wrong: NDArray[np.bool_], what: str, hint: str) -> DataError:
    """A DataError about the first wrong cell, its row (0-based) and how many more there are.

    cells, wrong: [N, ...] of one shape.
    """
    first = np.argwhere(wrong)[0]
    rows = int(wrong.reshape(len(wrong), -1).any(axis=1).sum())
    value = cells[tuple(first)]
    shown = repr(str(value)) if cells.dtype.kind == "U" else f"{value:g}" if cells.dtype.kind == "f" else str(value)
    more = f" (and {'' if place.whole else 'at least '}{rows - 1} more rows)" if rows > 1 else ""
    return DataError(f"{place.describe(first)}: {shown} {what}{more}", hint)
