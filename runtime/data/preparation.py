"""From: a checked spec and its `data` section. To: `PreparedData`. The steps in order, each in a module of its own."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphspec.graph import Graphs
from graphspec.schema import ColumnSpec, DataSection
from runtime.data.budgets import Budgets, Mask
from runtime.data.reading import read_table
from runtime.data.rows import PreparedData, Rows, Units
from runtime.data.splits import Splits, split_columns, split_rows
from runtime.data.table import Table
from runtime.data.values import Values, read_values
from runtime.errors import DataError


def prepare(graphs: Graphs, *, data_dir: Path | None = None, spec_path: Path | None = None) -> PreparedData:
    """Read, split, budget and standardize the data of a spec; the same seed always gives the same rows.

    Nothing but the labels that a budget keeps has a part in the result: labels beyond it are blanked first. (A split
    rule that names a label's column reads that column; a note says so.)
    data_dir: `--data-dir`; spec_path: the spec's file, beside which relative paths are looked for first.
    Raises DataError for everything that is wrong with the data.
    """
    data = _data_section(graphs)
    columns = _columns(graphs, data)
    needed = [name for spec in columns.values() for name in spec.names]
    table = read_table(
        data.source,
        tuple(dict.fromkeys((*needed, *data.factors.values(), *split_columns(data)))),
        spec_path,
        data_dir,
    )
    values = {name: read_values(graphs.variables[name], spec, table) for name, spec in columns.items()}
    splits = split_rows(data, table)
    supervised = {name: values[name] for name in graphs.supervised}
    variables = {name: graphs.variables[name] for name in graphs.supervised}
    budgets = Budgets(data, variables, supervised, splits.training, spec_path, data_dir)
    kept = {name: budgets.kept(name) for name in graphs.supervised}
    notes = (*table.notes, *splits.notes, *budgets.notes, *_reading_labels(graphs, data, columns))
    return _assemble(graphs, data, columns, table, values, splits, kept, notes)


def _data_section(graphs: Graphs) -> DataSection:
    if graphs.spec.data is None:
        raise DataError("the spec has no `data` section", "add data: {source: ..., variables: {...}}")
    return graphs.spec.data


def _columns(graphs: Graphs, data: DataSection) -> dict[str, ColumnSpec]:
    """How each observed and supervised variable is read. Raises DataError where one has no column."""
    for name in (*graphs.observed, *graphs.supervised):
        if name not in data.variables:
            role = graphs.variables[name].role
            raise DataError(
                f"{role} variable {name} has no column", f"add it to the data section: variables: {{{name}: COLUMN}}"
            )
    return {name: data.variables[name] for name in (*graphs.observed, *graphs.supervised)}


def _reading_labels(graphs: Graphs, data: DataSection, columns: Mapping[str, ColumnSpec]) -> list[str]:
    labels = {column: name for name in graphs.supervised for column in columns[name].names}
    return [
        f"the splits read column {column!r}, which holds the labels of {labels[column]}, hidden ones included"
        for column in split_columns(data)
        if column in labels
    ]


def _assemble(
    graphs: Graphs,
    data: DataSection,
    columns: Mapping[str, ColumnSpec],
    table: Table,
    values: Mapping[str, Values],
    splits: Splits,
    kept: Mapping[str, Mask],
    notes: tuple[str, ...],
) -> PreparedData:
    tensors = {name: read.tensor for name, read in values.items()}
    units = {
        name: _units(name, tensors[name][torch.from_numpy(_rows_for_units(name, kept, splits))])
        for name, spec in columns.items()
        if spec.standardize
    }
    factors = {name: table.columns[column] for name, column in data.factors.items()}

    def part(rows: NDArray[np.int64]) -> Rows:
        index = torch.from_numpy(rows)
        taken = {name: tensor[index] for name, tensor in tensors.items()}
        scaled = {name: units[name].from_data(taken[name]) if name in units else taken[name] for name in taken}
        return Rows(scaled, index, {name: column[rows] for name, column in factors.items()})

    training = part(splits.training)
    keeps = {name: torch.from_numpy(mask[splits.training]) for name, mask in kept.items()}
    budgeted = {**training.values, **{name: _blank(training.values[name], ~keep) for name, keep in keeps.items()}}
    any_label = torch.zeros(len(training), dtype=torch.bool)
    for keep in keeps.values():
        any_label |= keep
    return PreparedData(
        source=data.source,
        seed=data.seed,
        training=Rows(budgeted, training.source, training.factors),
        validation=part(splits.validation),
        test=part(splits.test),
        labelled=any_label.nonzero().flatten(),
        unlabelled=(~any_label).nonzero().flatten(),
        label_rows={name: keep.nonzero().flatten() for name, keep in keeps.items()},
        units=units,
        columns=columns,
        unit_valued=frozenset(name for name in columns if graphs.variables[name].domain in ("unit", "binary")),
        fingerprint=table.fingerprint(),
        notes=notes,
    )


def _rows_for_units(name: str, kept: Mapping[str, Mask], splits: Splits) -> NDArray[np.int64]:
    """Rows that standardization may look at: training rows, of a label only those that keep it."""
    return np.flatnonzero(kept[name]) if name in kept else splits.training


def _units(name: str, values: Tensor) -> Units:
    """Mean and standard deviation over rows, per element (images: per channel); a constant keeps its scale."""
    if not values.is_floating_point():
        raise DataError(f"standardize: {name} holds no real numbers", "standardize variables of domain real only")
    over = (0, *range(2, values.dim())) if values.dim() > 3 else (0,)
    known = ~values.isnan()
    count = known.sum(over, keepdim=True).clamp_min(1)
    numbers = torch.where(known, values.double(), 0.0)
    mean = numbers.sum(over, keepdim=True) / count
    spread = torch.where(known, (numbers - mean) ** 2, 0.0).sum(over, keepdim=True) / count
    std = spread.sqrt()
    tiny = std <= 1e-12 * (1 + mean.abs())
    return Units(mean[0], torch.where(tiny, 1.0, std)[0])


def _blank(values: Tensor, rows: Tensor) -> Tensor:
    """The values with `rows` [N] (True: hide) blank."""
    hidden = values.clone()
    hidden[rows] = float("nan") if values.is_floating_point() else -1
    return hidden
