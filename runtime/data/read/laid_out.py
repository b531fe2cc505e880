"""From: a source whose elements stand apart from their rows. To: `LaidOut`, a table of rows and one of each plate's
elements. What the layouts mean, `graphspec.headers` says; padded columns are no business of this file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from graphspec.graphs.graph import Graphs
from graphspec.headers import Dialect
from graphspec.headers.element_counts import capacity_of, check_lengths, check_total, whole_lengths
from graphspec.headers.element_levels import Levels, OpenTable, levels_of, needed_columns
from graphspec.headers.element_tables import Layouts, LineTable
from graphspec.headers.key_cells import LayoutError, Where
from graphspec.headers.line_groups import Units
from graphspec.headers.lines_in_words import where_in
from graphspec.headers.shared_cells import differing_hint, shared_lines
from graphspec.headers.sources import resolve_source
from graphspec.language import ColumnSpec, DataSection
from runtime.data.read.element_table import ElementTable, Numbers, as_texts, chosen_lines, placed
from runtime.data.read.reading import Readings, read_table
from runtime.data.read.row_identity import by_name
from runtime.data.read.table import Array, Column, Table, make_table, whole
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import DataError


@dataclass(frozen=True)
class LaidOut:
    """rows: columns of the rows, as any other table. elements: of each plate whose elements stand apart. levels: which
    lines of tables they are, where they are lines."""

    rows: Table
    elements: Mapping[str, ElementTable] = field(default_factory=dict)
    levels: Levels | None = None

    def fingerprint(self) -> str:
        """SHA-256 over everything read."""
        if not self.elements:
            return self.rows.fingerprint()
        columns: dict[str, Column] = dict(self.rows.columns)
        for plate, table in self.elements.items():
            columns[f"{plate}|"] = table.lengths
            columns |= {f"{plate}|{name}": column for name, column in table.columns.items()}
        return replace(self.rows, columns=columns).fingerprint()


@dataclass(frozen=True)
class Opening:
    """How files are read: `data`, the columns of each variable, and where to look.

    extra: columns of the rows that no variable reads.
    """

    graphs: Graphs
    data: DataSection
    layouts: Layouts
    columns: Mapping[str, ColumnSpec]
    extra: Sequence[str]
    spec_path: Path | None
    data_dir: Path | None
    tell: Tell
    readings: Readings
    dialect: Dialect

    def read(self, source: str | None, columns: Sequence[str]) -> Table:
        """Columns of a file, the rows' own for None."""
        return read_table(
            source or self.data.source,
            tuple(dict.fromkeys(columns)),
            self.spec_path,
            self.data_dir,
            self.tell,
            self.readings,
            self.dialect,
            self.data.regime if source is None else None,
        )

    def where(self, source: str | None) -> Where:
        """A line of a file in words."""
        return where_in(resolve_source(source or self.data.source, self.spec_path, self.data_dir), self.dialect)

    def names_of(self, plate: str, layouts: Layouts) -> list[str]:
        """Columns that the variables of a plate read; "" for those of the rows, with padded ones."""
        found = [
            column
            for name, spec in self.columns.items()
            if (layouts.plate_of.get(name, "") if layouts.kind(name) != "padded" else "") == plate
            for column in spec.names
        ]
        return list(dict.fromkeys([*found, *(() if plate else self.extra)]))


def read_laid_out(opening: Opening) -> LaidOut:
    """Rows and elements. Raises DataError for what is not there, cannot be read, or does not stand as the spec says."""
    layouts = opening.layouts
    try:
        if layouts.tables:
            return _read_lines(opening, layouts)
        if layouts.lengths:
            return _read_flat(opening, layouts)
    except LayoutError as error:
        raise DataError(error.message, error.hint) from error
    return LaidOut(opening.read(None, opening.names_of("", layouts)))


# --- flat, with lengths -------------------------------------------------------------------------------------------


def _read_flat(opening: Opening, layouts: Layouts) -> LaidOut:
    outermost = [column for plate, column in layouts.lengths.items() if len(layouts.levels[plate]) == 1]
    rows = opening.read(None, [*opening.names_of("", layouts), *outermost])
    elements: dict[str, ElementTable] = {}
    for plate in sorted(layouts.lengths, key=lambda name: len(layouts.levels[name])):
        above = layouts.levels[plate][:-1]
        outer = elements[above[-1]] if above else None
        column, units = layouts.lengths[plate], above[-1] if above else "rows"
        lengths = whole((outer.columns if outer else rows.columns)[column])
        count = outer.total if outer else rows.rows
        lengths = whole_lengths(column, lengths, count, units)
        capacity = capacity_of(opening.graphs.spec, plate)
        check_lengths(capacity, lengths, _unit(units))
        starts, places, sizes = placed(lengths, capacity.size, outer)
        inside = [layouts.lengths[other] for other in layouts.lengths if layouts.levels[other][:-1][-1:] == (plate,)]
        wanted = [*opening.names_of(plate, layouts), *inside]
        read = opening.read(None, wanted) if wanted else Table(rows.name, {})
        for name, cells in read.columns.items():
            check_total(name, len(cells), column, len(places), plate)
        _check_boundary(rows, read, int(starts[rows.training_rows or 0]), plate)
        where = _flat_where(rows.name, plate, starts)
        elements[plate] = ElementTable(rows.name, read.columns, lengths, starts, places, sizes, where)
    return LaidOut(rows, elements)


def _unit(units: str) -> Callable[[int], str]:
    return lambda unit: f"row {unit} (from 0)" if units == "rows" else f"element {unit} of {units}"


def _check_boundary(rows: Table, read: Table, first: int, plate: str) -> None:
    """The training split has the elements of its own rows."""
    if rows.training_rows is not None and read.columns and read.training_rows != first:
        raise LayoutError(
            f"the training split has {read.training_rows} {plate}, and its lengths add up to {first}",
            "elements of a row stand in the split of the row",
        )


def _flat_where(name: str, plate: str, starts: Numbers) -> Where:
    def where(element: int) -> str:
        row = int(np.searchsorted(starts, element, side="right")) - 1
        return f"row {row} of {name}, {plate} {element - int(starts[row])} (both from 0)"

    return where


# --- a line an element --------------------------------------------------------------------------------------------


def _read_lines(opening: Opening, layouts: Layouts) -> LaidOut:
    files = {table: _read_file(opening, layouts, table) for table in layouts.files}
    main = files[layouts.long]
    later = None
    if layouts.long is not None and main.training_rows is not None and opening.data.test is None:
        later = np.arange(main.rows) >= main.training_rows

    def opened(table: LineTable | None) -> OpenTable:
        file, source = files[table], None if table is None else table.source
        texts = {name: as_texts(_single(file, name)) for name in needed_columns(layouts, table)}
        return OpenTable(texts, opening.where(source), source or opening.data.source, file.rows)

    levels = levels_of(opening.graphs.spec, layouts, opened, opening.dialect.numbers, later)
    elements: dict[str, ElementTable] = {}
    for table in sorted(layouts.tables, key=lambda table: (table.source is not None, table.depth)):
        for plate in table.plates:
            elements[plate] = _elements(opening, layouts, levels, table, plate, files[table], elements)
    return LaidOut(_rows(opening, layouts, levels, main, later), elements, levels)


def _read_file(opening: Opening, layouts: Layouts, table: LineTable | None) -> Table:
    wanted = list(needed_columns(layouts, table))
    if table is None or table.source is None:
        wanted += opening.names_of("", layouts)
    for plate in () if table is None else table.plates:
        wanted += opening.names_of(plate, layouts)
    return opening.read(None if table is None else table.source, wanted)


def _single(file: Table, name: str) -> Column:
    column = file.columns[name]
    if column.dtype == object or len(column.shape) != 1:
        raise LayoutError(f"column {name} of {file.name} holds no single values", "a key is a number or a text")
    return column


def _elements(
    opening: Opening,
    layouts: Layouts,
    levels: Levels,
    table: LineTable,
    plate: str,
    file: Table,
    elements: Mapping[str, ElementTable],
) -> ElementTable:
    units, above = levels.plates[plate], layouts.levels[plate][:-1]
    outer = elements[above[-1]] if above else None
    lengths = units.lengths(outer.total if outer else len(levels.rows)).astype(np.int64)
    starts, places, sizes = placed(lengths, capacity_of(opening.graphs.spec, plate).size, outer)
    where, leaf = opening.where(table.source), plate == table.plates[-1]
    columns = {
        name: chosen_lines(file.columns[name], units.first)
        if leaf
        else _shared(opening, layouts, (plate, name), file, units)
        for name in opening.names_of(plate, layouts)
    }
    return ElementTable(
        file.name, columns, lengths, starts, places, sizes, lambda element: where(int(units.first[element]))
    )


def _rows(opening: Opening, layouts: Layouts, levels: Levels, main: Table, later: Array | None) -> Table:
    named = None if levels.names is None else by_name(levels.names)
    known_as = None if levels.names is None else np.array(levels.names, dtype=np.str_)
    notes = (*main.notes, *(note.message for note in levels.notes))
    if layouts.long is None:
        named, known_as = (named, known_as) if main.named is None else (main.named, main.known_as)
        return replace(main, named=named, notes=notes, known_as=known_as)
    columns = {
        name: _shared(opening, layouts, ("", name), main, levels.rows)
        for name in (layouts.long.key[0], *opening.names_of("", layouts))
    }
    training = None if later is None else int((~later[levels.rows.first]).sum())
    return replace(make_table(main.name, columns, training, main.classes, notes, named), known_as=known_as)


def _shared(opening: Opening, layouts: Layouts, wanted: tuple[str, str], file: Table, units: Units) -> Array:
    """A column of which all lines of a unit agree, a cell a unit. wanted: the plate of the units ("" for rows), and the
    column."""
    plate, name = wanted
    table = layouts.lines[plate] if plate else layouts.long
    column, where = whole(file.columns[name]), opening.where(None if table is None else table.source)
    readers = (
        (opening.graphs.variables[variable], spec)
        for variable, spec in opening.columns.items()
        if name in spec.names and layouts.plate_of.get(variable, "") == plate
    )
    read = next(readers, None)
    if column.ndim == 1 and column.dtype != object:
        lines = shared_lines(name, as_texts(column), read, units, where, opening.dialect.numbers)
        return chosen_lines(column, lines)
    lines = units.first
    for line, unit in enumerate(units.of_line.tolist()):
        first = int(lines[unit])
        if not np.array_equal(column[line], column[first], equal_nan=column.dtype.kind == "f"):
            raise LayoutError(f"{where(line)}: {name} differs from {where(first)}", differing_hint(name, read))
    return chosen_lines(column, lines)
