"""What keeps digits: series where two large or two equal numbers cancel, values moved off the ends of a support."""

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


def stirling_rest(x: Tensor) -> Tensor:
    """log Gamma(x + 1) - (x log x - x): 0 at 0; log(2 pi x) / 2 + 1 / (12 x) - ... if x is large (Stirling)."""
    few = x.clamp_max(64)
    direct = torch.lgamma(few + 1) + few * (1 - above_zero(few).log())
    if surely_few(x):
        return direct
    reciprocal = 1 / x.clamp_min(64)
    square = reciprocal * reciprocal
    series = reciprocal * (1 / 12 - square * (1 / 360 - square * (1 / 1260)))
    return torch.where(x > 64, series - 0.5 * torch.log(reciprocal * (0.5 / math.pi)), direct)


def surely_few(x: Tensor) -> bool:
    """No number is above 64. Asked of data and constants only, and where an answer need not be waited for."""
    return x.device.type == "cpu" and not x.requires_grad and not bool((x > 64).any())


def log_one_plus(x: Tensor) -> Tensor:
    """log(1 + x), finite down to x = -1."""
    return torch.log1p(x.clamp_min(torch.finfo(x.dtype).eps / 2 - 1))


def poisson_kl(q_rate: Tensor, p_rate: Tensor) -> Tensor:
    """q log(q / p) - q + p, the divergence between two poissons; what densities lose where their mean is elsewhere."""
    return q_rate * log_ratio(q_rate, p_rate) - (q_rate - p_rate)


def log_ratio(above: Tensor, below: Tensor) -> Tensor:
    """log(a / b), with all digits where a is near b, and finite where the quotient is not."""
    near = above < 1e4 * below
    close = torch.where(near, below, above)
    far = torch.where(near, 0.0, above_zero(above).log() - above_zero(below).log())
    return log_one_plus((above - close) / above_zero(close)) + far


def half_step(x: Tensor) -> Tensor:
    """log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2: about -1 / (8 x) where x is large."""
    few = x.clamp_max(64)
    direct = torch.lgamma(few + 0.5) - torch.lgamma(few) - 0.5 * few.log()
    if surely_few(x):
        return direct
    reciprocal = 1 / x.clamp_min(64)
    square = reciprocal * reciprocal
    return torch.where(x > 64, -reciprocal * (1 / 8 - square * (1 / 192 - square / 640)), direct)


def inside_unit(value: Tensor) -> Tensor:
    """Into the open unit interval, by half a float eps at both ends, where densities of legal data may be infinite."""
    half = torch.finfo(value.dtype).eps / 2
    return value.clamp(half, 1 - half)


def above_zero(value: Tensor) -> Tensor:
    """Away from zero by the smallest normal number."""
    return value.clamp_min(torch.finfo(value.dtype).tiny)
