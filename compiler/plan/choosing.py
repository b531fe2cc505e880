"""Draws from what an exact sum runs over.

The gradient of log Z with respect to zeros added to each factor is the posterior's marginals, because the gradient of
logsumexp is a softmax. Where that softmax is replaced by one draw from it, the gradient is one joint draw: for a chain,
forward filtering and backward sampling (Scott 2002; the semiring of samples of Rush 2020, Torch-Struct).
"""

from typing import Any

import torch
from torch import Tensor


class ChosenSum(torch.autograd.Function):
    """logsumexp along one dimension, which stays; its gradient goes to one place, drawn by softmax."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, dim: int, generator: torch.Generator) -> Tensor:
        total = torch.logsumexp(value, dim=dim, keepdim=True)
        ctx.save_for_backward((value - total).exp())
        ctx.dim, ctx.generator = dim, generator
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (shares,) = ctx.saved_tensors
        rows = shares.movedim(ctx.dim, -1)
        drawn = torch.multinomial(rows.reshape(-1, rows.shape[-1]), 1, generator=ctx.generator)
        places = drawn.reshape(*rows.shape[:-1], 1).movedim(-1, ctx.dim)
        return torch.zeros_like(shares).scatter_(ctx.dim, places, 1.0) * gradients[0], None, None


def chosen_sum(value: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """`ChosenSum` as a function."""
    found: Tensor = ChosenSum.apply(value, dim, generator)  # type: ignore[no-untyped-call]
    return found
