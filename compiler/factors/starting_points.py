"""Numbers that training rows told, between a factor's networks and the data: buffers, kept with the weights.

So a column of prices around 300000 enters networks around 0, and a head of zeros gives a location of 300000: weights
that an optimiser moves by a thousandth a step are of the size that initial weights are made for. An emitted file
contains the source.
"""

import torch
from torch import Tensor, nn

from graphspec.graphs.start import Shift, Start


class Entrance(nn.Module):
    """A parent's value [*lead, *shape] as networks read it: (value - center) / spread, of log1p where `logarithm`."""

    center: Tensor
    spread: Tensor

    def __init__(self, center: Tensor, spread: Tensor, logarithm: bool) -> None:
        super().__init__()
        self.logarithm = logarithm
        self.register_buffer("center", center)
        self.register_buffer("spread", spread)

    def forward(self, value: Tensor) -> Tensor:
        value = value.to(self.center.dtype)
        if self.logarithm:
            value = value.sign() * value.abs().log1p()
        return (value - self.center) / self.spread


class StartingPoint(nn.Module):
    """A parameter [*lead, *shape] that starts elsewhere: offset + factor * value."""

    offset: Tensor
    factor: Tensor

    def __init__(self, offset: Tensor, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", offset)
        self.register_buffer("factor", factor)

    def forward(self, value: Tensor) -> Tensor:
        return self.offset + self.factor * value


def entrance(start: Start, dtype: torch.dtype) -> Entrance:
    """Of a variable as a parent."""
    center, spread = (torch.tensor(n, dtype=dtype).reshape(start.shape) for n in (start.center, start.spread))
    return Entrance(center, spread, start.logarithm)


def starting_point(shift: Shift, start: Start, dtype: torch.dtype) -> StartingPoint:
    """Of one parameter."""
    return StartingPoint(*(torch.tensor(n, dtype=dtype).reshape(start.shape) for n in (shift.offset, shift.factor)))
