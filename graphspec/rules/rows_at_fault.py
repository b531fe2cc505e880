"""Which rows hold a cell that is no value, by the pictures that they are of: people look for a file, not a number."""

import math

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import CellReader, read_as
from graphspec.headers.columns import Column
from graphspec.headers.row_cells import row_cells
from graphspec.headers.sources import FileSource, dialect_of
from graphspec.language import ColumnSpec, DataSection
from graphspec.reading.suggestions import few
from graphspec.rules.picture_name_rules import columns_of_file_names
from graphspec.rules.standings import Standing

MOST_ROWS = 5


def rows_at_fault(variable: Variable, entry: ColumnSpec, column: Column, standing: Standing, data: DataSection) -> str:
    """`; in row 3 (b.png)`; nothing where rows are not of pictures, or no cell is at fault by itself."""
    columns, source = standing.info.columns or {}, standing.source
    pictures = sorted(columns_of_file_names(columns))
    if not pictures or not isinstance(source, FileSource) or not source.holds_names:
        return ""
    dialect = dialect_of(data)
    reader = CellReader(read_as(variable, entry), entry.missing_in(column.name), column.values, dialect.numbers)
    wrong = {
        cell
        for cell, value in zip(column.values, reader.values, strict=True)
        if value is None or not (math.isnan(value) or reader.in_range(value))
    }
    cells = row_cells(source, columns, [column.name, pictures[0]], dialect)
    if not wrong or len(cells) < 2:
        return ""
    both = zip(cells[column.name][0], cells[pictures[0]][0], strict=True)
    rows = [f"row {row} ({file})" for row, (cell, file) in enumerate(both) if cell in wrong]
    return f"; in {few(rows, MOST_ROWS)}" if rows else ""
