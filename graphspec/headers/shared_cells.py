"""Cells that all lines of a row share: what means the same, and what is blank to the variable that reads them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import CellReader, read_as
from graphspec.headers.key_cells import LayoutError, Where, canonical
from graphspec.headers.line_groups import Units, agreed
from graphspec.headers.numbers import NumberFormat
from graphspec.language import ColumnSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

Reader = tuple[Variable, ColumnSpec]


def shared_lines(
    column: str, cells: Sequence[str], read: Reader | None, units: Units, where: Where, numbers: NumberFormat
) -> "NDArray[Any]":
    """[units] the line whose cell speaks for each: the first that is not blank. read: the variable that reads the
    column; None for one that only splits rows. LayoutError where two lines of a unit differ."""
    same, blank = _meanings(cells, column, read, numbers)
    chosen, differ = agreed(same, blank, units)
    if differ is not None:
        first, other = differ
        message = f"{where(other)}: {column} is {cells[other]!r}, and {cells[first]!r} in {where(first)}"
        raise LayoutError(message, differing_hint(column, read))
    return chosen


def differing_hint(column: str, read: Reader | None) -> str:
    """What to do about lines of one row that differ."""
    if read is None:
        return "rows are split by it: lines of one row agree in it, or leave it blank"
    name = read[0].name
    return (
        f"lines of one row agree in '{name}' or leave it blank; if it differs by element, put '{name}' into the plate"
    )


def _meanings(
    cells: Sequence[str], column: str, read: Reader | None, numbers: NumberFormat
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """[lines] equal numbers for cells that mean the same, and which are blank."""
    import numpy as np

    distinct = {cell: place for place, cell in enumerate(dict.fromkeys(cells))}
    codes: dict[str, int] = {}
    meaning = [codes.setdefault(canonical(cell.strip()), len(codes)) for cell in distinct]
    if read is None:
        blanks = [not cell.strip() for cell in distinct]
    else:
        variable, entry = read
        reader = CellReader(read_as(variable, entry), entry.missing_in(column), tuple(distinct), numbers)
        blanks = [reader.is_blank(cell) for cell in distinct]
    places = np.array([distinct[cell] for cell in cells], dtype=np.int64)
    return np.array(meaning, dtype=np.int64)[places], np.array(blanks, dtype=np.bool_)[places]
