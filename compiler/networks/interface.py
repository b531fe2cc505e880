"""What a network reads and what it gives, whatever its kind."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from compiler.tensors.axes import AxisTensor, union
from compiler.tensors.noise import Noise
from graphspec.language.domains import Encoding

VALUE = "value"
"""Name of the only output of a deterministic variable's network."""


@dataclass(frozen=True)
class ParentInput:
    """How one parent enters a network.

    encoding: table (a class index per element), log1p, or identity. shape: the value's event shape.
    support: number of values of one element where finite. minimum: the smallest value of a count.
    A discrete parent may also come relaxed: weights of its classes, [*shape, support].
    """

    name: str
    encoding: Encoding
    shape: tuple[int, ...]
    support: int | None = None
    minimum: int = 0

    @property
    def elements(self) -> int:
        """Elements of a value."""
        return prod(self.shape)

    @property
    def classes(self) -> int:
        """Rows of the table per element."""
        assert self.support is not None, f"{self.name} has no finite support"
        return self.support

    @property
    def width(self) -> int:
        """Numbers that this parent contributes to a concatenation (a class counts as one-hot)."""
        return self.elements * (self.classes if self.encoding == "table" else 1)

    def relaxed(self, value: AxisTensor) -> bool:
        """The value holds class weights rather than values."""
        return len(value.event_shape) == len(self.shape) + 1

    def numbers(self, value: AxisTensor, dtype: torch.dtype) -> Tensor:
        """The value as numbers [*axes, B, *shape]: log1p for count and positive (odd below zero), else as is.

        Class weights of a count give the weighted mean of log1p of its values. Not for a category.
        """
        assert self.encoding != "table", f"{self.name} is a category"
        data = value.data.to(dtype)
        if self.relaxed(value):
            steps = torch.arange(self.classes, dtype=dtype, device=data.device) + self.minimum
            return data @ (_log1p(steps) if self.encoding == "log1p" else steps)
        return _log1p(data) if self.encoding == "log1p" else data

    def class_weights(self, value: AxisTensor, dtype: torch.dtype) -> Tensor:
        """A category as one-hot (or its relaxed weights as they are), [*axes, B, *shape, K]."""
        if self.relaxed(value):
            return value.data.to(dtype)
        return nn.functional.one_hot(value.data.long(), self.classes).to(dtype)

    def flat(self, value: AxisTensor, dtype: torch.dtype) -> Tensor:
        """Everything as one vector per row, [*axes, B, width]."""
        data = self.class_weights(value, dtype) if self.encoding == "table" else self.numbers(value, dtype)
        wide = (*data.shape[: len(value.axes) + 1], self.width)
        return data if data.shape == wide else data.reshape(wide)


def _log1p(value: Tensor) -> Tensor:
    return value.sign() * value.abs().log1p()


class Network(nn.Module, ABC):
    """Maps the parents' values to unconstrained parameters (weightless kinds: the parameter itself).

    A network for a deterministic variable has the single output VALUE.
    """

    @abstractmethod
    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        """Each output on the axes that it depends on: [*axes, B, *shape], B = 1 where no row matters."""


def total_width(inputs: Sequence[ParentInput]) -> int:
    """Fan-in of a layer that would read all parents concatenated."""
    return sum(parent.width for parent in inputs)


def ordered(inputs: Mapping[str, ParentInput]) -> list[ParentInput]:
    """By name: the order in which a spec lists parents never matters, not even for rounding."""
    return [inputs[name] for name in sorted(inputs)]


def add_up(parts: Sequence[AxisTensor]) -> AxisTensor:
    """The sum over the union of axes; small parts are added first, so that large ones are touched least."""
    if len(parts) == 1:
        return parts[0]
    axes = union(parts)
    ranked = sorted(parts, key=lambda part: part.data.numel())
    total = ranked[0].on(axes)
    for part in ranked[1:]:
        total = total + part.on(axes)
    return AxisTensor(axes, total)
