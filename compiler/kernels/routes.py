"""The functions that networks call: each takes the kernel where there is one and it pays, and plain torch elsewhere.

They are called as in `plain`, whose functions an emitted file has in their place.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.kernels import plain
from compiler.kernels.activation import FUSED_ACTIVATIONS, sum_activate
from compiler.kernels.building_kernels import library
from compiler.kernels.calls import PRECISIONS, SMALLEST
from compiler.kernels.products import product as linear

__all__ = ["activate_linear", "activate_sum", "linear"]


def activate_sum(parts: Sequence[Tensor], activation: str) -> Tensor:
    """activation(parts[0] + parts[1] + ...), of tensors that broadcast; several have one event shape [width]."""
    fused = sum_activate(parts, activation) if len(parts) > 1 else _activated(parts[0], activation)
    return plain.activate_sum(parts, activation) if fused is None else fused


def _activated(value: Tensor, activation: str) -> Tensor | None:
    """One tensor, perhaps maps [*lead, C, H, W], as rows of numbers that lie side by side."""
    if not value.is_contiguous():
        return None
    rows = value.flatten(-3) if value.dim() > 3 else value
    found = sum_activate([rows], activation)
    return None if found is None else found.view(value.shape)


def activate_linear(value: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
    """activation(linear(value, weight, bias)); where the sum is fused, the bias gets its gradient in the same pass."""
    large = value.numel() * len(bias) >= SMALLEST * value.shape[-1]
    if large and activation in FUSED_ACTIVATIONS and weight.dtype in PRECISIONS and _kernels_run():
        return activate_sum([bias, linear(value, weight)], activation)
    return plain.activated(linear(value, weight, bias), activation)


def _kernels_run() -> bool:
    return not torch.compiler.is_compiling() and library().functions is not None
