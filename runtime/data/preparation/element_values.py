"""Values of variables in plates whose elements stand apart from their rows, or are not all there.

From: `LaidOut`. To: `Values` of every variable: each element read and checked like a row of its own, then put to its
row. Counts that nothing but the layout tells are made here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from graphspec.graphs.graph import Graphs, Variable
from graphspec.graphs.plate_counts import plate_size
from graphspec.headers.element_counts import capacity_of, check_lengths
from graphspec.headers.element_tables import Layouts
from graphspec.headers.key_cells import LayoutError
from graphspec.headers.numbers import NumberFormat
from graphspec.language import ColumnSpec
from runtime.data.preparation.values import Values, read_values
from runtime.data.read.cells import BLANK, blank_cells
from runtime.data.read.element_table import ElementTable, Numbers, placed
from runtime.data.read.laid_out import LaidOut
from runtime.data.read.table import Array, Table, whole
from runtime.data.stream.column_store import Held
from runtime.data.stream.ragged_store import Ragged, RowElements
from runtime.errors import DataError


@dataclass
class ElementReader:
    """Reads variables one by one, counts before what they count. columns: how each variable is read.

    whole_source: as in `read_values`.
    """

    graphs: Graphs
    layouts: Layouts
    laid_out: LaidOut
    columns: Mapping[str, ColumnSpec]
    numbers: NumberFormat
    whole_source: bool = True

    def read_all(self, names: list[str]) -> dict[str, Values]:
        """Values of variables as rows have them. Raises DataError."""
        self.lengths: dict[str, Numbers] = {plate: t.lengths for plate, t in self.laid_out.elements.items()}
        self.found: dict[str, Values] = {}
        self.uncounted: dict[str, Array] = {}
        counts = {plate.count for plate in self.graphs.spec.plates.values()}
        try:
            for name in sorted(names, key=lambda name: (name not in counts, len(self._path(name)))):
                self.found[name] = self._read(name)
        except LayoutError as error:
            raise DataError(error.message, error.hint) from error
        return {name: self.found[name] for name in names}

    def _path(self, name: str) -> tuple[str, ...]:
        return self.layouts.levels[self.layouts.plate_of[name]] if name in self.layouts.plate_of else ()

    def _read(self, name: str) -> Values:
        variable, path = self.graphs.variables[name], self._path(name)
        counted = [plate for plate, spec in self.graphs.spec.plates.items() if spec.count == name]
        told = [plate for plate in counted if self.layouts.kinds[plate] != "padded"]
        values = None if name not in self.columns else self._of_columns(variable, path)
        for plate in told:
            values = self._counted(variable, plate, values)
        assert values is not None, "a variable without a column is a count that the layout tells"
        for plate in counted:
            self.lengths.setdefault(plate, self._flat(values))
            if not given_flat(values).all():
                self.uncounted[plate] = ~given_flat(values)
        return values

    def _of_columns(self, variable: Variable, path: tuple[str, ...]) -> Values:
        spec, plate = self.columns[variable.name], path[-1] if path else ""
        if plate in self.laid_out.elements:
            return self._of_elements(variable, spec, self.laid_out.elements[plate])
        if any(self.graphs.spec.plates[each].count is not None for each in path):
            return self._of_elements(variable, spec, self._padded(variable, spec, path))
        return read_values(variable, spec, self.laid_out.rows, self.numbers, whole_source=self.whole_source)

    def _of_elements(self, variable: Variable, spec: ColumnSpec, elements: ElementTable) -> Values:
        return read_elements(variable, spec, elements, self.numbers, whole_source=self.whole_source)

    def _flat(self, values: Values) -> Numbers:
        """A count as lengths; blanks, of rows whose number of elements is not known, as 0."""
        found = _counts(values).astype(np.int64)
        return np.where(found == BLANK, 0, found)

    def _counted(self, variable: Variable, plate: str, given: Values | None) -> Values:
        """The count of a plate, as its elements were found; held against its own column if it has one."""
        table, path = self.laid_out.elements[plate], self.layouts.levels[plate][:-1]
        outer = self.laid_out.elements[path[-1]] if path else None
        if given is not None:
            said = self._flat(given)
            wrong = np.flatnonzero((said != table.lengths) & given_flat(given))
            if len(wrong):
                unit = int(wrong[0])
                where = outer.where(unit) if outer else _row(unit)
                raise LayoutError(
                    f"{variable.name} is {said[unit]} in {where}, which has {table.lengths[unit]} {plate}",
                    f"leave {variable.name} out of `data.variables`: it is then the number of elements found",
                )
        counts = torch.from_numpy(table.lengths.astype(np.int64))
        if outer is None:
            shaped = counts.reshape(len(counts), *variable.shape)
            return Values(Held(shaped), np.ones(len(counts), dtype=np.bool_))
        return _put_to_rows(variable, Values(Held(counts), np.ones(len(counts), dtype=np.bool_)), outer)

    def _padded(self, variable: Variable, spec: ColumnSpec, path: tuple[str, ...]) -> ElementTable:
        """Elements of cells that have room for more than are there."""
        rows, names = self.laid_out.rows, spec.names
        cells = [whole(rows.columns[name]) for name in names]
        if spec.columns is not None:
            cells, names = [_side_by_side(spec, cells)], (", ".join(spec.names),)
        array = cells[0]
        if array.dtype == object or array.ndim < 1 + len(path):
            raise LayoutError(
                f"column {names[0]} has cells of shape {list(array.shape[1:])}, and {variable.name} stands in "
                f"{' in '.join(reversed(path))}",
                "a cell has an axis for each plate: [N, n, ...]; or say in `data.plates` how else elements stand",
            )
        outer: ElementTable | None = None
        there = np.ones(len(array), dtype=np.bool_)
        for axis, plate in enumerate(path):
            room = array.shape[1 + axis]
            lengths, capacity = self._lengths(plate, there), capacity_of(self.graphs.spec, plate)
            where = outer.where if outer else _row
            check_lengths(replace(capacity, smallest=0), lengths, where)
            over = np.flatnonzero(lengths > room)
            if len(over):
                message = f"{where(int(over[0]))} has {lengths[over[0]]} {plate}, and column {names[0]} room for {room}"
                raise LayoutError(message, "the axis of a plate is as long as its longest row")
            self._refuse_uncounted(variable, spec, plate, array, where)
            full = np.zeros(there.shape, dtype=np.int64)
            full[there] = lengths
            there = there[..., None] & (np.arange(room) < full[..., None])
            starts, places, sizes = placed(lengths, capacity.size, outer)
            outer = ElementTable(rows.name, {}, lengths, starts, places, sizes, _Where(starts, plate))
        assert outer is not None
        return replace(outer, columns={spec.column or variable.name: array[there]})

    def _refuse_uncounted(
        self, variable: Variable, spec: ColumnSpec, plate: str, cells: Array, where: Callable[[int], str]
    ) -> None:
        """A label of an element in a row whose count is blank."""
        unknown = self.uncounted.get(plate)
        if unknown is None or len(unknown) != len(cells):
            return
        if cells.dtype.kind == "U":
            given = cells != ""
        else:
            given = ~blank_cells(cells, () if isinstance(spec.missing, dict) else spec.missing)
            given &= cells != BLANK if variable.discrete else True
        torn = np.flatnonzero(unknown & given.reshape(len(cells), -1).any(axis=1))
        if len(torn):
            count = self.graphs.spec.plates[plate].count
            raise LayoutError(
                f"{where(int(torn[0]))} has labels of {variable.name}, and {count} is blank there",
                f"a label of an element says that it is there: give the row its {count}",
            )

    def _lengths(self, plate: str, there: Array) -> Numbers:
        if plate in self.lengths:
            return self.lengths[plate]
        units, size = int(there.sum()), plate_size(self.graphs.spec, plate) or 1
        if self.graphs.spec.plates[plate].count is None:
            return np.full(units, size, dtype=np.int64)
        raise LayoutError(
            f"nothing tells how many {plate} a row has: {self.graphs.spec.plates[plate].count} has no column",
            "give it one in `data.variables`",
        )


def _side_by_side(spec: ColumnSpec, cells: list[Array]) -> Array:
    if isinstance(spec.missing, dict):
        raise LayoutError("columns of elements share what means a blank", "write one list: `missing: [...]`")
    return np.stack(cells, axis=1)


def _row(row: int) -> str:
    return f"row {row} (from 0)"


@dataclass(frozen=True)
class _Where:
    """An element by its row and its number in it."""

    starts: Numbers
    plate: str

    def __call__(self, element: int) -> str:
        row = int(np.searchsorted(self.starts, element, side="right")) - 1
        return f"row {row}, {self.plate} {element - int(self.starts[row])} (from 0)"


def _counts(values: Values) -> Array:
    """All values of a count, one after the other."""
    stored = values.stored.elements if isinstance(values.stored, Ragged) else values.stored
    assert isinstance(stored, Held), "counts are held in memory"
    found: Array = stored.tensor.reshape(-1).numpy()
    return found


def given_flat(values: Values) -> Array:
    """Which values of a count are given."""
    given: Array = _counts(values) != BLANK
    return given


def read_elements(
    variable: Variable, spec: ColumnSpec, elements: ElementTable, numbers: NumberFormat, *, whole_source: bool = True
) -> Values:
    """A variable, as rows have it, of elements that each are read like a row of their own."""
    element = variable.of_one
    if variable.name in elements.columns and set(spec.names) - elements.columns.keys():  # cut out of padded cells
        spec = spec.model_copy(update={"column": variable.name, "columns": None})
    if not elements.total and whole_source:
        raise LayoutError(f"no row of {elements.name} has an element of {variable.name}", "check the file")
    table = Table(elements.name, elements.columns, where=elements.where)
    read = read_values(element, spec, table, numbers, whole_source=whole_source)
    return _put_to_rows(variable, read, elements)


def _put_to_rows(variable: Variable, read: Values, elements: ElementTable) -> Values:
    rows, element = len(elements.starts) - 1, variable.of_one
    row_of = np.repeat(np.arange(rows), np.diff(elements.starts))
    present = np.bincount(row_of, read.present, minlength=rows) > 0
    if elements.full and isinstance(read.stored, Held):
        return Values(Held(read.stored.tensor.reshape(rows, *elements.sizes, *element.shape)), present)
    of_rows = RowElements(torch.from_numpy(elements.starts), torch.from_numpy(elements.places), elements.sizes)
    return Values(Ragged(read.stored, of_rows), present)
