"""continuous_bernoulli: density proportional to p^x (1 - p)^(1 - x) on [0, 1] (Loaiza-Ganem and Cunningham 2019).

An exponential family in l = log p - log(1 - p), its logits: exp(l x) / Z(l) with log Z(l) = l / 2 + A(l / 2),
A(h) = log(sinh(h) / h); logits 0 is uniform.
"""

import math

import torch
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import UNIFORM
from compiler.families.series import langevin, log_sinhc
from compiler.tensors.broadcasting import broadcast_pair


def continuous_bernoulli_log_prob(value: Tensor, logits: Tensor) -> Tensor:
    """log of exp(l x) / Z(l) on [0, 1] (Loaiza-Ganem and Cunningham 2019)."""
    return value * logits - continuous_bernoulli_log_z(logits)


def continuous_bernoulli_log_z(logits: Tensor) -> Tensor:
    """log of the integral of exp(l x) over [0, 1]."""
    return 0.5 * logits + log_sinhc(0.5 * logits)


def continuous_bernoulli_draw(u: Tensor, logits: Tensor) -> Tensor:
    """The inverse distribution function log(1 + u (e^l - 1)) / l; its expansion in l near zero."""
    logits, u = broadcast_pair(logits, u)
    near = logits.abs() < (0.1 if logits.dtype == torch.float32 else 5e-3)
    far = torch.where(near, torch.ones_like(logits), logits)
    negative, mass = -far.abs(), torch.where(far > 0, 1 - u, u)
    low = torch.log1p(mass * torch.expm1(negative)) / negative
    outside = torch.where(far > 0, 1 - low, low)
    inside = inverse_series(u, torch.where(near, logits, torch.zeros_like(logits)))
    return torch.where(near, inside, outside).clamp(0, 1)


def inverse_series(u: Tensor, logits: Tensor) -> Tensor:
    """log(1 + u (e^l - 1)) / l = sum_n kappa_n l^(n-1) / n!, kappa_n the cumulants of a bernoulli(u)."""
    v, skew = u * (1 - u), 1 - 2 * u
    cumulants = (u, v, v * skew, v * (1 - 6 * v), v * skew * (1 - 12 * v), v * (1 - 30 * v + 120 * v**2))
    total = torch.zeros_like(u)
    for n, cumulant in reversed(list(enumerate(cumulants))):
        total = total * logits + cumulant / math.factorial(n + 1)
    return total


def continuous_bernoulli_mean(logits: Tensor) -> Tensor:
    """The mean, in (0, 1)."""
    return 0.5 + 0.5 * langevin(0.5 * logits)


def continuous_bernoulli_mode(logits: Tensor) -> Tensor:
    """The density rises or falls throughout: an end of the interval."""
    return (logits > 0).to(logits.dtype)


def continuous_bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """Between two continuous Bernoullis, from their logits: (l_q - l_p) E_q[x] - log Z(l_q) + log Z(l_p)."""
    return (q - p) * continuous_bernoulli_mean(q) - continuous_bernoulli_log_z(q) + continuous_bernoulli_log_z(p)


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "continuous_bernoulli",
        log_prob=continuous_bernoulli_log_prob,
        noise_kind=UNIFORM,
        mean=continuous_bernoulli_mean,
        mode=continuous_bernoulli_mode,
        draw=continuous_bernoulli_draw,
        divergences={"continuous_bernoulli": continuous_bernoulli_kl},
    ),
)
