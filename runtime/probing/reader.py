"""The measuring instrument's network: a small classifier of one label from observed variables, no part of any model."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphspec.graphs.graph import Variable

CHANNELS = (32, 64)
HIDDEN = 256
DROPOUT = 0.3
SMALLEST_PICTURE = 8
"""Smallest side of an image that is read by convolutions; smaller ones are read as vectors."""


class Reader(nn.Module):
    """Logits [B, classes] from {name: [B, *shape]}: images by two convolutions, all else as numbers, then two layers.

    Inputs are standardized by `mean` and `std`, one number per element (images: per channel); blanks count as 0.
    """

    def __init__(self, variables: Sequence[Variable], classes: int) -> None:
        super().__init__()
        self.variables = tuple(variables)
        self.eyes = nn.ModuleDict({v.name: _eye(v.shape[0]) for v in variables if is_picture(v)})
        self.scales = nn.ModuleDict({v.name: _Standard(_scale_shape(v)) for v in variables})
        width = sum(self._width(v) for v in variables)
        self.head = nn.Sequential(
            nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes),
        )  # fmt: skip

    @staticmethod
    def _width(variable: Variable) -> int:
        if not is_picture(variable):
            return int(torch.Size(_encoded_shape(variable)).numel())
        height, width = (-(-side // 4) for side in variable.shape[1:])
        return CHANNELS[-1] * height * width

    def begin(self) -> None:
        """Fresh weights from torch's own generator."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
                module.reset_parameters()

    def standardize(self, rows: Mapping[str, Tensor]) -> None:
        """Take mean and standard deviation from rows {name: [N, *shape]}."""
        for variable in self.variables:
            scale = self.scales[variable.name]
            assert isinstance(scale, _Standard)
            scale.fit(encoded(variable, rows[variable.name]))

    def forward(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Logits [B, classes]."""
        parts = []
        for variable in self.variables:
            value = self.scales[variable.name](encoded(variable, rows[variable.name]))
            parts.append((self.eyes[variable.name](value) if is_picture(variable) else value).flatten(1))
        logits: Tensor = self.head(torch.cat(parts, dim=1))
        return logits


class _Standard(nn.Module):
    """(value - mean) / std with blanks at the mean."""

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(*shape))
        self.register_buffer("std", torch.ones(*shape))

    def fit(self, values: Tensor) -> None:
        """values [N, *shape]; a constant keeps its scale. Sides of images are averaged over."""
        over = [0, *(axis + 1 for axis, size in enumerate(self.mean.shape) if size != values.shape[axis + 1])]
        known = ~values.isnan()
        count = known.sum(over).clamp_min(1)
        mean = values.nan_to_num().sum(over) / count
        centred = (values - mean.reshape(self.mean.shape)).nan_to_num()
        std = ((centred**2).sum(over) / count).sqrt()
        self.mean.copy_(mean.reshape(self.mean.shape))
        self.std.copy_(torch.where(std < 1e-6, 1.0, std).reshape(self.std.shape))

    def forward(self, value: Tensor) -> Tensor:
        return ((value - self.mean) / self.std).nan_to_num()


def is_picture(variable: Variable) -> bool:
    """Shape [channels, height, width] of real numbers, large enough for two convolutions."""
    return len(variable.shape) == 3 and min(variable.shape[1:]) >= SMALLEST_PICTURE and variable.domain != "category"


def encoded(variable: Variable, value: Tensor) -> Tensor:
    """A category as one-hot numbers (blanks all zero), counts and positive numbers as log1p, all else as it is."""
    if variable.domain == "category" and variable.support is not None:
        index = value.nan_to_num(-1.0).round().long() if value.is_floating_point() else value
        hot = F.one_hot(index.clamp_min(0), variable.support).to(torch.float32)
        return hot * (index >= 0).unsqueeze(-1)
    numbers = value.to(torch.float32)
    if variable.discrete:
        numbers = torch.where(numbers == -1, torch.nan, numbers)
    return torch.log1p(numbers.clamp_min(0)) if variable.domain in ("count", "positive") else numbers


def _encoded_shape(variable: Variable) -> tuple[int, ...]:
    last = (variable.support,) if variable.domain == "category" and variable.support is not None else ()
    return (*(variable.shape or (1,)), *last)


def _scale_shape(variable: Variable) -> tuple[int, ...]:
    """Of the encoded event without a batch axis; a channel axis alone for pictures."""
    if is_picture(variable):
        return (variable.shape[0], 1, 1)
    last = (variable.support,) if variable.domain == "category" and variable.support is not None else ()
    return (*variable.shape, *last)


def _eye(channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in zip((channels, *CHANNELS[:-1]), CHANNELS, strict=True):
        layers += [nn.Conv2d(before, after, 5, padding=2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2, ceil_mode=True)]
    return nn.Sequential(*layers)
