"""Values moved off the ends of a support, where densities of legal data may be infinite."""

import torch
from torch import Tensor


def inside_unit(value: Tensor) -> Tensor:
    """Into the open unit interval, by half a float eps at both ends."""
    half = torch.finfo(value.dtype).eps / 2
    return value.clamp(half, 1 - half)


def above_zero(value: Tensor) -> Tensor:
    """Away from zero by the smallest normal number."""
    return value.clamp_min(torch.finfo(value.dtype).tiny)
