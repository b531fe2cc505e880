"""Unbounded counts: poisson, negative_binomial, and both with extra zeros.

The negative binomial is given by its mean mu and its dispersion theta, the inverse overdispersion: its variance is
mu + mu^2 / theta (scVI's convention), so theta -> infinity is the poisson. `gate_logits` are the log odds that a value
is an extra zero. Densities are written by how far a count is from its mean (after Loader 2000): no term is much larger
than the result, so that single precision keeps its digits whatever the size of the counts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry, Function
from compiler.families.fits import (
    negative_binomial_fit,
    poisson_fit,
    zero_inflated_negative_binomial_fit,
    zero_inflated_poisson_fit,
)
from compiler.families.gammas import log_gamma_draw
from compiler.families.noise_kinds import COUNT, COUNT_UNIFORMS
from compiler.families.numerics import log_one_plus, poisson_kl, stirling_rest
from compiler.tensors.broadcasting import broadcast_pair, broadcast_shape


def poisson_log_prob(value: Tensor, rate: Tensor) -> Tensor:
    """log of rate^k exp(-rate) / k!: minus the divergence from a rate of k, less what log k! is beyond k log k - k."""
    count = value.to(rate.dtype)
    return -poisson_kl(count, rate) - stirling_rest(count)


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


def poisson_draw(eps: Tensor, rate: Tensor) -> Tensor:
    """A count; eps [..., 2]."""
    return poisson_quantile(rate, eps[..., 0])


def negative_binomial_log_prob(value: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """Counts with variance mean + mean^2 / dispersion.

    P(k) = Gamma(k + theta) / (Gamma(theta) k!) (theta / (theta + mu))^theta (mu / (theta + mu))^k. Its powers make
    (theta + k) times the divergence between two shares, k / (theta + k) and mu / (theta + mu).
    """
    count = value.to(mean.dtype)
    total = count + dispersion
    shift = (count - mean) / total
    apart = count * log_one_plus(shift * (dispersion / mean)) + dispersion * log_one_plus(-shift)
    rest = stirling_rest(total) - stirling_rest(dispersion) - stirling_rest(count)
    return rest - torch.log1p(count / dispersion) - apart


def negative_binomial_draw(eps: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """A poisson whose rate is a gamma draw; eps from `count_noise`."""
    rate = (log_gamma_draw(dispersion, eps[..., 2:]) + (mean / dispersion).log()).exp()
    return poisson_quantile(rate, eps[..., 0])


def negative_binomial_mode(mean: Tensor, dispersion: Tensor) -> Tensor:
    """Zero up to theta = 1."""
    return (mean * (dispersion - 1) / dispersion).floor().clamp_min(0)


def with_extra_zeros(log_prob: Tensor, value: Tensor, gate_logits: Tensor) -> Tensor:
    """A zero is extra with probability sigmoid(gate_logits), else the count has `log_prob`."""
    counted = F.logsigmoid(-gate_logits) + log_prob
    return torch.where(value == 0, torch.logaddexp(F.logsigmoid(gate_logits), counted), counted)


def zero_inflated_poisson_log_prob(value: Tensor, rate: Tensor, gate_logits: Tensor) -> Tensor:
    """A poisson with extra zeros."""
    return with_extra_zeros(poisson_log_prob(value, rate), value, gate_logits)


def zero_inflated_poisson_draw(eps: Tensor, rate: Tensor, gate_logits: Tensor) -> Tensor:
    """A count or an extra zero; eps from `count_noise`."""
    return poisson_draw(eps, rate) * (torch.logit(eps[..., 1]) > gate_logits)


def zero_inflated_negative_binomial_log_prob(
    value: Tensor, mean: Tensor, dispersion: Tensor, gate_logits: Tensor
) -> Tensor:
    """A negative binomial with extra zeros."""
    return with_extra_zeros(negative_binomial_log_prob(value, mean, dispersion), value, gate_logits)


def zero_inflated_negative_binomial_draw(eps: Tensor, mean: Tensor, dispersion: Tensor, gate_logits: Tensor) -> Tensor:
    """A count or an extra zero; eps from `count_noise`."""
    return negative_binomial_draw(eps, mean, dispersion) * (torch.logit(eps[..., 1]) > gate_logits)


def likelier(log_prob: Function, mode: Tensor, *parameters: Tensor) -> Tensor:
    """`mode` or zero, whichever is likelier."""
    mode = mode.expand(broadcast_shape(*(parameter.shape for parameter in parameters)))
    zero = torch.zeros_like(mode)
    return torch.where(log_prob(mode, *parameters) > log_prob(zero, *parameters), mode, zero)


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "poisson", poisson_log_prob, COUNT_UNIFORMS, sample=poisson_draw, divergences={"poisson": poisson_kl},
        mean=lambda rate: rate, mode=lambda rate: rate.floor(), fit=poisson_fit,
    ),
    FamilyEntry(
        "negative_binomial", negative_binomial_log_prob, COUNT, sample=negative_binomial_draw,
        mean=lambda mean, dispersion: mean, mode=negative_binomial_mode, fit=negative_binomial_fit,
    ),
    FamilyEntry(
        "zero_inflated_poisson", zero_inflated_poisson_log_prob, COUNT, sample=zero_inflated_poisson_draw,
        mean=lambda rate, gate: torch.sigmoid(-gate) * rate, fit=zero_inflated_poisson_fit,
        mode=lambda rate, gate: likelier(zero_inflated_poisson_log_prob, rate.floor(), rate, gate),
    ),
    FamilyEntry(
        "zero_inflated_negative_binomial", zero_inflated_negative_binomial_log_prob, COUNT,
        sample=zero_inflated_negative_binomial_draw, fit=zero_inflated_negative_binomial_fit,
        mean=lambda mean, dispersion, gate: torch.sigmoid(-gate) * mean,
        mode=lambda *p: likelier(zero_inflated_negative_binomial_log_prob, negative_binomial_mode(*p[:2]), *p),
    ),
)  # fmt: skip
