"""The score function's gradient, for draws without a pathwise one. Emitted files hold a copy.

For draws v_1..v_S and any estimate F(v_1..v_S) of a row's objective,

    grad E[F] = E[grad F] + sum_s E[(F - F_without_s) grad log q(v_s)]

F_without_s is the same estimate from the other samples: it does not depend on v_s, so it changes no expectation
(Williams 1992; Mnih and Rezende 2016).
"""

from collections.abc import Callable

import torch
from torch import Tensor


def with_score(bound: Tensor, log_q: Tensor) -> Tensor:
    """`bound` [B], with bound * grad log_q [B] added to its gradient."""
    return bound + bound.detach() * (log_q - log_q.detach())


def with_scores(bound: Tensor, estimate: Callable[..., Tensor], log_q: Tensor, *values: Tensor) -> Tensor:
    """`bound` [B] of all draws, with sum_s (bound - bound without s) * grad log_q[s] added to its gradient.

    log_q, values: [S, ..., B] each. `estimate` from the values of the other draws is each draw's baseline.
    """
    total = bound
    for sample in range(len(log_q)):
        with torch.no_grad():
            baseline = estimate(*(torch.cat([value[:sample], value[sample + 1 :]]) for value in values))
        total = total + (bound.detach() - baseline) * (log_q[sample] - log_q[sample].detach())
    return total
