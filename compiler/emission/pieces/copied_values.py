"""Values of discrete variables."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def one_hot(index: Tensor, classes: int, like: Tensor) -> Tensor:
    """[..., classes], of the dtype of `like`. A blank (-1 or NaN) stands as class 0: nothing reads it."""
    return F.one_hot(index.long().clamp_min(0), classes).to(like.dtype)


def every_value(choices: int, shape: Sequence[int]) -> Tensor:
    """Every joint index of the elements: [choices ** elements, 1, *shape]."""
    axes = [torch.arange(choices)] * math.prod(shape)
    return torch.cartesian_prod(*axes).reshape(-1, 1, *shape)
