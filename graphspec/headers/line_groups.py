"""Lines of a table put together to rows and elements, by their keys.

From: key and order columns as text. To: `Units` of each level, rows or elements of a plate: which lines are whose, and
in what order. `check` and the runtime ask the same functions, so that what the one accepts the other reads. Raises
`LayoutError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphspec.headers.element_tables import LineTable
from graphspec.headers.key_cells import LayoutError, Where, read_keys, read_order
from graphspec.headers.numbers import NumberFormat
from graphspec.reading.suggestions import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

Key = tuple[str, ...]


@dataclass(frozen=True)
class Units:
    """Rows, or all elements of one plate, as they stand among the lines of a table.

    of_line: [lines] the unit that each line belongs to; first: [units] its first line in the file. outer: [units] the
    unit one level outside that each stands in, never falling; None for rows. ties: units that share their place in the
    order with another one of the same outer unit.
    """

    of_line: "Numbers"
    first: "Numbers"
    outer: "Numbers | None" = None
    ties: int = 0

    def __len__(self) -> int:
        return len(self.first)

    def lengths(self, outer: int) -> "Numbers":
        """[outer] how many there are in each unit one level outside."""
        import numpy as np

        assert self.outer is not None, "rows are in nothing"
        return np.bincount(self.outer, minlength=outer)


@dataclass(frozen=True)
class Named:
    """Units of the level outside a table, by their keys: for each the texts of the key columns."""

    keys: Sequence[Key]
    table: str


def rows_as_units(count: int) -> Units:
    """Lines that are rows by themselves."""
    import numpy as np

    return Units(np.arange(count), np.arange(count))


def grouped(
    table: LineTable,
    cells: Mapping[str, Sequence[str]],
    where: Where,
    numbers: NumberFormat,
    outer: Named | None,
    later: "Numbers | None" = None,
) -> list[Units]:
    """The levels that live in a table, outermost first: rows too, if `outer` is None.

    cells: key and order columns, a cell a line. outer: the units that its outermost plate is repeated in, of another
    table. later: [lines] True for lines whose rows come after all others (those of the source's own test split).
    """
    import numpy as np

    keys = [read_keys(column, cells[column], where) for column in table.key]
    orders = {plate: read_order(column, cells[column], where, numbers) for plate, column in table.orders.items()}
    lines = len(keys[0])
    levels: list[Units] = []
    if outer is None:
        codes, first = _codes(list(zip(keys[0], strict=True)))
        if later is not None:
            codes, first = _later_last(codes, first, later, table, keys[0], where)
        levels.append(Units(codes, first))
        above, depth = codes, 1
    else:
        depth = table.depth
        above = _matched(table, list(zip(*keys[:depth], strict=True)), outer, where)
    for plate in table.plates:
        leaf = plate == table.plates[-1]
        if leaf:
            codes, first = np.arange(lines), np.arange(lines)
        else:
            codes, first = _codes(list(zip(*keys[: depth + 1], strict=True)))
        units = _sorted(codes, first, above[first], orders.get(plate), plate, where)
        levels.append(units)
        above, depth = units.of_line, depth + 1
    return levels


def _codes(keys: Sequence[Key]) -> "tuple[Numbers, Numbers]":
    """[lines] a number for each key in order of appearance, and [keys] the line where it appears first."""
    import numpy as np

    places: dict[Key, int] = {}
    codes = np.fromiter((places.setdefault(key, len(places)) for key in keys), np.int64, len(keys))
    first = np.full(len(places), len(keys), dtype=np.int64)
    np.minimum.at(first, codes, np.arange(len(keys)))
    return codes, first


def _later_last(
    codes: "Numbers", first: "Numbers", later: "Numbers", table: LineTable, keys: Sequence[str], where: Where
) -> "tuple[Numbers, Numbers]":
    import numpy as np

    own = later[first]
    torn = np.flatnonzero(later != own[codes])
    if len(torn):
        line = int(torn[0])
        message = f"{table.key[0]} {keys[line]!r} is in the training split and in the test split ({where(line)})"
        raise LayoutError(message, "a row is in one of them; `test: 0.2` draws a split by rows")
    order = np.argsort(own, kind="stable")
    return np.argsort(order, kind="stable")[codes], first[order]


def _matched(table: LineTable, keys: Sequence[Key], outer: Named, where: Where) -> "Numbers":
    """[lines] the outer unit that each line belongs to."""
    import numpy as np

    places: dict[Key, int] = {}
    for unit, key in enumerate(outer.keys):
        if places.setdefault(key, unit) != unit:
            what = shown_key(table.key, key)
            hint = "whose elements are they? a key names one row" + (
                "" if len(key) == 1 else ", or one element of the plate outside"
            )
            raise LayoutError(f"{outer.table} has two lines of {what}", hint)
    lost = next((line for line, key in enumerate(keys) if key not in places), None)
    if lost is not None:
        what = shown_key(table.key, keys[lost])
        times = sum(key not in places for key in keys)
        more = "" if times == 1 else f", nor have {counted(times - 1, 'other line')}"
        raise LayoutError(f"{where(lost)}: {outer.table} has no {what}{more}", "add the row, or take its lines out")
    return np.fromiter((places[key] for key in keys), np.int64, len(keys))


def shown_key(columns: Sequence[str], key: Key) -> str:
    """`patient 7`, or `document 3, sentence 2`."""
    return ", ".join(f"{column} {cell}" for column, cell in zip(columns, key, strict=False))


def _sorted(
    codes: "Numbers", first: "Numbers", outer: "Numbers", order: "Numbers | None", plate: str, where: Where
) -> Units:
    """Units by the outer unit they stand in, then by their place in the order, then as in the file. codes: [lines];
    first, outer: [units]."""
    import numpy as np

    if order is None:
        by_place = np.lexsort((first, outer))
        ties = 0
    else:
        units_order = order[first]
        unlike = np.flatnonzero(order != units_order[codes])
        if len(unlike):
            line = int(unlike[0])
            message = f"{where(line)}: the column that sorts {plate} differs from {where(int(first[codes[line]]))}"
            raise LayoutError(message, "lines of one element agree in where it stands")
        by_place = np.lexsort((first, units_order, outer))
        sorted_outer, sorted_order = outer[by_place], units_order[by_place]
        same = (sorted_outer[1:] == sorted_outer[:-1]) & (sorted_order[1:] == sorted_order[:-1])
        tied = np.zeros(len(first), dtype=np.bool_)
        tied[1:] |= same
        tied[:-1] |= same
        ties = int(tied.sum())
    number = np.empty_like(by_place)
    number[by_place] = np.arange(len(by_place))
    return Units(number[codes], first[by_place], outer[by_place], ties)


def agreed(same: "Numbers", blank: "Numbers", units: Units) -> "tuple[Numbers, tuple[int, int] | None]":
    """[units] the line that speaks for each: its first that is not blank, else its first; and two lines of one unit
    that differ, if any do. same: [lines] equal numbers for cells that mean the same; blank: [lines]."""
    import numpy as np

    lines = np.arange(len(same))
    chosen = np.full(len(units), len(same), dtype=np.int64)
    np.minimum.at(chosen, units.of_line[~blank], lines[~blank])
    chosen = np.where(chosen == len(same), units.first, chosen)
    differ = np.flatnonzero(~blank & (same != same[chosen[units.of_line]]))
    if not len(differ):
        return chosen, None
    line = int(differ[0])
    return chosen, (int(chosen[units.of_line[line]]), line)
