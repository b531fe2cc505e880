"""Layers and values of networks that torch does not have in this form."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Module)


def initialized(layer: Layer, fan_in: int, gain: float = 1.0) -> Layer:
    """The layer with initial weights uniform within gain / sqrt(fan_in) of zero."""
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -gain / math.sqrt(fan_in), gain / math.sqrt(fan_in))
    return layer


def uniform_parameter(shape: Sequence[int], fan_in: int, gain: float = 1.0) -> nn.Parameter:
    """A parameter with initial values uniform within gain / sqrt(fan_in) of zero."""
    bound = gain / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(tuple(shape)).uniform_(-bound, bound))


def on_rows(layer: Callable[[Tensor], Tensor], maps: Tensor) -> Tensor:
    """A layer for [N, C, H, W] on maps [*lead, C, H, W]: leading dimensions are flattened into one batch."""
    lead = maps.shape[:-3]
    mapped = layer(maps.reshape(-1, *maps.shape[-3:]))
    return mapped.reshape(*lead, *mapped.shape[1:])


def crop(maps: Tensor, height: int, width: int) -> Tensor:
    """The middle of maps [..., H, W]; an odd pixel is cut at the end."""
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]


def doubled(maps: Tensor) -> Tensor:
    """Each pixel repeated: [..., H, W] to [..., 2 H, 2 W]."""
    return maps.repeat_interleave(2, -2).repeat_interleave(2, -1)


class Dropout(nn.Module):
    """Zeroes a share of the units in training and scales up the rest."""

    def __init__(self, rate: float, dims: int = 1) -> None:
        """dims: dimensions of one row's value, 1 for units [C] and 3 for maps [C, H, W]."""
        super().__init__()
        self.rate, self.dims = rate, dims

    def forward(self, value: Tensor, lead: Sequence[int], generator: torch.Generator) -> Tensor:
        """lead: leading sizes of the mask. The values of an enumerated variable share it; samples and rows do not."""
        if not self.training:
            return value
        shape = (*lead, *value.shape[value.dim() - self.dims :])
        drawn = torch.rand(shape, generator=generator, dtype=torch.float32, device=value.device)
        return value * ((drawn >= self.rate).to(value.dtype) / (1 - self.rate))


class InputNoise(nn.Module):
    """Normal noise on a value in training."""

    def __init__(self, scale: float, dims: int = 1) -> None:
        """dims: dimensions of one row's value."""
        super().__init__()
        self.scale, self.dims = scale, dims

    def forward(self, value: Tensor, lead: Sequence[int], generator: torch.Generator) -> Tensor:
        """lead: leading sizes of the noise."""
        if not self.training:
            return value
        shape = (*lead, *value.shape[value.dim() - self.dims :])
        drawn = torch.randn(shape, generator=generator, dtype=torch.float32, device=value.device)
        return value + self.scale * drawn.to(value.dtype)


class BatchNorm(nn.Module):
    """Batch normalization over rows; running averages (momentum 0.1) in eval mode.

    A row that stands once per value of an enumerated variable counts once in the running variance's correction for
    the sample size. A single row has no spread: the running averages serve.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, dims: int = 1) -> None:
        """dims: dimensions of one row's value, 1 for units [C] and 3 for maps [C, H, W]."""
        super().__init__()
        self.dims = dims
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, value: Tensor) -> Tensor:
        """[*axes, B, C] or [*axes, B, C, H, W]."""
        flat = value.reshape(-1, *value.shape[-self.dims :])
        observations = flat.numel() // flat.shape[1]
        rows = observations // value.shape[: -self.dims - 1].numel()
        if not self.training or rows < 2:
            return F.batch_norm(flat, self.running_mean, self.running_var, self.weight, self.bias).reshape(value.shape)
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        normalized = F.batch_norm(flat, mean, variance, self.weight, self.bias, training=True, momentum=1.0)
        with torch.no_grad():
            biased = variance * ((observations - 1) / observations)
            self.running_mean.lerp_(mean, 0.1)
            self.running_var.lerp_(biased * (rows / (rows - 1)), 0.1)
        return normalized.reshape(value.shape)


def affine_window(image: Tensor, pose: Tensor, shape: Sequence[int], inverse: bool) -> Tensor:
    """The window of `image` [..., C, H, W] at `pose` [..., 3] (log-scale, x, y) as [..., *shape]; zeros outside.

    inverse: places the image there instead. Spatial transformers (Jaderberg et al. 2015).
    """
    lead = torch.broadcast_shapes(image.shape[:-3], pose.shape[:-1])
    flat = image.expand(*lead, *image.shape[-3:]).reshape(-1, *image.shape[-3:])
    where = pose.expand(*lead, 3).reshape(-1, 3)
    scale, shift = where[:, :1].exp(), where[:, 1:]
    if inverse:
        scale, shift = 1 / scale, -shift / scale
    turn = torch.eye(2, dtype=where.dtype, device=where.device) * scale[..., None]
    grid = F.affine_grid(torch.cat([turn, shift[..., None]], dim=-1), [len(flat), *shape], align_corners=False)
    sampled = F.grid_sample(flat, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return sampled.reshape(*lead, *shape)
