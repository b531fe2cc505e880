"""Unbounded counts: poisson, negative_binomial, and both with extra zeros.

The negative binomial is given by its mean mu and its dispersion theta, the inverse overdispersion: its variance is
mu + mu^2 / theta (scVI's convention), so theta -> infinity is the poisson. `gate_logits` are the log odds that a value
is an extra zero. Densities are written by how far a count is from its mean (Loader 2000): each of their terms is as
small as the result, so that single precision keeps its digits whatever the size of the counts.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.gamma_noise import log_gamma_draw
from compiler.families.noise_kinds import COUNT, COUNT_UNIFORMS
from compiler.families.quantiles import poisson_quantile
from compiler.families.series import less_log, stirling_error


def poisson_log_prob(value: Tensor, rate: Tensor) -> Tensor:
    """log of rate^k exp(-rate) / k! = -(rate - k - k log(rate / k)) - stirling_error(k) - log(2 pi k) / 2."""
    count = value.to(rate.dtype)
    many = count.clamp_min(1)
    apart = many * less_log((rate - many) / many, rate / many)
    counted = -apart - stirling_error(many) - 0.5 * torch.log(2 * math.pi * many)
    return torch.where(count == 0, -rate, counted)


def poisson_kl(q_rate: Tensor, p_rate: Tensor) -> Tensor:
    """Between two poissons: p - q - q log(p / q)."""
    return q_rate * less_log((p_rate - q_rate) / q_rate, p_rate / q_rate)


def poisson_draw(eps: Tensor, rate: Tensor) -> Tensor:
    """A count; eps [..., 2]."""
    return poisson_quantile(rate, eps[..., 0])


def poisson_mean(rate: Tensor) -> Tensor:
    """Also the variance."""
    return rate


def poisson_mode(rate: Tensor) -> Tensor:
    """The largest count that is not above the rate."""
    return rate.floor()


def negative_binomial_log_prob(value: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """Counts with variance mean + mean^2 / dispersion.

    P(k) = Gamma(k + theta) / (Gamma(theta) k!) (theta / (theta + mu))^theta (mu / (theta + mu))^k, every Gamma by
    Stirling's formula and its error.
    """
    count = value.to(mean.dtype)
    many, whole = count.clamp_min(1), dispersion + mean
    total, shift = many + dispersion, (many - mean) / whole
    apart = dispersion * less_log(shift, total / whole)
    apart = apart + many * less_log(-shift * (dispersion / many), mean / whole * (total / many))
    errors = stirling_error(total) - stirling_error(dispersion) - stirling_error(many)
    counted = errors - apart + 0.5 * torch.log(dispersion / total / (2 * math.pi * many))
    return torch.where(count == 0, -dispersion * torch.log1p(mean / dispersion), counted)


def negative_binomial_draw(eps: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """A poisson whose rate is a gamma draw; eps from `count_noise`."""
    rate = (log_gamma_draw(dispersion, eps[..., 2:]) + (mean / dispersion).log()).exp()
    return poisson_quantile(rate, eps[..., 0])


def negative_binomial_mean(mean: Tensor, dispersion: Tensor) -> Tensor:
    """A parameter."""
    return mean


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


def zero_inflated_poisson_mean(rate: Tensor, gate_logits: Tensor) -> Tensor:
    """The counts' mean by their share."""
    return torch.sigmoid(-gate_logits) * rate


def zero_inflated_poisson_mode(rate: Tensor, gate_logits: Tensor) -> Tensor:
    """The counts' mode or zero."""
    mode = poisson_mode(rate).expand_as(rate + gate_logits)
    scores = [zero_inflated_poisson_log_prob(value, rate, gate_logits) for value in (mode, torch.zeros_like(mode))]
    return torch.where(scores[0] > scores[1], mode, torch.zeros_like(mode))


def zero_inflated_negative_binomial_log_prob(
    value: Tensor, mean: Tensor, dispersion: Tensor, gate_logits: Tensor
) -> Tensor:
    """A negative binomial with extra zeros."""
    return with_extra_zeros(negative_binomial_log_prob(value, mean, dispersion), value, gate_logits)


def zero_inflated_negative_binomial_draw(eps: Tensor, mean: Tensor, dispersion: Tensor, gate_logits: Tensor) -> Tensor:
    """A count or an extra zero; eps from `count_noise`."""
    return negative_binomial_draw(eps, mean, dispersion) * (torch.logit(eps[..., 1]) > gate_logits)


def zero_inflated_negative_binomial_mean(mean: Tensor, dispersion: Tensor, gate_logits: Tensor) -> Tensor:
    """The counts' mean by their share."""
    return torch.sigmoid(-gate_logits) * mean


def zero_inflated_negative_binomial_mode(mean: Tensor, dispersion: Tensor, gate_logits: Tensor) -> Tensor:
    """The counts' mode or zero."""
    parameters = (mean, dispersion, gate_logits)
    mode = negative_binomial_mode(mean, dispersion).expand_as(mean + dispersion + gate_logits)
    scores = [zero_inflated_negative_binomial_log_prob(v, *parameters) for v in (mode, torch.zeros_like(mode))]
    return torch.where(scores[0] > scores[1], mode, torch.zeros_like(mode))


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "poisson",
        log_prob=poisson_log_prob,
        noise_kind=COUNT_UNIFORMS,
        mean=poisson_mean,
        mode=poisson_mode,
        sample=poisson_draw,
        divergences={"poisson": poisson_kl},
    ),
    FamilyEntry(
        "negative_binomial",
        log_prob=negative_binomial_log_prob,
        noise_kind=COUNT,
        mean=negative_binomial_mean,
        mode=negative_binomial_mode,
        sample=negative_binomial_draw,
    ),
    FamilyEntry(
        "zero_inflated_poisson",
        log_prob=zero_inflated_poisson_log_prob,
        noise_kind=COUNT,
        mean=zero_inflated_poisson_mean,
        mode=zero_inflated_poisson_mode,
        sample=zero_inflated_poisson_draw,
    ),
    FamilyEntry(
        "zero_inflated_negative_binomial",
        log_prob=zero_inflated_negative_binomial_log_prob,
        noise_kind=COUNT,
        mean=zero_inflated_negative_binomial_mean,
        mode=zero_inflated_negative_binomial_mode,
        sample=zero_inflated_negative_binomial_draw,
    ),
)
