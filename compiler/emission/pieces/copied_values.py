"""Values of discrete variables, and links from a network's output to parameters."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor


def likeliest(log_probs: Tensor, budget: int, gumbel_noise: Tensor) -> tuple[Tensor, Tensor]:
    """The `budget` likeliest classes and a draw from the others, which stands for them (Liu et al. 2019).

    Returns indices [..., budget + 1] and log weights, which sum to one; the draw's weight is that of all others in
    value, and has the gradient of its own log probability.
    """
    log_probs = log_probs.expand(torch.broadcast_shapes(log_probs.shape, gumbel_noise.shape))
    top = log_probs.topk(budget, dim=-1).indices
    rest = log_probs.scatter(-1, top, -torch.inf)
    drawn = (rest.detach() + gumbel_noise).argmax(-1, keepdim=True)
    picked = log_probs.gather(-1, drawn)
    weight = torch.logsumexp(rest.detach(), dim=-1, keepdim=True) + picked - picked.detach()
    return torch.cat([top, drawn], dim=-1), torch.cat([log_probs.gather(-1, top), weight], dim=-1)


def one_hot(index: Tensor, classes: int, like: Tensor) -> Tensor:
    """[..., classes], of the dtype of `like`. A blank (-1 or NaN) stands as class 0: nothing reads it."""
    return F.one_hot(index.long().clamp_min(0), classes).to(like.dtype)


def every_value(choices: int, shape: Sequence[int]) -> Tensor:
    """Every joint index of the elements: [choices ** elements, 1, *shape]."""
    axes = [torch.arange(choices)] * math.prod(shape)
    return torch.cartesian_prod(*axes).reshape(-1, 1, *shape)


def signed_log1p(value: Tensor) -> Tensor:
    """log(1 + v) for counts and positive numbers; odd below zero."""
    return value.sign() * value.abs().log1p()


def expected_log1p(weights: Tensor, minimum: int) -> Tensor:
    """The mean of log(1 + count) under weights [..., K] of the counts minimum, minimum + 1, ..."""
    counts = torch.arange(weights.shape[-1], dtype=weights.dtype, device=weights.device) + minimum
    return weights @ signed_log1p(counts)


def positive(raw: Tensor, at_zero: float, floor: float) -> Tensor:
    """Softplus, shifted so that 0 gives `at_zero`; never below `floor`."""
    above = at_zero - floor
    return F.softplus(raw + (above if above > 30 else math.log(math.expm1(above)))) + floor


def rising(raw: Tensor, floor: float) -> Tensor:
    """K - 1 rising cutpoints: the first is free, each gap a softplus; zeros give equally likely classes."""
    classes = raw.shape[-1] + 1
    even = [math.log(k / (classes - k)) for k in range(1, classes)]
    gaps = [math.log(math.expm1(b - a - floor)) for a, b in pairwise(even)]
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
