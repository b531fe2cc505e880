"""GS028 of tables with a line an element: keys lead somewhere, rows have room, lines of one row agree."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from graphspec.diagnostics import Severity
from graphspec.graphs.graph import Variable
from graphspec.headers import SourceError, SplitName
from graphspec.headers.columns import Column, show_shape, written_out
from graphspec.headers.element_levels import Levels, OpenTable, levels_of, needed_columns
from graphspec.headers.element_tables import Layouts, LineTable
from graphspec.headers.key_cells import LayoutError, Where
from graphspec.headers.line_groups import Units
from graphspec.headers.lines_in_words import where_in
from graphspec.headers.row_cells import row_cells
from graphspec.headers.shared_cells import shared_lines
from graphspec.headers.sources import FileSource, MissingSource, SourceInfo, describe, dialect_of, resolve_source
from graphspec.language import ColumnSpec, DataSection
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.standings import NOTHING, OpenedTable, Standings
from graphspec.text.report import Report
from graphspec.text.tree import Path as Place


def check_lines(
    standings: Standings,
    variables: Mapping[str, Variable],
    places: tuple[Path | None, Path | None],
    report: Report,
) -> None:
    """Fills `standings.tables` and `grouped`, and makes `rows` those that lines are put together to.

    Lines are looked at as far as they are few; `train` reads the rest. places: the spec's file, and `--data-dir`.
    """
    layouts = standings.layouts
    for table in layouts.tables:
        standings.tables[table] = _open(table, standings, places, report)
    found = [
        opened.info.columns is not None and _has_columns(layouts, table, opened, report)
        for table in layouts.files
        for opened in [_opened(standings, table)]
    ]
    if not all(found):
        return
    if layouts.long is not None:
        standings.rows = _uncounted(standings.rows)
    try:
        looked = {table: _look(standings, table, variables) for table in layouts.files}
    except SourceError as error:
        report.error("GS088", ("data", "source"), error.message, hint=error.hint)
        return
    if any(cells is None for cells in looked.values()):
        return
    _group(standings, variables, {table: cells or {} for table, cells in looked.items()}, report)


def _opened(standings: Standings, table: LineTable | None) -> OpenedTable:
    if table is None:
        return OpenedTable(standings.main, standings.rows, standings.data.source, ("data", "source"))
    return standings.tables[table]


def _open(
    table: LineTable, standings: Standings, places: tuple[Path | None, Path | None], report: Report
) -> OpenedTable:
    data = standings.data
    path: Place = ("data", "plates", _naming(data, table))
    if table.source is None:
        return OpenedTable(standings.main, standings.rows, data.source, path)
    source = resolve_source(table.source, *places)
    if isinstance(source, MissingSource):
        hint = "it is looked for beside the spec, in the working folder and in the data folder"
        message = f"'{table.source}' is not there, so its columns are not checked"
        report.note("GS089", (*path, "source"), message, hint=hint)
        return OpenedTable(source, NOTHING, table.source, path)
    try:
        return OpenedTable(source, describe(source, dialect_of(data)), table.source, path)
    except SourceError as error:
        report.error("GS088", (*path, "source"), error.message, hint=error.hint)
        return OpenedTable(source, NOTHING, table.source, path)


def _naming(data: DataSection, table: LineTable) -> str:
    """The plate whose entry has the table's key."""
    return next(name for name in reversed(table.plates) if name in data.plates and data.plates[name].key)


def _has_columns(layouts: Layouts, table: LineTable | None, opened: OpenedTable, report: Report) -> bool:
    columns = opened.info.columns or {}
    inside = {
        column: other.plates[-1] for other in layouts.tables if layouts.outside(other) is table
        for column in other.key[: other.depth] if other.source is not None
    }  # fmt: skip
    good = True
    for column in needed_columns(layouts, table):
        found = columns.get(column)
        if found is not None and found.shape in ((), None) and not found.picture and not found.repeated:
            continue
        good, own = False, table is not None and column in table.columns
        path = opened.path if own else ("data", "plates", inside[column])
        hint = did_you_mean(column, columns, f"columns: {few(columns)}")
        message = f"{opened.called} has no column '{column}'"
        if found is not None:
            message = f"column {column} of {opened.called} holds {show_shape(found.shape)}, no keys"
            hint = "a key is a number or a text"
            if found.repeated:
                message, hint = f"{opened.called} has more than one column called '{column}'", "rename one of them"
        elif not own:
            hint = f"a key is also a column of the table that it points into: {hint}"
        report.error("GS028", path, message, key=True, hint=hint)
    return good


def _uncounted(info: SourceInfo) -> SourceInfo:
    """Rows of a long table before its lines are put together: blank lines are no blank rows, and nothing is counted."""
    columns = {}
    for name, column in (info.columns or {}).items():
        seen = [(value, count) for value, count in zip(column.values, column.counts, strict=False) if value]
        values = tuple(value for value, _ in seen)
        columns[name] = replace(column, values=values, counts=tuple(c for _, c in seen), complete=False, rows=None)
    test = None if info.test_columns is None else columns
    rows: dict[SplitName, int | None] = dict.fromkeys(info.rows)
    return replace(info, columns=columns, test_columns=test, rows=rows)


def _look(
    standings: Standings, table: LineTable | None, variables: Mapping[str, Variable]
) -> dict[str, Sequence[str]] | None:
    """Cells of the columns that place its lines, and of those that lines of one unit share; None where they are too
    many."""
    opened = _opened(standings, table)
    wanted = [*needed_columns(standings.layouts, table), *_shared_columns(standings, table, variables)]
    columns = opened.info.columns or {}
    if not isinstance(opened.source, FileSource) or opened.info.has_test:
        return None
    wanted = [name for name in dict.fromkeys(wanted) if name in columns]
    cells = row_cells(opened.source, columns, wanted, dialect_of(standings.data))
    if any(name not in cells for name in needed_columns(standings.layouts, table)):
        return None
    opened.cells = {name: [str(cell) for cell in found[0]] for name, found in cells.items() if len(found) == 1}
    return opened.cells


def _shared_columns(standings: Standings, table: LineTable | None, variables: Mapping[str, Variable]) -> list[str]:
    """Columns of which all lines of a row, or of an element that has lines of its own, agree."""
    if table is None:
        return []
    data, names = standings.data, list[str]()
    columns = standings.tables[table].info.columns or {}
    for name, entry in data.variables.items():
        if name in variables and _unit_of(standings, name, table) is not None:
            names += written_out(entry.names, columns)
    if table.source is None:
        names += [*data.factors.values(), *data.split_columns]
    return names


def _unit_of(standings: Standings, name: str, table: LineTable) -> str | None:
    """The level of `table` whose units share a variable: "" for rows, else a plate; None for a variable of its lines,
    or of another table."""
    plate = standings.layouts.plate_of.get(name, "")
    if not plate:
        return "" if table.source is None else None
    return plate if plate in table.plates[:-1] else None


def _group(
    standings: Standings,
    variables: Mapping[str, Variable],
    looked: Mapping[LineTable | None, Mapping[str, Sequence[str]]],
    report: Report,
) -> None:
    spec, layouts, data = standings.spec, standings.layouts, standings.data
    dialect = dialect_of(data)

    def opened(table: LineTable | None) -> OpenTable:
        found, cells = _opened(standings, table), looked[table]
        lines = len(next(iter(cells.values()), ()))
        return OpenTable(cells, where_in(found.source, dialect), found.called, lines)

    try:
        levels = levels_of(spec, layouts, opened, dialect.numbers)
    except LayoutError as error:
        place = next(iter(standings.tables.values())).path if len(layouts.tables) == 1 else ("data", "plates")
        report.error("GS028", place, error.message, key=True, hint=error.hint)
        return
    standings.elements.update({plate: len(units) for plate, units in levels.plates.items()})
    long = layouts.long
    if long is not None:
        columns = _reduced(standings, variables, long, "", levels.rows, report)
        standings.rows = replace(standings.rows, columns=columns, rows={"train": len(levels.rows)})
    for table in layouts.tables:
        for plate in table.plates[:-1]:
            columns = _reduced(standings, variables, table, plate, levels.plates[plate], report)
            info = standings.tables[table].info
            standings.grouped[plate] = replace(info, columns=columns, rows={"train": len(levels.plates[plate])})
    _check_told(levels, report)


def _reduced(
    standings: Standings,
    variables: Mapping[str, Variable],
    table: LineTable,
    level: str,
    units: Units,
    report: Report,
) -> dict[str, Column]:
    """Columns of a table with a cell a unit, those that all lines of a unit agree in; GS028 where lines differ."""
    opened, data = standings.tables[table], standings.data
    columns, cells = dict(opened.info.columns or {}), opened.cells or {}
    where = where_in(opened.source, dialect_of(data))
    for name, entry in data.variables.items():
        if name not in variables or _unit_of(standings, name, table) != level:
            continue
        for column in written_out(entry.names, columns):
            if column in cells:
                _reduce(standings, columns, column, cells[column], (variables[name], entry), units, where, report)
    for column in [] if level else dict.fromkeys((*data.factors.values(), *data.split_columns)):
        if column in cells:
            _reduce(standings, columns, column, cells[column], None, units, where, report)
    return columns


def _reduce(
    standings: Standings,
    columns: dict[str, Column],
    column: str,
    cells: Sequence[str],
    read: tuple[Variable, ColumnSpec] | None,
    units: Units,
    where: Where,
    report: Report,
) -> None:
    try:
        chosen = shared_lines(column, cells, read, units, where, dialect_of(standings.data).numbers)
    except LayoutError as error:
        path: Place = ("data", "variables", read[0].name) if read is not None else ("data", "source")
        report.error("GS028", path, error.message, hint=error.hint)
        return
    found = Counter(cells[line] for line in chosen.tolist())
    columns[column] = replace(
        columns[column], values=tuple(found), counts=tuple(found.values()), complete=True, rows=None
    )


def _check_told(levels: Levels, report: Report) -> None:
    """GS125: keys and places in the order that may not be what is meant."""
    for note in levels.notes:
        severity: Severity = "warning" if note.serious else "note"
        report.error("GS125", ("data", "plates"), note.message, key=True, hint=note.hint, severity=severity)
