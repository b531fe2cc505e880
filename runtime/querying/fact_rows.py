"""Rows that a query takes facts from: of a split of the run's own data, or of a file; only the columns that are named.

From: a source. To: parts of rows as the model takes them, {name: [n, *shape]} float64, NaN for blanks.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.model.model import Model
from graphspec.graphs.graph import Graphs, Variable
from runtime.data import prepare
from runtime.data.stream.patterns import given_elements
from runtime.errors import DataError, RunError
from runtime.predicting.input_parts import InputTable
from runtime.predicting.input_tables import open_input
from runtime.predicting.input_values import InputReader, batch_of
from runtime.predicting.row_answers import as_rows
from runtime.predicting.tables_in_memory import open_table
from runtime.predicting.used_run import UsedRun
from runtime.runs.run_rows import rows_of_run

SPLITS = ("test", "validation", "training")
Named = Mapping[str, frozenset[int]]
"""By variable, its elements that queries take from rows."""


@dataclass(frozen=True)
class FactRows:
    """numbers: [n] 0-based, of the file or source. values: what the named elements hold."""

    numbers: NDArray[np.int64]
    values: Mapping[str, Tensor]


@dataclass(frozen=True)
class _NamedColumns(UsedRun):
    """A run of which an input is read for some variables only, any of whose elements may be absent."""

    named: Named = None  # type: ignore[assignment]

    @cached_property
    def _graphs(self) -> Graphs:
        graphs = self.model.graphs.by_row
        changed = {name: replace(graphs.variables[name], missing=True) for name in self.named}
        return replace(graphs, variables={**graphs.variables, **changed})

    @property
    def graphs(self) -> Graphs:
        return self._graphs

    def may_be_blank(self, name: str) -> bool:
        variable = self.model.graphs.by_row.variables[name]
        return len(self.named[name]) < prod(variable.shape) or variable.missing or variable.role == "supervised"


def rows_of(
    used: UsedRun, source: Any, named: Named, size: int, tell: Callable[[str], None], stack: ExitStack
) -> Iterator[FactRows]:
    """Parts of rows. source: a split's name, a path, or a table in memory. Raises DataError for what cannot be read,
    and for blanks where a row may have none."""
    if isinstance(source, str) and source in SPLITS:
        yield from _of_split(used, source, named, size, tell)
        return
    columns = {name: spec for name, spec in used.columns.items() if name in named}
    table = open_input(str(source), used, tell, stack) if isinstance(source, str | Path) else open_table(source, used)
    _refuse_absent(used, table, named)
    reduced = _NamedColumns(used.run, used.model, used.data, columns, used.units, used.seen, used.data_dir, named=named)
    reader, count = InputReader(reduced, table), 0
    for part in table.parts(size):
        values = batch_of(reader.read(part), slice(0, part.rows), torch.float64)
        numbers = np.arange(part.first, part.first + part.rows)
        count += part.rows
        yield FactRows(numbers, _only_named(used, numbers, _as_numbers(reduced, values), named, table.name))
    for note in reader.notes(count):
        tell(f"note: {note}")


def _refuse_absent(used: UsedRun, table: InputTable, named: Named) -> None:
    for name, elements in named.items():
        spec = used.columns[name]
        whole = len(spec.names) == 1
        wanted = spec.names if whole else [spec.names[element] for element in sorted(elements)]
        lacking = [column for column in wanted if column not in table.readable]
        if lacking:
            raise DataError(
                f"{table.name} has no column {lacking[0]!r}, which the query takes from rows",
                f"columns: {', '.join(list(table.readable)[:12])}",
            )


def _as_numbers(reduced: UsedRun, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: each.double().cpu() for name, each in as_rows(reduced, values).items()}


def _of_split(used: UsedRun, split: str, named: Named, size: int, tell: Callable[[str], None]) -> Iterator[FactRows]:
    run, graphs = used.run, used.model.graphs
    data = prepare(
        graphs, data_dir=used.data_dir, spec_path=run.spec_path, tell=tell, units=dict(used.units),
        earlier=rows_of_run(run),
    )  # fmt: skip
    rows = {"test": data.test, "validation": data.validation, "training": data.training}[split]
    if not len(rows):
        raise RunError(f"the {split} split has no rows", "name another split, or a file")
    for start in range(0, len(rows), size):
        positions = torch.arange(start, min(start + size, len(rows)))
        batch = rows.batch(positions, torch.float64)
        found = {name: _blank_as_nan(used.model, name, each) for name, each in batch.items() if name in named}
        numbers = rows.source[positions].cpu().numpy()
        yield FactRows(numbers, _only_named(used, numbers, found, named, f"the {split} split"))


def _blank_as_nan(model: Model, name: str, values: Tensor) -> Tensor:
    known = given_elements(values, model.graphs.variables[name].discrete)
    return values.double().cpu().masked_fill(~known.cpu(), float("nan"))


def _only_named(
    used: UsedRun, numbers: NDArray[np.int64], values: Mapping[str, Tensor], named: Named, where: str
) -> dict[str, Tensor]:
    """What the query names; DataError for blanks of what may not be blank."""
    found = {}
    for name, elements in named.items():
        values_of = _with_room(values[name], used.graphs.variables[name])
        flat = values_of.reshape(len(numbers), -1)
        kept = torch.full_like(flat, torch.nan)
        which = sorted(elements)
        kept[:, which] = flat[:, which]
        blank = kept[:, which].isnan()
        if used.graphs.variables[name].row_axes:  # told where it is known which elements are there
            blank = torch.zeros_like(blank)
        if not used.may_be_blank(name) and bool(blank.any()):
            row, place = blank.nonzero()[0].tolist()
            raise DataError(
                f"{where}, row {numbers[row]}: {used.elements(name)[which[place]]} is blank, and {name} may not be",
                "give it a value, or say `missing: true` of the variable and train again",
            )
        found[name] = kept.reshape(values_of.shape)
    return found


def _with_room(values: Tensor, variable: Variable) -> Tensor:
    """Rows that hold fewer elements of plates than there may be, with blanks for the others."""
    room = torch.full((len(values), *variable.shape), torch.nan, dtype=values.dtype)
    room[tuple(map(slice, values.shape))] = values
    return room
