"""What the kernels compute, in torch: what runs where there is no kernel, and what an emitted file contains."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "leaky_relu": F.leaky_relu,
    "identity": lambda value: value,
}


def add_up(parts: Sequence[Tensor]) -> Tensor:
    """The sum of tensors that broadcast; small ones are added first, so that large ones are touched least."""
    total, *others = sorted(parts, key=Tensor.numel)
    for part in others:
        total = total + part
    return total


def linear(value: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """value [..., inputs] times the transpose of weight [outputs, inputs], plus bias [outputs]: [..., outputs]."""
    return F.linear(value, weight, bias)


def activate_sum(parts: Sequence[Tensor], activation: str) -> Tensor:
    """activation(parts[0] + parts[1] + ...), of tensors that broadcast."""
    return ACTIVATIONS[activation](add_up(parts))


def activate_linear(value: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
    """activation(linear(value, weight, bias))."""
    return ACTIVATIONS[activation](linear(value, weight, bias))
