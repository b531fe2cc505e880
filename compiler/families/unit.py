"""continuous_bernoulli and discretized_logistic: a density on [0, 1], and equally spaced values in it.

continuous_bernoulli (Loaiza-Ganem and Cunningham 2019): proportional to p^x (1 - p)^(1 - x), an exponential family in
l = log p - log(1 - p), its logits: exp(l x) / Z(l) with log Z(l) = l / 2 + A(l / 2), A(h) = log(sinh(h) / h).
discretized_logistic: `levels` values 0, 1 / (levels - 1), ..., 1, each with the mass of a logistic around it. The bins
are as wide as the spacing and centred on the values; the first and the last reach to infinity (PixelCNN++, Salimans et
al. 2017), so the probabilities sum to one.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import UNIFORM
from compiler.families.numerics import langevin, log_sinhc
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


def continuous_bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """Between two continuous Bernoullis, from their logits: (l_q - l_p) E_q[x] - log Z(l_q) + log Z(l_p)."""
    return (q - p) * continuous_bernoulli_mean(q) - continuous_bernoulli_log_z(q) + continuous_bernoulli_log_z(p)


def discretized_logistic_log_prob(value: Tensor, loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """Mass of a logistic in the bin around the nearest of `levels` values in [0, 1]; the end bins are open.

    sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)) between a bin's ends a < b.
    """
    steps = levels - 1
    level = (value * steps).round()
    width = 1 / (steps * scale)
    centre = (level / steps - loc) / scale
    below, above = F.logsigmoid(centre + 0.5 * width), F.logsigmoid(0.5 * width - centre)
    within = torch.log(-torch.expm1(-width))
    return torch.where(level <= 0, below, torch.where(level >= steps, above, below + above + within))


def nearest_level(value: Tensor, levels: int) -> Tensor:
    """Of `levels` values in [0, 1]."""
    return (value.clamp(0, 1) * (levels - 1)).round() / (levels - 1)


def discretized_logistic_draw(u: Tensor, loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """The nearest of `levels` values to a logistic draw."""
    return nearest_level(loc + scale * torch.logit(u), levels)


def discretized_logistic_mean(loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """(1 / steps) sum_j P(level >= j), level j beginning half a step below its value."""
    steps = levels - 1
    total = torch.zeros_like(loc + scale)
    for j in range(1, steps + 1):
        total = total + torch.sigmoid((loc - (j - 0.5) / steps) / scale)
    return total / steps


def discretized_logistic_mode(loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """The level nearest to the centre, or an end, whose open bin may hold more."""
    nearest = nearest_level(loc, levels)
    candidates = [nearest.expand_as(loc + scale), torch.zeros_like(loc + scale), torch.ones_like(loc + scale)]
    scores = [discretized_logistic_log_prob(candidate, loc, scale, levels) for candidate in candidates]
    best = torch.stack(scores).argmax(0, keepdim=True)
    return torch.take_along_dim(torch.stack(candidates), best, dim=0).squeeze(0)


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "continuous_bernoulli", continuous_bernoulli_log_prob, UNIFORM, draw=continuous_bernoulli_draw,
        mean=continuous_bernoulli_mean, mode=lambda logits: (logits > 0).to(logits.dtype),
        divergences={"continuous_bernoulli": continuous_bernoulli_kl},
    ),
    FamilyEntry(
        "discretized_logistic", discretized_logistic_log_prob, UNIFORM, sample=discretized_logistic_draw,
        mean=discretized_logistic_mean, mode=discretized_logistic_mode,
    ),
)  # fmt: skip
