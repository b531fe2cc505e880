"""What the kernels compute, in torch: what runs where there is no kernel, and what an emitted file contains."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def activated(value: Tensor, activation: str) -> Tensor:
    """The activation, called as torch calls it, of a value; `identity` leaves it as it is."""
    found: Tensor = value if activation == "identity" else getattr(F, activation)(value)
    return found


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
    return activated(add_up(parts), activation)


def activate_linear(value: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
    """activation(linear(value, weight, bias))."""
    return activated(linear(value, weight, bias), activation)
