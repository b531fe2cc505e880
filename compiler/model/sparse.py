"""Sparse enumeration: the likeliest values one by one, the rest by one weighted draw (Liu et al., ICML 2019).

For weights q_k and terms f_k, with C the likeliest classes and j drawn from the others in proportion to q_j:

    sum_k q_k f_k  =  E_j[ sum_{k in C} q_k f_k + q_rest f_j ],      q_rest = 1 - sum_{k in C} q_k

The gradient stays unbiased if the draw's weight is q_rest in value and q_rest grad(log q_j) in gradient.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.families import Distribution
from compiler.tensors.broadcasting import broadcast_shape


@dataclass(frozen=True)
class SparseValues:
    """index [*lead, k + 1] int64: the k likeliest classes, then the draw. log_weights likewise; they sum to one."""

    index: Tensor
    log_weights: Tensor


def choose(distribution: Distribution, budget: int, gumbel: Tensor) -> SparseValues:
    """The `budget` likeliest classes of a scalar finite variable and a draw from the others.

    gumbel: standard noise that the draw is made from, [B, K]. Where the parameters are shared by all rows (B = 1 there)
    every row still gets its own draw.
    """
    log_probs = distribution.log_probs()
    log_probs = log_probs.expand(broadcast_shape(log_probs.shape, gumbel.shape))
    top = log_probs.topk(budget, dim=-1).indices
    others = torch.ones_like(log_probs).scatter(-1, top, 0.0).bool()
    rest = torch.where(others, log_probs, -torch.inf)
    drawn = (rest.detach() + gumbel).argmax(-1, keepdim=True)
    picked = log_probs.gather(-1, drawn)
    share = torch.logsumexp(rest.detach(), dim=-1, keepdim=True)
    weight = share + picked - picked.detach()
    return SparseValues(torch.cat([top, drawn], dim=-1), torch.cat([log_probs.gather(-1, top), weight], dim=-1))
