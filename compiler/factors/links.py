"""Links from unconstrained numbers to parameters. An emitted file contains their source.

Each is shifted so that a head of zeros gives the parameter's standard value.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.tensors.call_layout import Lead


def positive(raw: Tensor, at_zero: float, floor: float) -> Tensor:
    """Softplus, shifted so that 0 gives `at_zero`; never below `floor`."""
    return F.softplus(raw + inverse_softplus(at_zero - floor)) + floor


def inverse_softplus(value: float) -> float:
    """What softplus makes `value` of."""
    return value if value > 30 else math.log(math.expm1(value))


def rising(raw: Tensor, floor: float) -> Tensor:
    """K - 1 rising cutpoints along the last axis: the first is free, each gap a softplus; zeros give logit(k / K)."""
    classes = raw.shape[-1] + 1
    even = [math.log(k / (classes - k)) for k in range(1, classes)]
    gaps = [inverse_softplus(b - a - floor) for a, b in pairwise(even)]
    first = raw[..., :1] + even[0]
    steps = F.softplus(raw[..., 1:] + raw.new_tensor(gaps)) + floor
    return torch.cat([first, first + steps.cumsum(-1)], dim=-1)


def direction(raw: Tensor, axis: int) -> Tensor:
    """Unit vectors along `axis` (negative); zeros give the first unit vector."""
    unit = raw.new_zeros(raw.shape[axis])
    unit[0] = 1.0
    return F.normalize(raw + unit.reshape(-1, *(1,) * (-axis - 1)), dim=axis)


def logits_of(probs: Tensor, margin: float) -> Tensor:
    """Log odds of probabilities, which are moved away from 0 and 1 by `margin`."""
    return torch.logit(probs.clamp(margin, 1 - max(margin, torch.finfo(probs.dtype).eps / 2)))


def inside(value: Tensor, minimum: float | None = None, maximum: float | None = None) -> Tensor:
    """Moved inside an open range by one float eps."""
    eps = torch.finfo(value.dtype).eps
    low = None if minimum is None else minimum + eps
    return value.clamp(low, None if maximum is None else maximum - eps)


def without_axes(value: Tensor, layout: Lead) -> Tensor:
    """[1, *shape] as [1, ..., 1, *shape]."""
    return value if layout.dims == 1 else value.reshape(*(1,) * (layout.dims - 1), *value.shape)
