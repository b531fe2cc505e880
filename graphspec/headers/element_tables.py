"""Which table the elements of each plate stand in, from what `data.plates` says.

To: `Layouts`: of every plate whether its elements stand padded in the rows' own columns, flat with lengths, or on lines
of a table; and the tables of lines, each with the plates that live in it. Not here: what the files hold
(`line_groups`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from graphspec.graphs.reading_across import variable_path
from graphspec.language import Spec
from graphspec.language.plates import path_of

Kind = Literal["padded", "flat", "lines"]


@dataclass(frozen=True, eq=False)
class LineTable:
    """A table with a line for each element of the innermost of its plates.

    source: None for the rows' own, which then has no line of its own for a row. plates: that live in it, outermost
    first, one inside the other. key: columns that say whose a line is, one for each level outside the innermost plate,
    the row's first. orders: the column that a plate's elements are sorted by.
    """

    source: str | None
    plates: tuple[str, ...]
    key: tuple[str, ...]
    orders: Mapping[str, str] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Levels outside of its outermost plate: 1 where that is repeated in rows."""
        return len(self.key) - len(self.plates) + 1

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that say where a line belongs."""
        return tuple(dict.fromkeys((*self.key, *self.orders.values())))


@dataclass(frozen=True)
class Layouts:
    """How the elements of each plate stand.

    lengths: the column of each flat plate; lines: the table of each plate whose elements are lines, or are told by
    them; levels: plates with those they are inside of, outermost first; plate_of: the innermost plate of variables.
    """

    kinds: Mapping[str, Kind]
    lengths: Mapping[str, str]
    lines: Mapping[str, LineTable]
    levels: Mapping[str, tuple[str, ...]]
    plate_of: Mapping[str, str]

    @property
    def tables(self) -> tuple[LineTable, ...]:
        """Every table of lines once, the rows' own first."""
        return tuple(sorted(dict.fromkeys(self.lines.values()), key=lambda table: table.source is not None))

    @property
    def long(self) -> LineTable | None:
        """The rows' own source, where its lines are elements."""
        return next((table for table in self.tables if table.source is None), None)

    @property
    def files(self) -> list[LineTable | None]:
        """All tables that say where lines belong; None for the rows' own where its lines are rows."""
        return [*([] if self.long is not None else [None]), *self.tables]

    def outside(self, table: LineTable) -> LineTable | None:
        """The table that its outermost plate is repeated in; None for the rows' own."""
        above = self.levels[table.plates[0]][:-1]
        return self.lines.get(above[-1]) if above else self.long

    def source(self, variable: str) -> str | None:
        """The file that has a variable's columns; None for the rows' own."""
        table = self.lines.get(self.plate_of.get(variable, ""))
        return None if table is None else table.source

    def kind(self, variable: str) -> Kind:
        """Of a variable; one of the rows counts as padded."""
        return self.kinds.get(self.plate_of.get(variable, ""), "padded")

    @property
    def apart(self) -> bool:
        """Some elements stand elsewhere than in the row they belong to."""
        return any(kind != "padded" for kind in self.kinds.values())


def layouts_of(spec: Spec) -> Layouts:
    """Of a spec whose `data.plates` are in order (`rules.layout_rules`)."""
    entries = {} if spec.data is None else spec.data.plates
    levels = {name: path_of(spec.plates, name) for name in spec.plates}
    lengths = {name: entry.lengths for name, entry in entries.items() if entry.lengths is not None}
    lines: dict[str, LineTable] = {}
    keyed = [name for name in spec.plates if name in entries and entries[name].key]
    for name in sorted(keyed, key=lambda name: -len(levels[name])):
        if name in lines:
            continue
        source = entries[name].source
        inside = _living_with(name, levels[name], spec)
        orders = {plate: column for plate in inside if plate in entries and (column := entries[plate].column)}
        table = LineTable(source, inside, entries[name].key, orders)
        lines.update(dict.fromkeys(inside, table))
    kinds: dict[str, Kind] = {
        name: "flat" if name in lengths else "lines" if name in lines else "padded" for name in spec.plates
    }
    plate_of = {name: path[-1] for name in spec.variables if (path := variable_path(spec, name))}
    return Layouts(kinds, lengths, lines, levels, plate_of)


def _living_with(name: str, levels: tuple[str, ...], spec: Spec) -> tuple[str, ...]:
    """The plate and those around it that no other table tells of."""
    entries = {} if spec.data is None else spec.data.plates
    source = entries[name].source
    found = [name]
    for plate in reversed(levels[:-1]):
        entry = entries.get(plate)
        if entry is not None and (entry.source != source if entry.key else entry.lengths is not None):
            break
        found.append(plate)
    return tuple(reversed(found))
