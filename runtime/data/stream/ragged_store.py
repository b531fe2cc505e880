"""Elements of a plate held flat, one after the other, and padded only for the rows that are asked for.

From: elements [total, *shape] and which row has which. To: rows [B, *sizes, *shape], cells of elements that are not
there blank (bytes, which have no blank, 0): nobody takes them for a label, and the model fills them before it computes.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphspec.graphs.graph import Variable
from runtime.data.stream.column_store import Held, Selection, Stored, widened

Device = torch.device | str


@dataclass(frozen=True)
class RowElements:
    """Which elements each row has. starts: [N + 1] the first element of each row; places: [total] where each stands in
    its row, counted through all plates; sizes: room of the plates, outermost first."""

    starts: Tensor
    places: Tensor
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def room(self) -> int:
        """Places that a row has."""
        return torch.Size(self.sizes).numel()

    @property
    def row_of(self) -> Tensor:
        """[total] the row of each element."""
        rows = torch.arange(len(self), device=self.starts.device)
        return rows.repeat_interleave(self.starts.diff())

    def of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The elements of rows [B], in order, and for each which of these rows it stands in."""
        rows = rows.to(self.starts.device)
        first, lengths = self.starts[rows], self.starts[rows + 1] - self.starts[rows]
        within = torch.arange(len(rows), device=rows.device).repeat_interleave(lengths)
        before = lengths.cumsum(0) - lengths
        elements = torch.arange(len(within), device=rows.device) + (first - before)[within]
        return elements, within

    def there(self, rows: Tensor) -> Tensor:
        """[B, *sizes] which places of the rows hold an element."""
        elements, within = self.of(rows)
        found = torch.zeros(len(rows), self.room, dtype=torch.bool, device=elements.device)
        found[within, self.places[elements]] = True
        return found.reshape(len(rows), *self.sizes)

    def chosen(self, rows: Tensor, device: Device) -> "RowElements":
        """The same of some rows, in their order."""
        rows = rows.to(self.starts.device)
        lengths = self.starts[rows + 1] - self.starts[rows]
        starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        return RowElements(starts.to(device), self.places[self.of(rows)[0]].to(device), self.sizes)


@dataclass(frozen=True)
class Ragged:
    """Elements of one variable. elements: [total, *shape]."""

    elements: Stored
    of_rows: RowElements

    @property
    def shape(self) -> torch.Size:
        """[*sizes, *shape] of one row."""
        return torch.Size((*self.of_rows.sizes, *self.elements.shape))

    @property
    def row_bytes(self) -> int:
        """Bytes of one padded row."""
        return self.of_rows.room * self.elements.row_bytes

    @property
    def device(self) -> torch.device:
        """Where rows are taken from."""
        return self.elements.device

    def raw(self, rows: Tensor, *, short: bool = False) -> Tensor:
        """The rows [B, *sizes, *shape] in the type that elements are held in. short: with places up to the last that
        one of these rows fills."""
        elements, within = self.of_rows.of(rows)
        values, places, sizes = self.elements.raw(elements), self.of_rows.places[elements], self.of_rows.sizes
        if short:
            places, sizes = fewer_places(places, sizes)
        blank = float("nan") if values.is_floating_point() else 0 if values.dtype == torch.uint8 else -1
        padded = values.new_full((len(rows), math.prod(sizes), *self.elements.shape), blank)
        padded[within.to(values.device), places.to(values.device)] = values
        return padded.reshape(len(rows), *sizes, *self.elements.shape)

    def take(self, rows: Tensor) -> Tensor:
        """The rows; whole numbers as int64."""
        return widened(self.raw(rows))

    def take_short(self, rows: Tensor) -> Tensor:
        """The same with places up to the last that one of these rows fills."""
        return widened(self.raw(rows, short=True))

    def there(self, rows: Tensor) -> Tensor:
        """[B, *sizes] which places hold an element."""
        return self.of_rows.there(rows)

    def chosen(self, rows: Tensor, device: Device) -> "Ragged":
        """Some rows as a store of their own on a device."""
        elements = Held(self.elements.raw(self.of_rows.of(rows)[0]).to(device))
        return Ragged(elements, self.of_rows.chosen(rows, device))

    def hiding(self, hidden: Tensor) -> "Ragged":
        """The same, elements [total] that are `hidden` read as blank."""
        assert isinstance(self.elements, Held), "labels are held in memory"
        return replace(self, elements=replace(self.elements, hidden=hidden))

    def __len__(self) -> int:
        return len(self.of_rows)


def fewer_places(places: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """Places [n], counted through plates of these sizes, counted through as few of the innermost as they reach; and the
    sizes then. (Of plates outside an element without any inside shows nothing.)"""
    *outer, size = sizes
    if not len(places):
        return places, sizes
    inside = places % size
    fewer = int(inside.max()) + 1
    return places // size * fewer + inside, (*outer, fewer)


def flat_rows(variable: Variable, stored: Stored, rows: Tensor) -> tuple[Variable, Selection]:
    """A variable, as rows have it, and some rows, for whoever counts values: of elements that stand apart, each by
    itself, and none that is not there."""
    if not isinstance(stored, Ragged):
        return variable, Selection({variable.name: stored}, rows)
    element = variable.of_one
    return element, Selection({variable.name: stored.elements}, stored.of_rows.of(rows)[0])
