"""Tensors with named leading axes: one for the joint samples, one for each enumerated variable.

Data are laid out [*axes, B, *event]. A quantity carries only the axes it depends on, so nothing is computed twice.
Axes always stand in canonical order: the sample axis first, then variables by name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.symbolic.axis_names import SAMPLES, canonical

__all__ = ["SAMPLES", "AxisTensor", "PartOfBatch", "align", "canonical", "union"]


@dataclass(frozen=True)
class AxisTensor:
    """A tensor [*axes, B, *event]; B may be 1 where every row has the same value (an enumerated support)."""

    axes: tuple[str, ...]
    data: Tensor

    def __post_init__(self) -> None:
        assert len(self.axes) < 2 or self.axes == canonical(self.axes), f"axes {self.axes} are not in canonical order"
        assert self.data.dim() > len(self.axes), f"{self.data.shape} has no batch dimension beside {self.axes}"

    @property
    def event_shape(self) -> torch.Size:
        """Trailing sizes after the named axes and the batch."""
        return self.data.shape[len(self.axes) + 1 :]

    @property
    def batch(self) -> int:
        """Rows, or 1."""
        return self.data.shape[len(self.axes)]

    def size(self, axis: str) -> int:
        """Length of a named axis."""
        return self.data.shape[self.axes.index(axis)]

    def on(self, axes: Sequence[str]) -> Tensor:
        """The data broadcastable over `axes` (canonical, a superset of its own): size 1 where it does not vary."""
        if self.axes == tuple(axes):
            return self.data
        assert set(self.axes) <= set(axes), f"{self.axes} is not part of {tuple(axes)}"
        shape = [self.size(axis) if axis in self.axes else 1 for axis in axes]
        return self.data.reshape(*shape, *self.data.shape[len(self.axes) :])


@dataclass(frozen=True)
class PartOfBatch(AxisTensor):
    """Some rows of a value that is there for the whole batch: what a layer makes of it is made once for all groups.

    rows: which of `whole`. shared: results for the whole batch by asker, common to all parts of one value.
    """

    whole: Tensor
    rows: slice | Tensor
    shared: dict[object, tuple[Tensor, ...]]

    @staticmethod
    def of(value: AxisTensor, rows: slice | Tensor, shared: dict[object, tuple[Tensor, ...]]) -> "PartOfBatch":
        """Rows (a slice or positions [n]) of a value that has no axes but its batch."""
        assert not value.axes, f"a value on {value.axes} is not one per row"
        return PartOfBatch((), some_rows(value.data, rows), value.data, rows, shared)


def some_rows(data: Tensor, rows: slice | Tensor) -> Tensor:
    """Rows of [B, ...]: a view where they stand side by side."""
    if isinstance(rows, slice) and rows.start == 0 and rows.stop == len(data):
        return data
    return data[rows] if isinstance(rows, slice) else data.index_select(0, rows.to(data.device))


def union(tensors: Iterable[AxisTensor]) -> tuple[str, ...]:
    """Every axis that any of them has, in canonical order."""
    found = {tensor.axes for tensor in tensors}
    return found.pop() if len(found) == 1 else canonical(axis for axes in found for axis in axes)


def align(tensors: Sequence[AxisTensor]) -> tuple[tuple[str, ...], list[Tensor]]:
    """All of them on the union of their axes, ready to be combined elementwise."""
    axes = union(tensors)
    return axes, [tensor.on(axes) for tensor in tensors]
