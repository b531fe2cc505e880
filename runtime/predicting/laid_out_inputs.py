"""Inputs whose elements stand apart from their rows: on lines of tables, or flat with lengths. They are read whole.

From: the path of the rows' own source; other tables stand beside it under the names that the spec gives them. To: rows
as a model takes them, and `Sheet`s, one for each file of the input, which say what each line is about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from graphspec.headers import SourceError
from graphspec.headers.element_tables import Layouts, LineTable, layouts_of
from graphspec.headers.sources import FileSource, column_names, resolve_source
from graphspec.language import ColumnSpec, DataSection
from graphspec.rules.layout_rules import told_counts
from runtime.data import Rows
from runtime.data.preparation.certain_labels import check_certain_labels
from runtime.data.preparation.element_values import ElementReader
from runtime.data.preparation.preparation import in_model_units, without_parts
from runtime.data.read.laid_out import LaidOut, Opening, read_laid_out
from runtime.data.read.table import Column
from runtime.data.read.unpacked_copies import Tell
from runtime.data.stream.column_store import Selection
from runtime.errors import DataError
from runtime.predicting.input_parts import InputPart, InputTable
from runtime.predicting.input_values import InputReader
from runtime.predicting.row_answers import Array
from runtime.predicting.used_run import UsedRun


@dataclass(frozen=True)
class Lines:
    """Which row each line is about, and which of its elements, counted through the plates that it is inside of."""

    rows: Array
    places: Array


@dataclass(frozen=True)
class Sheet:
    """A file of an input. plate: the innermost whose elements are its lines, "" where they are rows. about: of each
    variable that is told there, what the lines are about."""

    path: Path
    plate: str
    about: Mapping[str, Lines]


@dataclass(frozen=True)
class LaidOutInput:
    """rows: all of them; reader: knows what was strange."""

    rows: Rows
    sheets: tuple[Sheet, ...]
    reader: InputReader


def read_input(used: UsedRun, source: str, tell: Tell) -> LaidOutInput:
    """Raises DataError for what is not there, cannot be read, or does not stand as the spec says."""
    found = resolve_source(source, None, used.data_dir)
    if not isinstance(found, FileSource):
        raise DataError(f"there is no file {source} to predict", "name the file that has the rows")
    try:
        data = _moved(used, found.path)
        spec = used.model.graphs.spec.model_copy(update={"data": data})
        layouts = layouts_of(spec)
        there = {each: _names(used, data, each) for each in (None, *(table.source for table in layouts.tables))}
        every = tuple(dict.fromkeys(name for names in there.values() for name in names))
        reader = InputReader(used, InputTable(found.path.name, found.path, every, every, None, _no_parts))
        laid_out = _read(used, data, layouts, reader, there, tell)
    except SourceError as error:
        raise DataError(error.message, error.hint) from error
    rows = _rows(used, layouts, laid_out, reader)
    return LaidOutInput(rows, tuple(_sheets(used, layouts, laid_out, found.path)), reader)


def _no_parts(size: int) -> Iterator[InputPart]:
    return iter(())


def _moved(used: UsedRun, path: Path) -> DataSection:
    """The data section with the input's own files."""
    plates = {}
    for name, entry in used.data.plates.items():
        beside = None if entry.source is None else path.parent / Path(entry.source).name
        if beside is not None and not beside.exists():
            hint = "the tables of an input stand side by side, under the names that the spec gives them"
            raise DataError(f"there is no {beside.name} beside {path.name}, which has the lines of {name}", hint)
        plates[name] = entry if beside is None else entry.model_copy(update={"source": str(beside)})
    return used.data.model_copy(update={"source": str(path), "plates": plates})


def _names(used: UsedRun, data: DataSection, source: str | None) -> list[str]:
    found = resolve_source(source or data.source, None, used.data_dir)
    assert isinstance(found, FileSource), "it was found before"
    return column_names(found, used.dialect)


def _read(
    used: UsedRun,
    data: DataSection,
    layouts: Layouts,
    reader: InputReader,
    there: Mapping[str | None, list[str]],
    tell: Tell,
) -> LaidOut:
    """Columns of rows and elements; blank ones for labels that the input has not, and no class that is none."""
    present: dict[str, ColumnSpec] = {}
    for name, spec in used.columns.items():
        names = tuple(column for column in spec.names if column in there[layouts.source(name)])
        if names:
            present[name] = spec if spec.column is not None else spec.model_copy(update={"columns": names})
    opening = Opening(
        used.graphs, data, layouts, present, (), None, used.data_dir, tell, used.readings, used.dialect
    )  # fmt: skip
    laid_out = read_laid_out(opening)
    rows: dict[str, Column] = dict(laid_out.rows.columns)
    elements: dict[str, dict[str, Column]] = {plate: dict(t.columns) for plate, t in laid_out.elements.items()}
    for name, spec in reader.columns.items():
        plate = layouts.plate_of.get(name, "")
        apart = plate in elements
        columns, count = (elements[plate], laid_out.elements[plate].total) if apart else (rows, laid_out.rows.rows)
        variable = used.graphs.variables[name].of_one if apart else used.graphs.variables[name]
        part = InputPart(0, count, (), {column: columns[column] for column in spec.names if column in columns})
        columns |= {column: reader.cells(part, variable, spec, column) for column in spec.names}
    return replace(
        laid_out,
        rows=replace(laid_out.rows, columns=rows),
        elements={plate: replace(table, columns=elements[plate]) for plate, table in laid_out.elements.items()},
    )


def _rows(used: UsedRun, layouts: Layouts, laid_out: LaidOut, reader: InputReader) -> Rows:
    graphs, numbers = used.graphs, used.dialect.numbers
    elements = ElementReader(graphs, layouts, laid_out, reader.columns, numbers, whole_source=False)
    told = told_counts(graphs.spec, layouts)
    names = [name for name in (*graphs.observed, *graphs.supervised) if name in reader.columns or name in told]
    values = elements.read_all(names)
    for name in set(names) & set(graphs.supervised):
        values[name] = without_parts(graphs, name, values[name])[0]
    check_certain_labels(used.model.graphs, values, reader.columns, laid_out.rows.where)
    stored = {name: in_model_units(read.stored, used.units.get(name)) for name, read in values.items()}
    every = torch.arange(laid_out.rows.rows)
    return Rows(Selection(stored, every), every)


def _sheets(used: UsedRun, layouts: Layouts, laid_out: LaidOut, path: Path) -> Iterator[Sheet]:
    rows = np.arange(laid_out.rows.rows)
    if laid_out.levels is None:
        yield Sheet(path, "", {name: _about(layouts, laid_out, name, rows) for name in used.graphs.variables})
        return
    for table in layouts.files:
        of_line = laid_out.levels.rows.of_line if table is None or table.source is None else None
        names = [name for name in used.graphs.variables if _told_in(layouts, name, table, rows=of_line is not None)]
        file = path if table is None or table.source is None else Path(table.source)
        about = {name: _about(layouts, laid_out, name, of_line) for name in names}
        yield Sheet(file, "" if table is None or table.source is None else table.plates[-1], about)


def _told_in(layouts: Layouts, name: str, table: LineTable | None, *, rows: bool) -> bool:
    """A variable has its answers in the table that has its plate; one of rows, in that of the rows."""
    own = layouts.lines.get(layouts.plate_of.get(name, ""))
    return (own is table and own is not None) or (own is None and rows)


def _about(layouts: Layouts, laid_out: LaidOut, name: str, rows: Array | None) -> Lines:
    plate = layouts.plate_of.get(name, "")
    table = laid_out.elements.get(plate)
    if table is None:
        assert rows is not None, "a variable of rows is told where rows are"
        return Lines(rows, np.zeros(len(rows), dtype=np.int64))
    levels = laid_out.levels
    element = np.arange(table.total) if levels is None else levels.plates[plate].of_line
    return Lines(np.searchsorted(table.starts, element, side="right") - 1, table.places[element])
