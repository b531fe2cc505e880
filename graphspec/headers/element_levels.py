"""All levels of data whose elements stand on lines of tables: rows, and the elements of every plate.

From: `Layouts`, and the key and order columns of every table as text. To: `Levels`. Raises `LayoutError`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphspec.headers.element_counts import capacity_of, check_lengths
from graphspec.headers.element_tables import Layouts, LineTable
from graphspec.headers.key_cells import LayoutError, Where, look_alikes, read_keys
from graphspec.headers.line_groups import Named, Units, agreed, grouped, rows_as_units, shown_key
from graphspec.headers.numbers import NumberFormat
from graphspec.headers.table import Remark
from graphspec.language import Spec
from graphspec.reading.suggestions import counted, few

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 10
"""Elements from which on it is no accident that no row has two."""
Texts = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class OpenTable:
    """A table, its lines to be looked at. texts: key and order columns, a cell a line; called: as the spec does."""

    texts: Texts
    where: Where
    called: str
    lines: int


@dataclass(frozen=True)
class Levels:
    """rows: of the rows' own source; plates: all elements of each. names: of rows, by their key; None where they have
    none. notes: what may be a slip."""

    rows: Units
    plates: Mapping[str, Units]
    names: Sequence[str] | None
    notes: tuple[Remark, ...] = ()


def needed_columns(layouts: Layouts, table: LineTable | None) -> tuple[str, ...]:
    """Columns of a table (None: of rows that are lines by themselves) that say where lines belong, its own and those
    that tables inside of it name."""
    own = () if table is None else table.columns
    inside = (t for t in layouts.tables if t.source is not None and layouts.outside(t) is table)
    return tuple(dict.fromkeys((*own, *(column for t in inside for column in t.key[: t.depth]))))


def levels_of(
    spec: Spec,
    layouts: Layouts,
    opened: Callable[[LineTable | None], OpenTable],
    numbers: NumberFormat,
    later: "NDArray[Any] | None" = None,
) -> Levels:
    """Rows and elements by their keys. later: lines of the rows' own source whose rows come after all others."""
    notes: list[Remark] = []
    plates: dict[str, Units] = {}
    long, rows, names = layouts.long, None, None
    for table in _outermost_first(layouts):
        file = opened(table)
        outside = layouts.outside(table)
        if table is long:
            found = grouped(table, file.texts, file.where, numbers, None, later)
            rows, found = found[0], found[1:]
            first = [file.texts[table.key[0]][line] for line in rows.first]
            names = read_keys(table.key[0], first, file.where)
            notes += _alike(table.key[0], names)
            outer_names: Callable[[int], str] = _of_line(table.key[0], names, rows, file.where)
        else:
            outer = _outer(layouts, table, opened(outside), rows, plates)
            rows = rows if rows is not None else rows_as_units(opened(None).lines)
            names = [key[0] for key in outer.keys] if outside is None else names
            notes += _alike(table.key[0], [key[0] for key in outer.keys]) if outside is None else []
            found = grouped(table, file.texts, file.where, numbers, outer)
            outer_names = _of_table(table.key, outer)
        above = len(rows) if table is long else len(outer.keys)
        for plate, level in zip(table.plates, found, strict=True):
            lengths, most = level.lengths(above), capacity_of(spec, plate)
            check_lengths(most, lengths, outer_names)
            notes += _alone(table, plate, len(level)) if most.size > 1 and lengths.max(initial=0) == 1 else []
            notes += _order_notes(table, plate, level, spec.plates[plate].ordered)
            notes += _sorted_by_labels(spec, table, plate)
            plates[plate] = level
            above = len(level)
            outer_names = _first_line(plate, level, file.where)
    assert rows is not None, "some table has lines"
    return Levels(rows, plates, names, tuple(notes))


def _outermost_first(layouts: Layouts) -> list[LineTable]:
    return sorted(layouts.tables, key=lambda table: (table.source is not None, table.depth))


def _outer(
    layouts: Layouts, table: LineTable, outside: OpenTable, rows: Units | None, plates: Mapping[str, Units]
) -> Named:
    """What the lines of a table belong to, each by its key."""
    above = layouts.levels[table.plates[0]][:-1]
    units = plates[above[-1]] if above else rows if rows is not None else rows_as_units(outside.lines)
    columns = []
    for column in table.key[: table.depth]:
        texts = read_keys(column, outside.texts[column], outside.where)
        columns.append([texts[line] for line in _speaking(column, texts, units, outside.where)])
    return Named(list(zip(*columns, strict=True)), outside.called)


def _speaking(column: str, texts: Sequence[str], units: Units, where: Where) -> Sequence[int]:
    """[units] a line of each; LayoutError where its lines have different keys."""
    import numpy as np

    codes: dict[str, int] = {}
    same = np.array([codes.setdefault(text, len(codes)) for text in texts], dtype=np.int64)
    chosen, differ = agreed(same, np.zeros(len(texts), dtype=np.bool_), units)
    if differ is not None:
        message = (
            f"{where(differ[1])}: {column} is {texts[differ[1]]!r}, and {texts[differ[0]]!r} in {where(differ[0])}"
        )
        raise LayoutError(message, "lines of one row, or of one element, have one key")
    return [int(line) for line in chosen]


def _of_line(column: str, names: Sequence[str], rows: Units, where: Where) -> Callable[[int], str]:
    return lambda row: f"{column} {names[row]} ({where(int(rows.first[row]))})"


def _of_table(columns: Sequence[str], outer: Named) -> Callable[[int], str]:
    return lambda unit: f"{shown_key(columns, outer.keys[unit])} of {outer.table}"


def _first_line(plate: str, level: Units, where: Where) -> Callable[[int], str]:
    return lambda unit: f"the element of {plate} at {where(int(level.first[unit]))}"


def _alike(column: str, names: Sequence[str]) -> list[Remark]:
    pairs = look_alikes(names)
    if not pairs:
        return []
    shown = few((f"{first!r} and {second!r}" for first, second in pairs), 3)
    message = f"column {column} holds keys that differ by case or spaces only, and are rows of their own: {shown}"
    return [Remark(message, "write one key in one way")]


def _alone(table: LineTable, plate: str, elements: int) -> list[Remark]:
    """A column that numbers the lines looks like a key; what belongs together is then apart, in splits too."""
    if elements < ENOUGH:
        return []
    keys = " and ".join(table.key)
    message = f"no two lines share their {keys}: every row has one element of {plate} at most"
    return [Remark(message, "name the column that lines of one row share; or leave the plate out if there is none")]


def _order_notes(table: LineTable, plate: str, level: Units, ordered: bool) -> list[Remark]:
    if not ordered:
        return []
    if plate not in table.orders:
        message = f"{plate} have an order, and no `order` says which: they stand as in the file"
        return [Remark(message, f"`order: COLUMN` beside the key of {plate} sorts them", serious=False)]
    if not level.ties:
        return []
    column = table.orders[plate]
    message = f"{counted(level.ties, 'element')} of {plate} share their {column} with another one of the same row"
    return [Remark(message, "these stand as in the file: sort by a column that tells them apart")]


def _sorted_by_labels(spec: Spec, table: LineTable, plate: str) -> list[Remark]:
    """Where an element stands is known of every row: a label by which they are sorted is then known too."""
    column, data = table.orders.get(plate), spec.data
    if column is None or data is None or not spec.plates[plate].ordered:
        return []
    labels = [n for n, v in spec.variables.items() if v.role == "supervised" and v.plate is not None]
    read = [name for name in labels if name in data.variables and column in data.variables[name].names]
    message = f"{plate} are sorted by {column}, which holds the label {few(map(repr, read))}: where an element stands "
    message += "gives it away, also where it is hidden"
    return [Remark(message, "sort by a column that holds no label")] if read else []
