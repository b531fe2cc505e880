"""What one training step told, as tensors, until the meter adds it up."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepNumbers:
    """What one step told. bound [B]; values [T, B] of the meter's terms; counted [B] or [T, B]; effective [E, B]."""

    number: int
    loss: Tensor
    bound: Tensor
    values: Tensor
    counted: Tensor
    weights: Tensor
    effective: Tensor | None
    unlabelled: int
    positions: Tensor | None

    def fits(self, other: "StepNumbers") -> bool:
        """Whether both can be added up by the same calls."""
        return (
            self.unlabelled == other.unlabelled
            and self.values.shape == other.values.shape
            and self.counted.shape == other.counted.shape
        )


def in_order(names: Sequence[str], values: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """[names, B]; NaN for those that this step lacks."""
    lacking = torch.full_like(like, math.nan) if len(values) < len(names) else like
    return torch.stack([values.get(name, lacking) for name in names]) if names else like.new_zeros((0, *like.shape))
