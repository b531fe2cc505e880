"""Functions that lose their digits where two large or two equal numbers cancel, by series in those places."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_NEAR = 0.5
# (-1)^(n+1) zeta(2n) / (n pi^(2n)) for n = 1, 2, ...
_SERIES = (
    *(1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775, -691 / 3831077250, 2 / 127702575),
    *(-3617 / 2605132530000, 43867 / 350813659321125),
)


def log_sinhc(h: Tensor) -> Tensor:
    """A(h) = log(sinh(h) / h) = sum_n (-1)^(n+1) zeta(2n) h^(2n) / (n pi^(2n)); even, 0 at 0."""
    size = h.abs()
    near = size < _NEAR
    far = torch.where(near, torch.ones_like(size), size)
    outside = far + torch.log1p(-torch.exp(-2 * far)) - torch.log(2 * far)
    square = torch.where(near, h, torch.zeros_like(h)) ** 2
    return torch.where(near, polynomial(square, _SERIES) * square, outside)


def langevin(h: Tensor) -> Tensor:
    """A'(h) = coth(h) - 1 / h, odd, 0 at 0."""
    near = h.abs() < _NEAR
    far = torch.where(near, torch.ones_like(h), h)
    outside = 1 / torch.tanh(far) - 1 / far
    inner = torch.where(near, h, torch.zeros_like(h))
    slopes = tuple(2 * (n + 1) * term for n, term in enumerate(_SERIES))
    return torch.where(near, polynomial(inner**2, slopes) * inner, outside)


def polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """c_0 + c_1 x + c_2 x^2 + ..."""
    result = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result


_STIRLING_FROM = 16.0


def stirling_error(x: Tensor) -> Tensor:
    """log Gamma(x + 1) - (x log x - x + log(2 pi x) / 2) for x > 0: about 1 / (12 x), by Stirling's series if large."""
    large = x > _STIRLING_FROM
    small, big = torch.where(large, torch.ones_like(x), x), torch.where(large, x, torch.full_like(x, _STIRLING_FROM))
    direct = torch.lgamma(small + 1) - (small + 0.5) * small.log() + small - 0.5 * math.log(2 * math.pi)
    series = polynomial(big**-2, (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)) / big
    return torch.where(large, series, direct)


_SMALL_STEP = 0.1


def less_log(u: Tensor, ratio: Tensor) -> Tensor:
    """u - log(1 + u) >= 0, from u and from ratio = 1 + u as far as each has digits; about u^2 / 2 near zero.

    There u - log(1 + u) = u s - 2 (s^3 / 3 + s^5 / 5 + ...), s = u / (2 + u).
    """
    near = u.abs() < _SMALL_STEP
    inner = torch.where(near, u, torch.zeros_like(u))
    s = inner / (2 + inner)
    series = inner * s - 2 * s**3 * polynomial(s**2, [1 / n for n in range(3, 17, 2)])
    return torch.where(near, series, u - torch.where(near, torch.ones_like(ratio), ratio).log())
