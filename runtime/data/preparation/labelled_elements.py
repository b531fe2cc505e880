"""Labels of a plate one by one: which elements have one, whose they are, and which are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from graphspec.language.plates import path_of
from graphspec.reading.suggestions import counted
from runtime.data.preparation.values import Values
from runtime.data.stream.column_store import Held, Stored
from runtime.data.stream.label_counts import is_class
from runtime.data.stream.patterns import given_elements
from runtime.data.stream.ragged_store import Ragged
from runtime.errors import DataError


@dataclass(frozen=True)
class LabelledElements:
    """Elements of one label, all rows after one another.

    row_of: [total] the row of each; places: where it stands in its row, counted through all plates; given: it has a
    label, or part of one; codes: its class, 0 where it is none.
    """

    row_of: NDArray[np.int64]
    places: NDArray[np.int64]
    given: NDArray[np.bool_]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, variable: Variable, values: Values) -> "LabelledElements":
        """Of a label as rows have it."""
        stored = values.stored
        if isinstance(stored, Ragged):
            assert isinstance(stored.elements, Held), "labels are held in memory"
            tensor, row_of, places = stored.elements.tensor, stored.of_rows.row_of, stored.of_rows.places
        else:
            assert isinstance(stored, Held), "labels are held in memory"
            room = prod(variable.shape[: variable.row_axes])
            tensor = stored.tensor.reshape(-1, *variable.of_element)
            row_of = torch.arange(len(stored)).repeat_interleave(room)
            places = torch.arange(room).repeat(len(stored))
        given = given_elements(tensor).reshape(len(tensor), prod(variable.of_element)).any(dim=1)
        element = variable.of_one
        codes = tensor.reshape(-1) if is_class(element) else torch.zeros(len(tensor), dtype=torch.int64)
        return cls(row_of.numpy(), places.numpy(), given.numpy(), codes.numpy().astype(np.int64))


def elements_of(
    stored: Stored, label: Variable, rows: Tensor, training: NDArray[np.int64], kept: NDArray[np.bool_] | None
) -> Tensor:
    """Which elements of a label rows have, by their number in `one_by_one`; of training rows only those that are kept,
    where elements are and not rows."""
    if isinstance(stored, Ragged):
        found, within = stored.of_rows.of(rows)
    else:
        room = prod(label.shape[: label.row_axes])
        found = (rows[:, None] * room + torch.arange(room)).flatten()
        within = torch.arange(len(rows)).repeat_interleave(room)
    if kept is None:
        return found
    trains = torch.from_numpy(np.isin(rows.numpy(), training))[within]
    return found[~trains | torch.from_numpy(kept)[found]]


def one_by_one(stored: Stored, variable: Variable) -> Stored:
    """A variable of a plate with each element as if it were a row, rows one after the other."""
    if isinstance(stored, Ragged):
        return stored.elements
    assert isinstance(stored, Held), "what stands in a plate without a count is held in memory"
    return Held(stored.tensor.reshape(-1, *variable.of_element))


def refuse_uncounted_labels(
    graphs: Graphs, values: Mapping[str, Values], training: NDArray[np.int64], kept: Mapping[str, NDArray[np.bool_]]
) -> None:
    """DataError for a training row that keeps labels of elements and not their count: whoever says what an element is
    says that it is there. kept: [N] rows that keep each label."""
    spec = graphs.spec
    for name in values:
        for plate in path_of(spec.plates, spec.variables[name].plate or ""):
            count = spec.plates[plate].count
            if count is None or count not in kept:
                continue
            rows = training[(kept[name] & ~kept[count])[training]]
            if len(rows):
                raise DataError(
                    f"{counted(len(rows), 'training row keeps', 'training rows keep')} labels of {name} and none of "
                    f"{count}, which says how many {plate} there are (the first is row {rows[0]}, from 0)",
                    f"`labels: {{{name}: {{with: {count}}}}}`",
                )


def hiding(stored: Stored, training: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Stored:
    """A label of which every element in a training row is hidden that is not `kept` [elements]. training: [N]."""
    rows = torch.from_numpy(training)
    if isinstance(stored, Ragged):
        return stored.hiding(rows[stored.of_rows.row_of] & ~torch.from_numpy(kept))
    assert isinstance(stored, Held), "labels are held in memory"
    room = len(kept) // max(1, len(stored))
    hidden = rows[:, None] & ~torch.from_numpy(kept).reshape(-1, room)
    blank = float("nan") if stored.tensor.is_floating_point() else -1
    flat = stored.tensor.reshape(len(stored), room, -1).masked_fill(hidden[..., None], blank)
    return Held(flat.reshape(stored.tensor.shape))
