"""Sparse enumeration: the likeliest values one by one, the rest by one weighted draw (Liu et al., ICML 2019).

For weights q_k and terms f_k, with C the likeliest classes and j drawn from the others in proportion to q_j:

    sum_k q_k f_k  =  E_j[ sum_{k in C} q_k f_k + q_rest f_j ],      q_rest = 1 - sum_{k in C} q_k

The gradient stays unbiased if the draw's weight is q_rest in value and q_rest grad(log q_j) in gradient. Where the
parameters are shared by all rows (B = 1 there) every row still gets its own draw. Emitted files hold a copy.
"""

import torch
from torch import Tensor

from compiler.tensors.broadcasting import broadcast_shape


def likeliest(
    log_probs: Tensor, budget: int, gumbel_noise: Tensor, place: int, minimum: int | None
) -> tuple[Tensor, Tensor]:
    """The `budget` likeliest classes and a draw from the others, which stands for them (Liu et al. 2019).

    Returns values and log weights [..., budget + 1, ...], that axis at `place`; the weights sum to one. The draw's
    weight is that of all others in value, and has the gradient of its own log probability. minimum: values are numbers
    from it on; None: indices.
    """
    log_probs = log_probs.expand(broadcast_shape(log_probs.shape, gumbel_noise.shape))
    top = log_probs.topk(budget, dim=-1).indices
    rest = log_probs.scatter(-1, top, -torch.inf)
    drawn = (rest.detach() + gumbel_noise).argmax(-1, keepdim=True)
    picked = log_probs.gather(-1, drawn)
    weight = torch.logsumexp(rest.detach(), dim=-1, keepdim=True) + picked - picked.detach()
    values = torch.cat([top, drawn], dim=-1).movedim(-1, place)
    log_weights = torch.cat([log_probs.gather(-1, top), weight], dim=-1).movedim(-1, place)
    return values if minimum is None else (values + minimum).to(log_probs.dtype), log_weights
