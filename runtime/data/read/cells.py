"""Cells as stored -> numbers: text, names of classes, and everything that means blank.

From: one raw column. To: numbers with blanks as NaN (floats) or -1 (whole numbers of a discrete variable). What text
means, `graphspec.headers.cell_reader` says; arrays of numbers are held to the same rules here, all cells at once.
Not here: shapes and ranges (`values`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import LARGEST_WHOLE, CellReader, signs_problem
from graphspec.headers.numbers import PLAIN_NUMBERS, NumberFormat, look_alike
from graphspec.language.data import Cell
from graphspec.reading.suggestions import did_you_mean, few
from runtime.data.read.table import Array
from runtime.errors import DataError

BLANK = -1


@dataclass(frozen=True)
class Place:
    """Where an array comes from, for messages: its column (or several, stacked along the second axis), and which rows.

    first: number of its first row in the source; whole: the array is all of the source, so that counts are of all rows.
    where: a row in words, where it has a better name than its number.
    """

    columns: tuple[str, ...]
    first: int = 0
    whole: bool = True
    where: Callable[[int], str] | None = None

    def describe(self, index: Sequence[int]) -> str:
        """`column 'x', row 3, element [0, 2]` of one element; of stacked columns the one it is in."""
        row, *element = (int(i) for i in index)
        stacked = len(self.columns) > 1 and bool(element)
        column = self.columns[element[0]] if stacked else ", ".join(self.columns)
        inside = f", element {element}" if element and not stacked else ""
        named = f"row {self.first + row}" if self.where is None else self.where(self.first + row)
        return f"column {column!r}, {named}{inside}"


# --- text ---------------------------------------------------------------------------------------------------------


def read_text(
    place: Place, cells: Array, variable: Variable, missing: tuple[Cell, ...], numbers: NumberFormat
) -> Array:
    """Text cells as numbers: floats with NaN for blanks, or whole numbers (class indices) with -1 for them.

    Raises DataError for a cell that is no value, and for a column that could be coded in two ways.
    """
    distinct, position = _distinct(cells)
    reader = CellReader(variable, missing, distinct, numbers)
    if reader.could_be_signs:
        found = np.array([numbers.number(cell.strip()) == -1 for cell in distinct])
        raise _two_codings(variable, place, int(found[position].sum()), 0.0 in reader.values)
    wrong = np.array([value is None for value in reader.values], dtype=np.bool_)
    if wrong.any():
        raise _bad_text(place, cells, wrong[position], variable, numbers)
    values = np.array(reader.values, dtype=np.float64)
    if variable.discrete:
        values = np.where(np.isnan(values), BLANK, values).astype(np.int64)
    result: Array = values[position]
    return result


def _distinct(cells: Array) -> tuple[list[str], NDArray[np.int64]]:
    """The different cells in order of first appearance, and which of them each cell is."""
    places: dict[str, int] = {}
    position = np.fromiter(
        (places.setdefault(cell, len(places)) for cell in cells.ravel().tolist()), np.int64, cells.size
    )
    return list(places), position.reshape(cells.shape)


def _bad_text(
    place: Place, cells: Array, wrong: NDArray[np.bool_], variable: Variable, numbers: NumberFormat
) -> DataError:
    found = list(dict.fromkeys(map(str, cells[wrong].tolist())))
    if variable.discrete and variable.names:
        hint = (
            f"{did_you_mean(found[0], variable.names)} {legal_values(variable)}; list what means blank: missing: [...]"
        )
        return bad_cell(place, cells, wrong, f"is no value of {variable.name}", hint.strip())
    hint = look_alike([cell.strip() for cell in found], numbers)
    if numbers.number(found[0].strip()) is None:
        return bad_cell(place, cells, wrong, "is not a number", hint or "list what means blank: missing: [...]")
    legal = f"{variable.name} is a {variable.domain}: {legal_values(variable)}"
    return bad_cell(place, cells, wrong, "is not a whole number", legal)


# --- numbers ------------------------------------------------------------------------------------------------------


def blank_cells(cells: Array, missing: Sequence[Cell]) -> NDArray[np.bool_]:
    """True where a number is NaN or listed in `missing`."""
    blank = np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(cells.shape, dtype=np.bool_)
    for value in missing:
        number = PLAIN_NUMBERS.number(str(value).strip())
        if number is not None:
            blank |= cells == number
    return blank


def as_floats(cells: Array, blank: NDArray[np.bool_]) -> Array:
    """Numbers with NaN for blanks; floats keep their precision."""
    result: Array = cells.astype(_float_type(cells), copy=False)
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

    Raises DataError for a number that is not whole, or none of the names where these are numbers.
    """
    names = _names_as_numbers(variable)
    if names:
        return _from_names(place, cells, blank, variable, names)
    if cells.dtype.kind in "bui" and cells.dtype.itemsize < 8 and not blank.any():
        return cells.astype(_signed(cells), copy=False)
    whole = np.where(blank, BLANK, as_floats(cells, blank))
    wrong = ~(np.abs(whole) <= LARGEST_WHOLE) | (whole != np.round(whole))
    if wrong.any():
        raise bad_cell(
            place,
            cells,
            wrong,
            "is not a whole number",
            f"{variable.name} is a {variable.domain}: {legal_values(variable)}",
        )
    return whole.astype(np.int64)


def _signed(cells: Array) -> str:
    """The smallest signed type that has all values of the cells' own: int8 for bool, int16 for uint8."""
    return f"i{cells.dtype.itemsize * (2 if cells.dtype.kind == 'u' else 1)}"


def _names_as_numbers(variable: Variable) -> list[float]:
    """The names that numbers are matched with: only names that are all numbers."""
    numbers = [PLAIN_NUMBERS.number(name.strip()) for name in variable.names]
    return [number for number in numbers if number is not None] if None not in numbers else []


def _from_names(
    place: Place, cells: Array, blank: NDArray[np.bool_], variable: Variable, names: Sequence[float]
) -> NDArray[np.int64]:
    result = np.full(cells.shape, BLANK, dtype=np.int64)
    named = np.zeros(cells.shape, dtype=np.bool_)
    for index, name in enumerate(names):
        same = cells == name
        result[same], named = index, named | same
    wrong = ~(named | blank | (cells == BLANK))
    if wrong.any():
        hint = f"{legal_values(variable)}; list what means blank: missing: [...]"
        raise bad_cell(place, cells, wrong, f"is no value of {variable.name}", hint)
    return result


@dataclass
class SignsSeen:
    """Whether numbers are only -1 and 1, or -1, 0 and 1, so that -1 could be a value or a blank: some at a time."""

    variable: Variable
    low: float = np.inf
    high: float = -np.inf
    zeros: bool = False
    minus_ones: int = 0

    def look_at(self, cells: Array, missing: Sequence[Cell]) -> None:
        """Count some more cells, if the variable has values at all that could be mistaken."""
        if not self.variable.discrete or cells.dtype.kind not in "if" or -1 in _names_as_numbers(self.variable):
            return
        given = cells[~blank_cells(cells, missing)]
        if given.size:
            self.low, self.high = min(self.low, float(given.min())), max(self.high, float(given.max()))
            self.minus_ones += int((given == BLANK).sum())
            self.zeros |= bool((given == 0).any())

    def refuse(self, place: Place) -> None:
        """Raise DataError if that is all there is."""
        if (self.low, self.high) == (-1, 1):
            raise _two_codings(self.variable, place, self.minus_ones, self.zeros)


def _two_codings(variable: Variable, place: Place, minus_ones: int, zeros: bool) -> DataError:
    return DataError(*signs_problem(variable, ", ".join(place.columns), minus_ones, zeros))


# --- messages -----------------------------------------------------------------------------------------------------


def legal_values(variable: Variable) -> str:
    """`values are 0 to 9`, for hints."""
    if variable.names:
        return f"values are {few(variable.names, 8)}"
    if variable.support is not None:
        return f"values are {variable.minimum} to {variable.minimum + variable.support - 1}"
    return f"values are whole numbers from {variable.minimum} on"


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
