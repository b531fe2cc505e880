"""torch's broadcasting with types."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor


def broadcast_shape(*shapes: Sequence[int]) -> torch.Size:
    """The common shape, axes aligned from the right."""
    return cast(torch.Size, torch.broadcast_shapes(*shapes))


def broadcast_pair(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both as views of their common shape."""
    return cast(tuple[Tensor, Tensor], torch.broadcast_tensors(first, second))
