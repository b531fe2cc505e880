"""Draws of counts from uniforms: the distribution function, inverted."""

import torch
from torch import Tensor

from compiler.tensors.broadcasting import broadcast_pair


def poisson_quantile(rate: Tensor, u: Tensor) -> Tensor:
    """Smallest count k with P(K <= k) >= u, by bisection on the regularised incomplete gamma function."""
    dtype = rate.dtype
    rate, u = (t.to(torch.float64) for t in broadcast_pair(rate, u))
    low = torch.full_like(rate, -1.0)
    high = torch.ceil(rate + 12 * rate.sqrt() + 40)
    for _ in range(int(torch.log2(high.max() + 1).ceil()) + 1 if high.numel() else 0):
        middle = torch.floor((low + high) / 2)
        enough = torch.special.gammaincc(middle + 1, rate) >= u
        enough &= middle >= 0
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return high.to(dtype)
