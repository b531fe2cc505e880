"""Inputs that copy a label, asked of the rows whose labels the spec does not hide (`rules.label_copy_rules` says what a
copy is, and `check` asks it of what it can look at)."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs
from graphspec.language import ColumnSpec
from graphspec.rules.label_copy_rules import (
    COPY_HINT,
    LEAST_ROWS,
    RENAMED_HINT,
    agreement,
    copy_message,
    may_agree,
)
from runtime.data.preparation.budgets import Mask
from runtime.data.preparation.labelled_elements import elements_of, one_by_one
from runtime.data.preparation.splits import Splits
from runtime.data.preparation.values import Values
from runtime.data.stream.column_store import Held, Stored
from runtime.data.stream.patterns import as_wide, given_elements
from runtime.data.stream.ragged_store import Ragged
from runtime.errors import DataError

FIRST_ROWS, PIECE_BYTES = 64, 2**22
"""Labelled rows that all elements of an input are compared in first, and how much of an input is looked at in one go
afterwards; what survives all is a copy."""
MOST_ELEMENTS = 4096
"""A larger input is no table's columns: its elements are not compared."""


def copied_labels(
    graphs: Graphs,
    columns: Mapping[str, ColumnSpec],
    values: Mapping[str, Values],
    splits: Splits,
    kept: Mapping[str, Mask],
    of_elements: Mapping[str, Mask],
) -> list[str]:
    """Notes about inputs that are another coding of a label. kept: [rows of the source], whose label trains;
    of_elements: [elements] of labels of which elements are kept. A label of an element is held against inputs of its
    plate. Raises DataError where an input has the label's own values."""
    notes = []
    plate_of = {name: variable.plate for name, variable in graphs.spec.variables.items()}
    for name in graphs.supervised:
        label = graphs.variables[name]
        if label.of_element not in ((), (1,)) or values[name].weights is not None or name not in columns:
            continue
        labelled = splits.training[kept[name][splits.training]]
        rows = torch.from_numpy(np.concatenate([labelled, splits.validation, splits.test]))
        beside = [other for other in graphs.observed if other in columns]
        stored = {other: values[other].stored for other in (name, *beside)}
        if label.row_axes:
            beside = [o for o in beside if plate_of[o] == plate_of[name] and isinstance(stored[o], (Held, Ragged))]
            rows = elements_of(stored[name], label, rows, splits.training, of_elements.get(name))
            stored = {other: one_by_one(stored[other], graphs.variables[other]) for other in (name, *beside)}
        truth = _blanks_as_nan(stored[name].take(rows)).flatten()
        rows, truth = rows[~truth.isnan()], truth[~truth.isnan()]
        unit = "elements" if label.row_axes else "rows"
        for other in beside:
            for column, found in _elements(columns[other], stored[other], rows, truth, label.discrete):
                agreed = agreement(truth.tolist(), found.tolist(), classes=label.discrete)
                if agreed is None:
                    continue
                message = copy_message(agreed[0], column, name, agreed[1], unit)
                names = {"input": other, "label": name}
                if agreed[0] == "equal":
                    raise DataError(message, COPY_HINT.format(**names))
                if not graphs.told("GS124", name):
                    notes.append(f"{message}; {RENAMED_HINT.format(**names)}")
    return notes


def _elements(
    entry: ColumnSpec, stored: Stored, rows: Tensor, truth: Tensor, classes: bool
) -> Iterator[tuple[str, Tensor]]:
    """Elements of an input that nothing in the first rows tells from a copy: what to call each, and its rows."""
    size = stored.shape.numel()
    if size > MOST_ELEMENTS or len(rows) < LEAST_ROWS:
        return
    alike: dict[int, list[float]] = {place: [] for place in range(size)}
    seen, step = 0, FIRST_ROWS
    while seen < len(rows) and alike:
        some = _of_rows(stored, rows[seen : seen + step]).reshape(-1, size)
        seen += len(some)
        known = truth[:seen].tolist()
        grown = {place: [*told, *some[:, place].tolist()] for place, told in alike.items()}
        alike = {place: told for place, told in grown.items() if may_agree(known, told, classes=classes)}
        step = min(seen, max(FIRST_ROWS, PIECE_BYTES // (8 * size)))
    for place, told in alike.items():
        one_each = len(entry.names) == size
        column = entry.names[place if one_each else 0]
        called = f"column {column}" if one_each else f"element {place} of column {column}"
        yield called, torch.tensor(told, dtype=torch.float64)


def _of_rows(stored: Stored, rows: Tensor) -> Tensor:
    """Numbers of some rows; NaN where nothing is."""
    values = _blanks_as_nan(stored.take(rows))
    return (
        values.masked_fill(~as_wide(stored.there(rows), values), float("nan")) if isinstance(stored, Ragged) else values
    )


def _blanks_as_nan(values: Tensor) -> Tensor:
    """Numbers with NaN where an element is blank."""
    return values.double().masked_fill(~given_elements(values), float("nan"))
