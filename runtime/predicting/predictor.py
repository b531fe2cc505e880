"""A run as an object that answers for tables: the same as `graphspec predict`, from Python and in memory.

A table is a path, the name of a known set, a data frame (pandas, polars, or whatever has `__dataframe__`), a mapping of
names to arrays, or an array, with names or with the columns that the run reads in its order; values are in the data's
units. What comes back is a table of the same kind; for all else a pandas data frame where pandas is installed, else a
dictionary of arrays.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from runtime.errors import RunError
from runtime.measures.evaluation import placement
from runtime.predicting.cell_texts import named, own_as_text
from runtime.predicting.held_values import held_values
from runtime.predicting.input_parts import InputTable
from runtime.predicting.input_tables import open_input
from runtime.predicting.input_values import InputReader
from runtime.predicting.laid_out_inputs import read_input
from runtime.predicting.output_columns import Cells, layout_of
from runtime.predicting.picture_inputs import with_pictures
from runtime.predicting.predict_rows import BATCH_ROWS, answered_parts
from runtime.predicting.predict_sheets import Sheeted, answered_rows
from runtime.predicting.row_answers import AskedFor
from runtime.predicting.row_noise import RowNoise, keys_of_places
from runtime.predicting.settings import asked_for
from runtime.predicting.tables_in_memory import Columns, as_frame, open_table
from runtime.predicting.used_run import UsedRun


@dataclass
class Predictor:
    """Answers of one run. notes: what was strange about the table that was last read."""

    used: UsedRun
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Its run, as a notebook shows it."""
        return self.used.run._repr_html_()

    def predict(self, table: Any, *, batch_rows: int = BATCH_ROWS, **asked: Any) -> Any:
        """The table with labels, numbers and latents answered, as `graphspec predict` writes it.

        asked: `latents` ("mean", "draws", "none"), `interval`, `keep`, `thresholds` (["v=NAME:0.3"]), `samples`,
        `seed`, `impute`, `draws`, `raw`. Raises DataError for what cannot be read, RunError for what cannot be asked.
        Of a run whose elements stand apart from rows `table` is a path, as `graphspec predict` has it; several tables
        come back by plate, "" for that of the rows.
        """
        if self.used.layouts.apart:
            return self._sheets(table, asked_for(self.used, **asked), batch_rows)
        return as_frame(self._answered(table, asked_for(self.used, **asked), batch_rows), table)

    def impute(self, table: Any, **asked: Any) -> Any:
        """The same with blanks of observed columns filled; `draws=N`: N joint draws of all that rows lack."""
        return self.predict(table, **{"impute": not asked.get("draws"), "latents": "none", **asked})

    def latents(self, table: Any, *, seed: int = 0, samples: int = 100) -> Any:
        """Means and deviations of the latents only."""
        whole = self._answered(table, AskedFor("mean", samples=samples, seed=seed), BATCH_ROWS)
        names = self.used.graphs.latent
        if not names:
            raise RunError("this model has no latent variables", "ask .predict")
        called = [column for name in names for column in self.used.elements(name)]
        return as_frame({n: v for n, v in whole.items() if n.removesuffix(".sd") in called}, table)

    def sample(self, count: int, *, given: Any = None, seed: int = 0) -> Any:
        """Rows drawn from p, in the data's units and names. given: what is held, by variable or column: one value for
        all rows, or `count` values (a data frame of `count` rows as well). Raises RunError for what cannot be held, or
        must be told and is not."""
        held = held_values(self.used, given, count)
        noise = RowNoise(seed, count, lambda: keys_of_places(0, count), placement(self.used.model)[0])
        with torch.no_grad():
            try:
                made = self.used.model.generate(held, count, noise=noise, means=False)
            except ValueError as error:
                raise RunError(str(error), "hold it: sample(count, given={...})") from None
        found: Columns = {}
        for name, variable in self.used.graphs.variables.items():
            values = {**made, **held}.get(name)
            if variable.role == "deterministic" or values is None:
                continue
            units = self.used.units.get(name)
            numbers = values if units is None else units.to_data(values)
            flat = numbers.double().cpu().numpy().reshape(count, -1)
            for element, column in enumerate(self.used.elements(name)):
                found[column] = _values(variable, flat[:, element])
        return as_frame(found, given)

    def _sheets(self, source: Any, asked: AskedFor, batch_rows: int) -> Any:
        """Elements that stand apart from their rows: a table as the input is one; of several tables one each, by plate
        ("" for that of the rows)."""
        if not isinstance(source, str | Path):
            raise RunError("elements of rows that stand apart are read from files", "give the path of the rows' table")
        given = read_input(self.used, str(source), lambda _: None)
        draws = answered_rows(self.used, given, asked, batch_rows)
        found: dict[str, Any] = {}
        for sheet in given.sheets:
            file = Sheeted(self.used, sheet, None, asked)
            parts: dict[str, list[NDArray[Any]]] = {name: [] for name in file.layout.header}
            for _, cells in file.cells(draws):
                _gather(parts, cells)
            columns = {name: np.concatenate(arrays) for name, arrays in parts.items()}
            found[sheet.plate] = columns if file.arrays else as_frame(columns, source)
        self.notes = tuple(given.reader.notes(len(given.rows)))
        return found[""] if len(found) == 1 else found

    def _answered(self, source: Any, asked: AskedFor, batch_rows: int) -> Columns:
        if self.used.layouts.apart:
            raise RunError("elements of these rows stand apart", "ask .predict with the path of the rows' table")
        with ExitStack() as stack:
            table = self._opened(source, stack)
            reader, layout = InputReader(self.used, table), layout_of(self.used, table, asked)
            parts: dict[str, list[NDArray[Any]]] = {name: [] for name in layout.header}
            rows = 0
            for part, draws in answered_parts(self.used, table, reader, asked, batch_rows):
                rows += part.rows
                for number, answers in enumerate(draws, start=1):
                    _gather(parts, layout.cells(part, answers, number))
            self.notes = tuple(reader.notes(rows))
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}

    def _opened(self, source: Any, stack: ExitStack) -> InputTable:
        if isinstance(source, str | Path):
            return open_input(str(source), self.used, lambda _: None, stack)
        return with_pictures(open_table(source, self.used), self.used, lambda _: None)


def _gather(parts: dict[str, list[NDArray[Any]]], cells: Any) -> None:
    for each in cells:
        parts[each.name].append(_array_of(each))


def _array_of(cells: Cells) -> NDArray[Any]:
    own = cells.own if cells.own is None or isinstance(cells.own, np.ndarray) else own_as_text(cells.own)
    if cells.values is None:
        assert own is not None
        return own
    values: NDArray[Any] = named(cells) if cells.names and not cells.whole else cells.values
    if own is None or cells.use is None:
        return values
    if own.dtype.kind in "biuf" and values.dtype.kind == "U":
        values, own = own_numbers(values), own.astype(np.float64)
    if own.dtype.kind == "U" and values.dtype.kind != "U":
        values = own_as_text(values)
    return np.where(cells.use, values, own)


def own_numbers(texts: NDArray[Any]) -> NDArray[Any]:
    """Names that are numbers, in a column of numbers; names elsewhere stay text."""
    try:
        return texts.astype(np.float64)
    except ValueError:
        return texts


def _values(variable: Variable, values: NDArray[Any]) -> NDArray[Any]:
    """Classes by name where they have one."""
    return np.array(variable.names)[values.astype(np.int64)] if variable.names else values
