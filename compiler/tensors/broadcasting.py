"""torch's broadcasting with types."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor


def broadcast_shape(*shapes: Sequence[int]) -> torch.Size:
    """The common shape, axes aligned from the right.

    RuntimeError where they have none. torch.broadcast_shapes does the same at ten times the cost, in every layer.
    """
    rank = max(map(len, shapes))
    common = [1] * rank
    for shape in shapes:
        for place, size in enumerate(shape, start=rank - len(shape)):
            if size == 1 or common[place] == size:
                continue
            if common[place] != 1:
                raise RuntimeError(f"shapes {[tuple(s) for s in shapes]} do not broadcast")
            common[place] = size
    return torch.Size(common)


def broadcast_pair(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both as views of their common shape."""
    return cast(tuple[Tensor, Tensor], torch.broadcast_tensors(first, second))
