"""Sparse enumeration: the likeliest values one by one, the rest by one weighted draw (Liu et al., ICML 2019).

For weights q_k and terms f_k, with C the likeliest classes and j drawn from the others in proportion to q_j:

    sum_k q_k f_k  =  E_j[ sum_{k in C} q_k f_k + q_rest f_j ],      q_rest = 1 - sum_{k in C} q_k

The gradient stays unbiased if the draw's weight is q_rest in value and q_rest grad(log q_j) in gradient.
"""

import torch
from torch import Tensor

from compiler.tensors.broadcasting import broadcast_shape


def choose(log_probs: Tensor, budget: int, gumbel: Tensor) -> tuple[Tensor, Tensor]:
    """The `budget` likeliest classes of a scalar finite variable and a draw from the others.

    log_probs: [*lead, K]. gumbel: standard noise that the draw is made from, [B, K]. Where the parameters are shared by
    all rows (B = 1 there) every row still gets its own draw. Returns indices [*lead, budget + 1] int64, the draw last,
    and log weights, which sum to one.
    """
    log_probs = log_probs.expand(broadcast_shape(log_probs.shape, gumbel.shape))
    top = log_probs.topk(budget, dim=-1).indices
    rest = log_probs.scatter(-1, top, -torch.inf)
    drawn = (rest.detach() + gumbel).argmax(-1, keepdim=True)
    picked = log_probs.gather(-1, drawn)
    weight = torch.logsumexp(rest.detach(), dim=-1, keepdim=True) + picked - picked.detach()
    return torch.cat([top, drawn], dim=-1), torch.cat([log_probs.gather(-1, top), weight], dim=-1)
