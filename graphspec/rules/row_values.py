"""Values of variables row by row, of sources that are small enough to be looked at while a spec is checked.

From: a source and its columns. To: a number per element and row, NaN for a blank, by the reader's own definition.
"""

import math
from collections.abc import Iterator, Sequence

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import CellReader, read_as
from graphspec.headers.columns import Column, written_out
from graphspec.headers.numbers import NumberFormat
from graphspec.headers.row_cells import Cells, row_cells
from graphspec.headers.sources import FileSource, Source, SourceInfo, dialect_of
from graphspec.headers.table import SourceError
from graphspec.language import ColumnSpec, DataSection


class RowValues:
    """Columns of one source; each reading is one pass over the file. Labels, which several rules ask for, are kept."""

    def __init__(self, source: Source, info: SourceInfo, data: DataSection) -> None:
        self.source = source
        self.data = data
        self.columns = info.columns or {}
        self.numbers = dialect_of(data).numbers
        self.labels: dict[tuple[str, str], list[list[float]]] = {}

    def columns_of(self, entry: ColumnSpec) -> list[Column]:
        """The columns that a variable reads, patterns as what they match; none where one is not there."""
        names = written_out(entry.names, self.columns)
        return [self.columns[name] for name in dict.fromkeys(names)] if set(names) <= set(self.columns) else []

    def read(self, wanted: Sequence[tuple[Variable, str]]) -> dict[str, list[list[float]]]:
        """Of each (variable, column), each element in every row; {} where they cannot be looked at."""
        unread = [(v, column) for v, column in wanted if (v.name, column) not in self.labels]
        found = {(v.name, column): elements for (v, column), elements in self._read(unread)}
        self.labels |= {
            (v.name, c): found[v.name, c] for v, c in unread if v.role == "supervised" and (v.name, c) in found
        }
        found |= self.labels
        return {column: found[v.name, column] for v, column in wanted if (v.name, column) in found}

    def _read(self, wanted: Sequence[tuple[Variable, str]]) -> Iterator[tuple[tuple[Variable, str], list[list[float]]]]:
        if not isinstance(self.source, FileSource) or not wanted:
            return
        try:
            cells = row_cells(self.source, self.columns, [column for _, column in wanted], dialect_of(self.data))
        except SourceError:  # `train` says what is wrong with it
            return
        for variable, column in wanted:
            if column in cells:
                entry = self.data.variables[variable.name]
                each = [numbers_of(variable, entry, column, part, self.numbers) for part in cells[column]]
                yield (variable, column), each


def numbers_of(variable: Variable, entry: ColumnSpec, column: str, cells: Cells, numbers: NumberFormat) -> list[float]:
    """The cells of one column as the variable reads them; NaN for a blank and for what is no value."""
    variable, missing = read_as(variable, entry), entry.missing_in(column)
    if not variable.discrete and not missing and not any(isinstance(cell, str) for cell in cells):
        return [float(cell) for cell in cells]
    different = list(dict.fromkeys(cells))
    values = CellReader(variable, missing, [str(cell) for cell in different], numbers).values
    found = dict(zip(different, (math.nan if value is None else value for value in values), strict=True))
    return [found[cell] for cell in cells]
