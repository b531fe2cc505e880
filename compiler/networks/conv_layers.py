"""Convolutions as layers on maps [*lead, C, H, W]; their leading dimensions are flattened into one batch."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.networks.initialization import Initializer
from graphspec.language.shapes import conv_padding

Map = tuple[int, ...]
"""[C, H, W]."""


def channels_last(data: Tensor) -> Tensor:
    """[N, C, H, W] with the channels side by side in memory, which is how convolutions run fastest; float64, for which
    there are no such kernels, as it is."""
    if data.dtype == torch.float64:
        return data
    if data.shape[1] == 1:  # both layouts at once: say which one is meant
        data = data.contiguous()
        size = data.shape
        return data.as_strided(size, (size[2] * size[3], 1, size[3], 1))
    return data.contiguous(memory_format=torch.channels_last)


def on_rows(layer: Callable[[Tensor], Tensor], maps: Tensor) -> Tensor:
    """A layer for [N, C, H, W] on maps [*lead, C, H, W]."""
    if maps.dim() == 4:
        return layer(maps)
    found = layer(maps.reshape(-1, *maps.shape[-3:]))
    return found.reshape(*maps.shape[:-3], *found.shape[1:])


class Conv(nn.Module):
    """A convolution whose sides become ceil(side / stride), zero-padded (the odd zero goes after)."""

    def __init__(
        self,
        source: Map,
        channels: int,
        kernel: int,
        stride: int,
        start: Initializer,
        *,
        fan_in: int | None = None,
        gain: float = 1.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        fan_in = source[0] * kernel**2 if fan_in is None else fan_in
        self.stride = stride
        (top, bottom), (left, right) = (conv_padding(side, kernel, stride) for side in source[1:])
        even = (top, left) == (bottom, right)
        self.padding = (top, left) if even else (0, 0)
        self.around = None if even else (left, right, top, bottom)
        self.weight = start.uniform("weight", (channels, source[0], kernel, kernel), fan_in, gain)
        self.bias = start.uniform("bias", (channels,), fan_in, gain) if bias else None

    def forward(self, maps: Tensor, bias: Tensor | None = None) -> Tensor:
        """[*lead, C, H, W] to [*lead, channels, H', W']. bias: [channels], of a layer that has none itself."""
        bias = self.bias if bias is None else bias
        return on_rows(lambda flat: self._convolved(flat, bias), maps)

    def _convolved(self, flat: Tensor, bias: Tensor | None) -> Tensor:
        flat = channels_last(flat)
        padded = flat if self.around is None else F.pad(flat, self.around)
        return F.conv2d(padded, channels_last(self.weight), bias, self.stride, self.padding)


class TransposedConv(nn.Module):
    """A transposed convolution whose sides are multiplied by the stride."""

    def __init__(
        self, source: Map, channels: int, kernel: int, stride: int, start: Initializer, *, gain: float = 1.0
    ) -> None:
        super().__init__()
        fan_in = source[0] * (-(-kernel // stride)) ** 2
        self.stride = stride
        self.sides = (source[1] * stride, source[2] * stride)
        self.padding = max(0, kernel - stride) // 2
        self.extra = max(0, stride - kernel)
        self.weight = start.uniform("weight", (source[0], channels, kernel, kernel), fan_in, gain)
        self.bias = start.uniform("bias", (channels,), fan_in, gain)

    def forward(self, maps: Tensor) -> Tensor:
        """[*lead, C, H, W] to [*lead, channels, H * stride, W * stride]."""
        return cropped(on_rows(self._grown, maps), self.sides)

    def _grown(self, flat: Tensor) -> Tensor:
        flat, weight = channels_last(flat), channels_last(self.weight)
        return F.conv_transpose2d(flat, weight, self.bias, self.stride, self.padding, output_padding=self.extra)


def cropped(maps: Tensor, sides: tuple[int, ...]) -> Tensor:
    """The middle [..., H, W] of maps that are at least as large; an odd pixel is cut at the end."""
    for axis, side in zip((-2, -1), sides, strict=True):
        surplus = maps.shape[axis] - side
        if surplus:
            maps = maps.narrow(axis, surplus // 2, side)
    return maps


def head_channels(shape: Map) -> int:
    """Channels of a head: one per channel of the output, times the classes where there is a value per class."""
    assert len(shape) in (3, 4), f"an output of shape {shape} cannot be grown as an image"
    return shape[0] * (shape[3] if len(shape) == 4 else 1)


def as_image(maps: Tensor, shape: Map) -> Tensor:
    """A head's maps [*lead, C * K, H', W'] cropped to [*lead, C, H, W] or [*lead, C, H, W, K]."""
    maps = cropped(maps, shape[1:3])
    return maps.unflatten(-3, (shape[0], shape[3])).movedim(-3, -1) if len(shape) == 4 else maps
