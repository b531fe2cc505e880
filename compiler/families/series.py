"""Functions that lose their digits where two large or two equal numbers cancel, by series in those places."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.tensors.broadcasting import broadcast_pair

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


_STIRLING_FROM = 20.0
_SMALL_RATIO = 0.1


def log_rising(theta: Tensor, count: Tensor) -> Tensor:
    """log Gamma(theta + count) - log Gamma(theta) - count log theta, by Stirling's series where theta is large.

    There it is theta g(count / theta) - log(1 + count / theta) / 2 + what the series' later terms add,
    g(x) = (1 + x) log(1 + x) - x. Direct differences would lose every digit in single precision.
    """
    theta, count = broadcast_pair(theta, count)
    large = theta > _STIRLING_FROM
    small = torch.where(large, torch.ones_like(theta), theta)
    direct = torch.lgamma(small + count) - torch.lgamma(small) - count * small.log()
    big = torch.where(large, theta, torch.full_like(theta, _STIRLING_FROM))
    top, ratio = big + count, count / big
    later = (1 / top - 1 / big) / 12 - (top**-3 - big**-3) / 360 + (top**-5 - big**-5) / 1260
    return torch.where(large, big * _excess(ratio) - 0.5 * torch.log1p(ratio) + later, direct)


def _excess(x: Tensor) -> Tensor:
    """(1 + x) log(1 + x) - x = sum_(n >= 2) (-x)^n / (n (n - 1)), for x >= 0."""
    near = x < _SMALL_RATIO
    inner = torch.where(near, x, torch.zeros_like(x))
    series = polynomial(inner, [(-1) ** n / (n * (n - 1)) for n in range(2, 15)]) * inner**2
    return torch.where(near, series, (1 + x) * torch.log1p(x) - x)
