"""What each variable's columns are held against: the table that has them, and the variable as one cell gives it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphspec.graphs.graph import Variable
from graphspec.graphs.plate_counts import counts_along
from graphspec.graphs.reading_across import variable_path
from graphspec.headers.element_tables import Layouts, LineTable
from graphspec.headers.sources import Source, SourceInfo
from graphspec.language import DataSection, Spec
from graphspec.rules.present_cells import present_cells, stored_shape
from graphspec.text.tree import Path as Place

NOTHING = SourceInfo(None, {})


@dataclass(frozen=True)
class Standing:
    """A variable as a cell (or line) of its table gives it; the table, and what it is called. seen: its cells are known
    as far as they will be."""

    variable: Variable
    source: Source
    info: SourceInfo
    called: str
    seen: bool = False


@dataclass
class OpenedTable:
    """A table of lines. path: of what names it in the spec."""

    source: Source
    info: SourceInfo
    called: str
    path: Place
    cells: dict[str, Sequence[str]] | None = None


@dataclass
class Standings:
    """Where the columns of each variable are.

    rows: the rows' own table, as rows. tables: those of lines; flat: elements with lengths, by plate; grouped: plates
    of which several lines tell an element. elements: how many each plate has, as far as that is known.
    """

    spec: Spec
    data: DataSection
    layouts: Layouts
    main: Source
    rows: SourceInfo
    tables: dict[LineTable, OpenedTable] = field(default_factory=dict)
    flat: dict[str, SourceInfo] = field(default_factory=dict)
    grouped: dict[str, SourceInfo] = field(default_factory=dict)
    elements: dict[str, int] = field(default_factory=dict)

    def of(self, variable: Variable) -> Standing:
        """Of a variable as rows have it."""
        plate = self.layouts.plate_of.get(variable.name, "")
        kind = self.layouts.kind(variable.name)
        element = variable.of_one
        if kind == "flat":
            return Standing(element, self.main, self.flat.get(plate, NOTHING), self.data.source)
        if kind == "lines":
            opened = self.tables[self.layouts.lines[plate]]
            return Standing(element, opened.source, self.grouped.get(plate, opened.info), opened.called)
        entry = self.data.variables.get(variable.name)
        counted = entry is not None and counts_along(self.spec, variable_path(self.spec, variable.name))
        if entry is None or not counted or self.rows.columns is None:
            return Standing(variable, self.main, self.rows, self.data.source)
        stored = replace(variable, shape=stored_shape(self.spec, variable, entry, self.rows))
        there = present_cells(self.spec, self.data, self.main, self.rows, stored)
        info = replace(self.rows, columns={**(self.rows.columns or {}), **there})
        return Standing(stored, self.main, info, self.data.source, seen=True)

    @property
    def apart(self) -> bool:
        """Elements stand elsewhere than in their row, so that rows cannot be looked at cell by cell."""
        return self.layouts.apart
