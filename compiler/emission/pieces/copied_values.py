"""Values of discrete variables."""

import math
from collections.abc import Sequence

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
