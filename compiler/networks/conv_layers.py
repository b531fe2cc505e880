"""Convolutions as layers. Leading axes are flattened into the batch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.networks.initialization import Initializer
from compiler.networks.layers import as_rows, from_rows
from compiler.tensors.axes import AxisTensor
from graphspec.graphs.shapes import conv_padding

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
        rows, columns = (conv_padding(side, kernel, stride) for side in source[1:])
        self.around = (columns[0], columns[1], rows[0], rows[1])
        self.weight = start.uniform("weight", (channels, source[0], kernel, kernel), fan_in, gain)
        self.bias = start.uniform("bias", (channels,), fan_in, gain) if bias else None

    def forward(self, value: AxisTensor, bias: Tensor | None = None) -> AxisTensor:
        """[*axes, B, C, H, W] to [*axes, B, channels, H', W']. bias: [channels], of a layer that has none itself."""
        bias = self.bias if bias is None else bias
        left, right, top, bottom = self.around
        flat, weight = channels_last(as_rows(value)), channels_last(self.weight)
        if (left, top) == (right, bottom):
            mapped = F.conv2d(flat, weight, bias, self.stride, (top, left))
        else:
            mapped = F.conv2d(F.pad(flat, self.around), weight, bias, self.stride)
        return from_rows(mapped, value)


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

    def forward(self, value: AxisTensor) -> AxisTensor:
        """[*axes, B, C, H, W] to [*axes, B, channels, H * stride, W * stride]."""
        flat, weight = channels_last(as_rows(value)), channels_last(self.weight)
        mapped = F.conv_transpose2d(flat, weight, self.bias, self.stride, self.padding, output_padding=self.extra)
        return from_rows(cropped(mapped, self.sides), value)


def cropped(data: Tensor, sides: tuple[int, ...]) -> Tensor:
    """The middle [..., H, W] of a map that is at least as large; an odd pixel is cut at the end."""
    for axis, side in zip((-2, -1), sides, strict=True):
        surplus = data.shape[axis] - side
        if surplus:
            data = data.narrow(axis, surplus // 2, side)
    return data
