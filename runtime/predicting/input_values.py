"""Parts of an input as the model takes them: read, checked and scaled like the training's own rows.

What training judged by all cells of a column together (whether -1 is a blank) holds here for every cell by itself, so
that a row means the same whatever stands beside it. What is strange is counted, to be told once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import CellReader, read_as
from graphspec.language import ColumnSpec
from graphspec.reading.suggestions import counted, did_you_mean, few
from runtime.data.preparation.certain_labels import check_certain_labels
from runtime.data.preparation.element_values import ElementReader
from runtime.data.preparation.preparation import without_parts
from runtime.data.preparation.values import Values
from runtime.data.read.cells import BLANK
from runtime.data.read.element_table import as_texts
from runtime.data.read.laid_out import LaidOut
from runtime.data.read.table import Array, Column, Table, whole
from runtime.data.stream.rows import as_numbers
from runtime.data.stream.units import positive_log
from runtime.errors import DataError
from runtime.predicting.input_parts import InputPart, InputTable
from runtime.predicting.used_run import UsedRun

FAR = 3.0
"""Standard deviations of training's values, from the outermost of them, at which a value is far outside."""

MOST_FAR = 8
"""Columns with values far outside that are told one by one."""


@dataclass
class _Told:
    """Something strange of one column: how often, and where it was first."""

    count: int = 0
    first: str = ""
    different: dict[str, None] = field(default_factory=dict)


@dataclass
class InputReader:
    """Reads the parts of one input in order. Raises DataError, at once for columns that lack, later for cells."""

    used: UsedRun
    table: InputTable
    _unknown: dict[str, _Told] = field(default_factory=dict)
    _far: dict[tuple[str, str], _Told] = field(default_factory=dict)
    _new: dict[str, _Told] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.absent = {
            name: [column for column in spec.names if column not in self.table.readable]
            for name, spec in self.used.columns.items()
        }
        observed = [name for name in self.used.columns if self.used.graphs.variables[name].role == "observed"]
        wanted = [column for name in observed for column in self.used.columns[name].names]
        if wanted and not set(wanted) & set(self.table.readable):
            raise DataError(
                f"{self.table.name} has none of the columns that the run reads: {few(wanted)}",
                f"columns: {few(self.table.readable)}",
            )
        for name, columns in self.absent.items():
            if columns and not self.used.may_be_blank(name):
                raise self._missing(name, columns)

    def _missing(self, name: str, columns: list[str]) -> DataError:
        if columns[0] in self.table.header:
            return DataError(f"{self.table.name} has more than one column called {columns[0]!r}", "rename one of them")
        near = did_you_mean(columns[0], self.table.readable)
        shown = few(map(repr, columns), 8)
        return DataError(
            f"{self.table.name} has no column {shown}, which {name} is read from",
            f"{near} columns: {few(self.table.readable)}".strip(),
        )

    @cached_property
    def columns(self) -> dict[str, ColumnSpec]:
        """How each variable is read here: -1 is a blank of every whole number that is no name."""
        return {name: _with_minus_one(self.used.graphs.variables[name], s) for name, s in self.used.columns.items()}

    @cached_property
    def _shared(self) -> list[str]:
        """Columns that several variables read, each in its way."""
        readers = Counter(column for spec in self.columns.values() for column in spec.names)
        return [column for column, times in readers.items() if times > 1]

    def has(self, name: str) -> bool:
        """The input has every column of a variable."""
        return name in self.absent and not self.absent[name]

    def read(self, part: InputPart) -> dict[str, Tensor]:
        """Every observed and supervised variable of some rows, [n, *shape] in the model's units: NaN or -1 for blanks,
        bytes of pictures as they are. Raises DataError with column, row and value."""
        graphs = self.used.graphs
        cells = {
            column: self.cells(part, graphs.variables[name], spec, column)
            for name, spec in self.columns.items()
            for column in spec.names
        }
        cells |= {column: part.columns[column] for column in self._shared if column in part.columns}
        table = Table(self.table.name, cells, where=lambda row: f"row {part.first + row}")
        reader = ElementReader(
            graphs, self.used.layouts, LaidOut(table), self.columns, self.used.dialect.numbers, whole_source=False
        )
        try:
            found = reader.read_all(list(self.columns))
        except DataError as error:  # advice about the spec, which a trained run has no use for any more
            written = f"write {self.table.name} as its training data were written, blanks as empty cells"
            hint = f"{error.hint}; a trained run reads cells as its spec says: {written}"
            raise DataError(error.message, hint.removeprefix("; ")) from None
        found = {
            name: without_parts(graphs, name, values)[0] if graphs.variables[name].role == "supervised" else values
            for name, values in found.items()
        }
        check_certain_labels(self.used.model.graphs, found, self.columns, lambda row: f"row {part.first + row}")
        return {name: self._scaled(part, name, values) for name, values in found.items()}

    def cells(self, part: InputPart, variable: Variable, spec: ColumnSpec, column: str) -> Column:
        """Cells of one column, without those that are no value of a variable that may be blank."""
        if column not in part.columns:
            shape = variable.shape if spec.column is not None else ()
            return np.full((part.rows, *shape), np.nan)
        cells = part.columns[column]
        if not self.used.may_be_blank(variable.name) or not read_as(variable, spec).discrete:
            return cells
        return self._without_unknown(part, variable, spec, column, whole(cells))

    def _without_unknown(
        self, part: InputPart, variable: Variable, spec: ColumnSpec, column: str, cells: Array
    ) -> Array:
        if cells.ndim != 1 or cells.dtype == object:
            return cells
        distinct, position = np.unique(cells, return_inverse=True)
        texts = as_texts(distinct)
        reader = CellReader(read_as(variable, spec), spec.missing_in(column), texts, self.used.dialect.numbers)
        legal = [value is not None and (value != value or reader.in_range(value)) for value in reader.values]
        wrong: NDArray[np.bool_] = ~np.array(legal, dtype=np.bool_)[position.reshape(cells.shape)]
        if not wrong.any():
            return cells
        row = int(wrong.argmax())
        self._count(
            self._unknown, column, int(wrong.sum()), f"row {part.first + row}", as_texts(np.unique(cells[wrong]))
        )
        return np.where(wrong, "" if cells.dtype.kind == "U" else np.nan, cells)

    def _count(self, into: "dict[str, _Told]", column: str, count: int, first: str, different: list[str]) -> None:
        told = into.setdefault(column, _Told(first=first))
        told.count += count
        told.different.update(dict.fromkeys(different[:20]))

    def _scaled(self, part: InputPart, name: str, values: Values) -> Tensor:
        units, tensor = self.used.units.get(name), values.stored.take(torch.arange(part.rows))
        if units is not None:
            tensor = units.from_data(tensor)
        self._look_for_new(part, name, tensor)
        self._look_for_far(part, name, tensor)
        return tensor

    # what training never saw

    def _look_for_new(self, part: InputPart, name: str, values: Tensor) -> None:
        """Classes that the spec declares and no training row has: the model says something about them all the same."""
        seen, variable = self.used.seen.get(name), self.used.graphs.variables[name]
        if seen is None or not seen.classes or variable.role != "observed":
            return
        flat = values.reshape(len(values), -1).double()
        known = torch.tensor([*seen.classes, float(BLANK)], dtype=flat.dtype)
        new = ~torch.isin(flat, known) & ~flat.isnan()
        if bool(new.any()):
            row = int(new.any(1).int().argmax())
            names = [variable.value_names[int(each) - variable.minimum] for each in flat[new].unique().tolist()]
            columns, count = ", ".join(self.columns[name].names), int(new.any(1).sum())
            self._count(self._new, columns, count, f"row {part.first + row}", names)

    def _look_for_far(self, part: InputPart, name: str, values: Tensor) -> None:
        seen, variable = self.used.seen.get(name), self.used.graphs.variables[name]
        if seen is None or not seen.low:
            return
        flat = values.reshape(len(values), -1).double()
        low, high, spread = (torch.tensor(each, dtype=torch.float64) for each in (seen.low, seen.high, seen.spread))
        change = positive_log if variable.domain == "positive" else lambda numbers: numbers
        reach = FAR * torch.where(spread > 0, spread, (change(high) - change(low)).clamp_min(1e-12))
        given = (flat != BLANK) if variable.discrete else ~flat.isnan()
        far = given & ((change(flat) < change(low) - reach) | (change(flat) > change(high) + reach))
        for element in far.any(0).nonzero().flatten().tolist():
            row = int(far[:, element].int().argmax())
            units = self.used.units.get(name)
            shape = variable.shape
            ends = [each.reshape(1, *shape) for each in (low, high, flat[row])]
            shown = [float((each if units is None else units.to_data(each)).flatten()[element]) for each in ends]
            key = (self.used.elements(name)[element], f"{shown[0]:.4g} to {shown[1]:.4g}")
            told = self._far.setdefault(key, _Told(first=f"row {part.first + row}: {shown[2]:.6g}"))
            told.count += int(far[:, element].sum())

    # what is told at the end

    def notes(self, rows: int) -> Iterator[str]:
        """What was strange in the `rows` that were read, a line for each column."""
        for name, columns in self.absent.items():
            variable = self.used.graphs.variables[name]
            if columns and (variable.role == "observed" or len(columns) < len(self.used.columns[name].names)):
                near = did_you_mean(columns[0], self.table.readable)
                shown = few(map(repr, columns), 8)
                yield f"{self.table.name} has no column {shown}: taken as blank in every row. {near}".strip()
        for column, told in self._unknown.items():
            values = few(map(repr, told.different), 6)
            yield (
                f"column {column!r}: {counted(told.count, 'cell')} of {rows} taken as blank, being no class of it "
                f"({values}; first in {told.first})"
            )
        for column, told in self._new.items():
            yield (
                f"column {column!r}: {counted(told.count, 'row')} of {rows} with a class that no training row had "
                f"({few(map(repr, told.different), 6)}; first in {told.first}): answers about them mean little"
            )
        for (column, ends), told in islice(self._far.items(), MOST_FAR):
            yield (
                f"column {column!r}: {counted(told.count, 'row')} of {rows} far outside of what training saw ({ends}), "
                f"the first in {told.first}: another unit?"
            )
        others = [column for column, _ in islice(self._far, MOST_FAR, None)]
        if others:
            yield f"{counted(len(others), 'more column')} with values far outside of what training saw: {few(others)}"


def _with_minus_one(variable: Variable, spec: ColumnSpec) -> ColumnSpec:
    if not read_as(variable, spec).discrete:
        return spec
    if isinstance(spec.missing, dict):
        return spec.model_copy(update={"missing": {c: (*spec.missing_in(c), BLANK) for c in spec.names}})
    return spec.model_copy(update={"missing": (*spec.missing, BLANK)})


def batch_of(values: Mapping[str, Tensor], rows: slice, dtype: torch.dtype) -> dict[str, Tensor]:
    """Some rows as training has them: floats in `dtype`, images in [0, 1], whole numbers as they are."""
    return {name: as_numbers(each[rows], dtype) for name, each in values.items()}
