"""The numbers behind von Mises-Fisher on the unit sphere of R^d, d >= 2: normaliser, mean length, polar angle.

With w the cosine between a uniform direction and the mean direction, and M(k) = log E[exp(k w)], the density at x is
exp(k mu.x - M(k)) / area. Here everything is written with k - M(k) and 1 - M'(k), which stay small and keep their
digits where k and M(k) are large and nearly equal. No Bessel function is called: M is a sum of positive terms.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compiler.families.numerics import langevin, log_sinhc, polynomial
from compiler.tensors.broadcasting import broadcast_pair

_ORDER = 30.0
"""From this order of the Bessel function on, the uniform expansion of `_DEBYE` terms is exact to 1e-13."""
_DEBYE = 8
_NEAR = 0.5
_SPAN = 14.0
"""The polar angle's density falls below exp(-38) this many widths, 1 / sqrt(k + d - 2) each, from its mode."""
_CELLS = 128
_CELL_NODES = 3
_NODES = 32
_NEWTON = 6


def log_area(dimension: int) -> float:
    """log of the area of the unit sphere of R^d."""
    return math.log(2) + 0.5 * dimension * math.log(math.pi) - math.lgamma(0.5 * dimension)


def excess(concentration: Tensor, dimension: int) -> Tensor:
    """k - M(k) in nats, 0 at 0 and about (d - 1) / 2 log k far out; its derivative is `shortfall`."""
    result: Tensor = _Excess.apply(concentration, dimension)  # type: ignore[no-untyped-call]
    return result


def shortfall(concentration: Tensor, dimension: int) -> Tensor:
    """1 - A(k), A(k) = M'(k) the mean cosine: 1 at 0, about (d - 1) / (2 k) far out."""
    return _shortfall_3(concentration) if dimension == 3 else bessel_terms(concentration, dimension)[1]


def bessel_terms(concentration: Tensor, dimension: int) -> tuple[Tensor, Tensor]:
    """`excess` and `shortfall` in any dimension.

    M is log of Gamma(v + 1) (2 / k)^v I_v(k), v = d / 2 - 1. The uniform expansion in the order (Debye; NIST 10.41.3)
    gives it at an order above 30, and I_(v-1) = I_(v+1) + (2 v / k) I_v, which is stable downwards, leads from there.
    """
    order = 0.5 * dimension - 1
    steps = max(0, math.ceil(_ORDER - order))
    total, short = _far_order(concentration, order + steps)
    for step in reversed(range(steps)):
        twice = 2 * (order + step + 1)
        total = total - torch.log1p(concentration * (1 - short) / twice)
        rest = twice - concentration * short
        short = rest / (rest + concentration)
    return total, short


def _far_order(concentration: Tensor, order: float) -> tuple[Tensor, Tensor]:
    z = concentration / order
    s = (1 + z**2).sqrt()
    above = z**2 / (1 + s)
    coefficients = debye_coefficients(order)
    p = 1 / s
    sums = polynomial(p, coefficients)
    slopes = polynomial(p, [power * c for power, c in enumerate(coefficients)][1:])
    relative = (sums / math.fsum(coefficients)).log()
    total = order * ((z + above) / (s + z) + torch.log1p(above / 2)) + 0.5 * s.log() - relative
    short = 1 / (s * (s + z)) + z / (s * (1 + s)) + (0.5 * z / s**2 + slopes / sums * z / s**3) / order
    return total, short


@cache
def debye_coefficients(order: float) -> tuple[float, ...]:
    """c_j of sum_j c_j p^j = sum_k U_k(p) / order^k, by U_(k+1) = p^2 (1 - p^2) U_k' / 2 + int (1 - 5 t^2) U_k / 8."""
    current = [Fraction(1)]
    total = [0.0] * (3 * _DEBYE + 1)
    for k in range(_DEBYE + 1):
        for power, value in enumerate(current):
            total[power] += float(value) / order**k
        grown = [Fraction(0)] * (len(current) + 3)
        for power, value in enumerate(current):
            grown[power + 1] += value * (Fraction(power, 2) + Fraction(1, 8 * (power + 1)))
            grown[power + 3] -= value * (Fraction(power, 2) + Fraction(5, 8 * (power + 3)))
        current = grown
    return tuple(total)


class _Excess(torch.autograd.Function):
    """In three dimensions k - log(sinh(k) / k); else `bessel_terms`. The derivative never cancels."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, dimension: int) -> Tensor:
        ctx.save_for_backward(concentration)
        ctx.dimension = dimension
        return _excess_3(concentration) if dimension == 3 else bessel_terms(concentration, dimension)[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (concentration,) = ctx.saved_tensors
        return gradients[0] * shortfall(concentration, ctx.dimension), None


def _excess_3(k: Tensor) -> Tensor:
    near = k < _NEAR
    far = torch.where(near, torch.ones_like(k), k)
    return torch.where(near, k - log_sinhc(k), torch.log(2 * far) - torch.log1p(-torch.exp(-2 * far)))


def _shortfall_3(k: Tensor) -> Tensor:
    """1 - coth(k) + 1 / k."""
    near = k < _NEAR
    far = torch.where(near, torch.ones_like(k), k)
    inner = torch.where(near, k, torch.zeros_like(k))
    return torch.where(near, 1 - langevin(inner), 1 / far + 2 * torch.exp(-2 * far) / torch.expm1(-2 * far))


def polar_angle(concentration: Tensor, uniform: Tensor, dimension: int) -> Tensor:
    """The angle to the mean direction below which the share `uniform` lies, in radians; both broadcast.

    Its density is proportional to exp(k cos t) sin(t)^(d - 2). Differentiable in the concentration (implicitly:
    Figurnov et al. 2018), not in `uniform`.
    """
    result: Tensor = _PolarAngle.apply(*broadcast_pair(concentration, uniform), dimension)  # type: ignore[no-untyped-call]
    return result


class _PolarAngle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, concentration: Tensor, uniform: Tensor, dimension: int) -> Tensor:
        angle = _angle_3(concentration, uniform) if dimension == 3 else _angle(concentration, uniform, dimension)
        angle = angle.clamp(torch.finfo(angle.dtype).tiny, math.pi * (1 - torch.finfo(angle.dtype).eps))
        ctx.save_for_backward(concentration, angle)
        ctx.dimension = dimension
        return angle

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        concentration, angle = ctx.saved_tensors
        return gradients[0] * _slope(concentration, angle, ctx.dimension), None, None


def versine(angle: Tensor) -> Tensor:
    """1 - cos, without losing the digits of small angles."""
    return 2 * torch.sin(0.5 * angle) ** 2


def _angle_3(k: Tensor, uniform: Tensor) -> Tensor:
    """In three dimensions the cosine has the density of a truncated exponential."""
    k = k.clamp_min(torch.finfo(k.dtype).tiny ** 0.5)
    height = -torch.log1p(uniform * torch.expm1(-2 * k)) / k
    return 2 * torch.asin((0.5 * height).clamp(0, 1).sqrt())


def _log_ratio(k: Tensor, angle: Tensor, reference: Tensor, dimension: int) -> Tensor:
    """log of the angle's density at `angle` over that at `reference`."""
    result = -2 * k * torch.sin(0.5 * (angle + reference)) * torch.sin(0.5 * (angle - reference))
    if dimension > 2:
        result = result + (dimension - 2) * (torch.sin(angle) / torch.sin(reference)).log()
    return result


def _angle(k: Tensor, uniform: Tensor, dimension: int) -> Tensor:
    """The distribution function by quadrature in cells around the mode, inverted within a cell by Newton's method."""
    tiny = torch.finfo(k.dtype).tiny
    free = dimension - 2
    cosine = 2 * k / (free + (free**2 + 4 * k**2).sqrt()).clamp_min(tiny)
    mode = torch.acos(cosine.clamp(0, 1)).clamp_min(torch.finfo(k.dtype).eps).unsqueeze(-1)
    k, span = k.unsqueeze(-1), (_SPAN / (k + free).sqrt()).unsqueeze(-1)
    low, high = (mode - span).clamp_min(0), (mode + span).clamp_max(math.pi)
    width = (high - low) / _CELLS
    starts = low + width * torch.arange(_CELLS, dtype=k.dtype, device=k.device)
    masses = _mass(k, starts, starts + width, mode, dimension)
    sums = masses.cumsum(-1)
    target = uniform.unsqueeze(-1) * sums[..., -1:]
    cell = (sums < target).sum(-1, keepdim=True).clamp_max(_CELLS - 1)
    start, mass = starts.gather(-1, cell), masses.gather(-1, cell)
    wanted = target - (sums.gather(-1, cell) - mass)
    angle = start + width * _first_guess((wanted / mass.clamp_min(tiny)).clamp(0, 1), start, width, dimension)
    for _ in range(_NEWTON):
        over = _mass(k, start, angle, mode, dimension) - wanted
        density = _log_ratio(k, angle.clamp_min(tiny), mode, dimension).exp().clamp_min(tiny)
        angle = torch.minimum(torch.maximum(angle - over / density, start), start + width)
    return angle.squeeze(-1)


def _first_guess(share: Tensor, start: Tensor, width: Tensor, dimension: int) -> Tensor:
    """Where in its cell a share of the mass ends: near the poles, where the density is t^(d - 2), else uniformly."""
    power = 1 / (dimension - 1)
    last = start + 1.5 * width > math.pi
    return torch.where(start == 0, share**power, torch.where(last, 1 - (1 - share) ** power, share))


def _mass(k: Tensor, start: Tensor, end: Tensor, mode: Tensor, dimension: int) -> Tensor:
    """Integral of the density, 1 at the mode, from start to end [..., n]."""
    nodes, weights = _gauss(_CELL_NODES, k.dtype, k.device)
    points = start.unsqueeze(-1) + (end - start).unsqueeze(-1) * nodes
    points = points.clamp_min(torch.finfo(k.dtype).tiny)
    values = _log_ratio(k.unsqueeze(-1), points, mode.unsqueeze(-1), dimension).exp()
    return (end - start) * (values * weights).sum(-1)


def _slope(k: Tensor, angle: Tensor, dimension: int) -> Tensor:
    """d angle / d k at a fixed share: -integral of |cos t - A| h(t) / h(angle) over the side beyond the mean cosine.

    Both sides give the same number; the one on which cos t - A keeps its sign is integrated, so nothing cancels.
    """
    short = shortfall(k, dimension)
    inside = versine(angle) < short
    reach = _SPAN / (k + dimension - 2).sqrt()
    low = torch.where(inside, (angle - reach).clamp_min(0), angle).unsqueeze(-1)
    high = torch.where(inside, angle, (angle + reach).clamp_max(math.pi)).unsqueeze(-1)
    nodes, weights = _gauss(_NODES, k.dtype, k.device)
    points = low + (high - low) * nodes
    ratio = _log_ratio(k.unsqueeze(-1), points, angle.unsqueeze(-1), dimension).exp()
    moment = (versine(points) - short.unsqueeze(-1)).abs()
    return -((moment * ratio * weights).sum(-1) * (high - low).squeeze(-1))


@cache
def _legendre(count: int) -> tuple[Sequence[float], Sequence[float]]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return tuple(0.5 * (nodes + 1)), tuple(0.5 * weights)


def _gauss(count: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = _legendre(count)
    return torch.tensor(nodes, dtype=dtype, device=device), torch.tensor(weights, dtype=dtype, device=device)
