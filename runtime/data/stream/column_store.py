"""One variable in every row of a source, held once: splits and batches are row numbers, taken when they are needed.

From: what `values` read. To: tensors of some rows. `Held` is in memory, in the smallest type that keeps its values;
`Mapped` stays in its file, of which only the rows asked for are read and converted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from runtime.data.read.table import Array, Parts

CHUNK_BYTES = 2**24
"""Raw bytes of a mapped column that are looked at in one go."""

Device = torch.device | str


class Stored(Protocol):
    """Rows of one variable: uint8 for images of bytes, int64 for discrete variables, floats for all else."""

    @property
    def shape(self) -> torch.Size:
        """[*shape] of one row."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row as it is stored."""

    @property
    def device(self) -> torch.device:
        """Where `take` leaves its rows."""

    def raw(self, rows: Tensor) -> Tensor:
        """The rows [B] (numbers of the source) in the type they are held in, in a tensor of their own."""

    def take(self, rows: Tensor) -> Tensor:
        """The rows [B] in the type of the variable."""

    def __len__(self) -> int: ...


@runtime_checkable
class Apart(Stored, Protocol):
    """Rows of which some places hold nothing: elements of a plate that are held apart from each other."""

    def take_short(self, rows: Tensor) -> Tensor:
        """`take` with no more places than one of the rows [B] fills."""

    def there(self, rows: Tensor) -> Tensor:
        """[B, *plates] which places of the rows [B] hold an element."""

    def chosen(self, rows: Tensor, device: Device) -> Stored:
        """The rows [B] as a store of their own on a device."""


@dataclass(frozen=True)
class Held:
    """In memory. tensor: [N, *shape]; discrete values may be int8, int16 or int32 (`take` gives int64).

    hidden: [N] bool, rows that are read as blank whatever they hold (labels beyond their budget).
    """

    tensor: Tensor
    hidden: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        """[*shape] of one row."""
        return self.tensor.shape[1:]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.shape.numel() * self.tensor.element_size()

    @property
    def device(self) -> torch.device:
        """Where the tensor is."""
        return self.tensor.device

    def raw(self, rows: Tensor) -> Tensor:
        """The rows [B] as they are held, copied."""
        rows = rows.to(self.tensor.device)
        found = self.tensor.index_select(0, rows)
        if self.hidden is None:
            return found
        blank = float("nan") if found.is_floating_point() else -1
        return found.masked_fill_(self.hidden[rows].reshape(-1, *(1,) * (found.dim() - 1)), blank)

    def take(self, rows: Tensor) -> Tensor:
        """The rows [B], copied; whole numbers as int64."""
        return widened(self.raw(rows))

    def __len__(self) -> int:
        return len(self.tensor)


@dataclass(frozen=True)
class Mapped:
    """In a file. convert: raw rows as stored -> rows of the variable, each by itself; like: one converted row."""

    column: Parts
    convert: Callable[[Array], Array]
    like: Tensor
    scale: Callable[[Tensor], Tensor] | None = None

    @property
    def shape(self) -> torch.Size:
        """[*shape] of one row."""
        return self.like.shape

    @property
    def row_bytes(self) -> int:
        """Bytes of one row once it is read."""
        return self.like.nbytes

    @property
    def device(self) -> torch.device:
        """Files are read into the host's memory."""
        return torch.device("cpu")

    def raw(self, rows: Tensor) -> Tensor:
        """The rows [B], read from the file and converted."""
        values = torch.from_numpy(self.convert(self.column.take(rows.cpu().numpy())))
        return values if self.scale is None else self.scale(values)

    def take(self, rows: Tensor) -> Tensor:
        """The rows [B], read and converted; whole numbers as int64."""
        return widened(self.raw(rows))

    def __len__(self) -> int:
        return len(self.column)


def widened(values: Tensor) -> Tensor:
    """Whole numbers that are no bytes as int64."""
    return values if values.is_floating_point() or values.dtype == torch.uint8 else values.long()


@dataclass(frozen=True, eq=False)
class Selection(Mapping[str, Tensor]):
    """Some rows of stored variables. `selection[name]` reads all of them, in a tensor of its own."""

    stored: Mapping[str, Stored]
    rows: Tensor

    def take(self, name: str, positions: Tensor, *, short: bool = False) -> Tensor:
        """Rows at `positions` [B] of this selection; short: with no more places for elements than one of them fills."""
        rows, stored = self.rows[positions.to(self.rows.device)], self.stored[name]
        return stored.take_short(rows) if short and isinstance(stored, Apart) else stored.take(rows)

    def chunks(self, name: str) -> Iterator[Tensor]:
        """All rows of one variable, some at a time, in order."""
        for rows in self._row_chunks(name):
            yield self.stored[name].take(rows)

    def chunks_there(self, name: str) -> Iterator[tuple[Tensor, Tensor | None]]:
        """`chunks`, each with [n, *plates] which places hold an element; None where all do."""
        stored = self.stored[name]
        for rows in self._row_chunks(name):
            yield stored.take(rows), stored.there(rows) if isinstance(stored, Apart) else None

    def _row_chunks(self, name: str) -> tuple[Tensor, ...]:
        return torch.split(self.rows, max(1, CHUNK_BYTES // max(1, self.stored[name].row_bytes)))

    @property
    def nbytes(self) -> int:
        """Bytes these rows would take if they were read."""
        return len(self.rows) * sum(stored.row_bytes for stored in self.stored.values())

    @property
    def device(self) -> torch.device:
        """Where `take` leaves its rows."""
        return next((stored.device for stored in self.stored.values()), torch.device("cpu"))

    def to(self, device: Device) -> "Selection":
        """The same rows on a device; on another one than now they are copied there, some at a time."""
        if all(stored.device == torch.device(device) for stored in self.stored.values()):
            return self
        moved = {name: self._moved(name, torch.device(device)) for name in self.stored}
        return Selection(moved, torch.arange(len(self.rows)))

    def _moved(self, name: str, device: torch.device) -> Stored:
        stored = self.stored[name]
        return stored.chosen(self.rows, device) if isinstance(stored, Apart) else Held(self._copy(name, device))

    def _copy(self, name: str, device: torch.device) -> Tensor:
        stored, start, target = self.stored[name], 0, None
        for chunk in map(stored.raw, self._row_chunks(name)):
            if target is None:
                target = torch.empty((len(self.rows), *stored.shape), dtype=chunk.dtype, device=device)
            target[start : start + len(chunk)] = chunk
            start += len(chunk)
        return torch.empty((0, *stored.shape), device=device) if target is None else target

    def __getitem__(self, name: str) -> Tensor:
        return self.stored[name].take(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self.stored  # a mapping of its own would take every row to find out

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)


def hold(values: Mapping[str, Tensor], count: int) -> Selection:
    """Tensors [count, *shape] of rows that are all wanted, in order."""
    return Selection({name: Held(tensor) for name, tensor in values.items()}, torch.arange(count))


def scaled(stored: Mapped, scale: Callable[[Tensor], Tensor]) -> Mapped:
    """The same rows in other units, computed as they are read."""
    return replace(stored, scale=scale)
