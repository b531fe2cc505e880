"""Log densities, element by element, in nats: value [*lead, *event], parameters that broadcast against it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.series import langevin, log_rising, log_sinhc


def normal_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log of exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi))."""
    return -0.5 * ((value - loc) / scale) ** 2 - scale.log() - 0.5 * math.log(2 * math.pi)


def standard_normal_log_prob(value: Tensor) -> Tensor:
    """The normal density at loc 0, scale 1."""
    return -0.5 * value**2 - 0.5 * math.log(2 * math.pi)


def lognormal_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Density of the exponential of a normal; zeros count as the smallest normal number."""
    logarithm = value.clamp_min(torch.finfo(value.dtype).tiny).log()
    return -0.5 * ((logarithm - loc) / scale) ** 2 - scale.log() - 0.5 * math.log(2 * math.pi) - logarithm


def laplace_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log of exp(-|x - loc| / scale) / (2 scale)."""
    return -(value - loc).abs() / scale - scale.log() - math.log(2)


def student_t_log_prob(value: Tensor, df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Student's t with `df` degrees of freedom."""
    squared = ((value - loc) / scale) ** 2
    normaliser = torch.lgamma(0.5 * df + 0.5) - torch.lgamma(0.5 * df) - 0.5 * torch.log(math.pi * df)
    return normaliser - scale.log() - (0.5 * df + 0.5) * torch.log1p(squared / df)


def gamma_log_prob(value: Tensor, concentration: Tensor, rate: Tensor) -> Tensor:
    """log of rate^a x^(a - 1) exp(-rate x) / Gamma(a); zeros count as the smallest normal number."""
    x = value.clamp_min(torch.finfo(value.dtype).tiny)
    return concentration * rate.log() + (concentration - 1) * x.log() - rate * x - torch.lgamma(concentration)


def beta_log_prob(value: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """log of x^(a - 1) (1 - x)^(b - 1) / B(a, b); 0 and 1 are moved inwards by half a float eps."""
    half = torch.finfo(value.dtype).eps / 2
    x = value.clamp(half, 1 - half)
    return (a - 1) * x.log() + (b - 1) * torch.log1p(-x) + torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)


def dirichlet_log_prob(value: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """One density for each simplex along `axis`, which keeps size 1."""
    x = value.clamp_min(torch.finfo(value.dtype).eps / 2)
    total = torch.lgamma(concentration.sum(axis, keepdim=True))
    normaliser = total - torch.lgamma(concentration).sum(axis, keepdim=True)
    return ((concentration - 1) * x.log()).sum(axis, keepdim=True) + normaliser


def bernoulli_log_prob(value: Tensor, logits: Tensor) -> Tensor:
    """v log p + (1 - v) log(1 - p); values between 0 and 1 (grey pixels, relaxed draws) score linearly."""
    return value * F.logsigmoid(logits) + (1 - value) * F.logsigmoid(-logits)


def continuous_bernoulli_log_prob(value: Tensor, logits: Tensor) -> Tensor:
    """log of exp(l x) / Z(l) on [0, 1] (Loaiza-Ganem and Cunningham 2019)."""
    return value * logits - continuous_bernoulli_log_z(logits)


def continuous_bernoulli_log_z(logits: Tensor) -> Tensor:
    """log of the integral of exp(l x) over [0, 1]."""
    return 0.5 * logits + log_sinhc(0.5 * logits)


def continuous_bernoulli_mean(logits: Tensor) -> Tensor:
    """The mean, in (0, 1)."""
    return 0.5 + 0.5 * langevin(0.5 * logits)


def categorical_log_prob(value: Tensor, logits: Tensor) -> Tensor:
    """log softmax(logits) at a one-hot value [..., K]; weights of classes (a relaxed draw) score linearly."""
    return (value * F.log_softmax(logits, dim=-1)).sum(-1)


def ordered_logistic_log_prob(value: Tensor, predictor: Tensor, cutpoints: Tensor) -> Tensor:
    """Log probability at a one-hot value [..., K]; weights of classes (a relaxed draw) score linearly."""
    return (value * ordered_logistic_log_probs(predictor, cutpoints)).sum(-1)


def ordered_logistic_log_probs(predictor: Tensor, cutpoints: Tensor) -> Tensor:
    """log P(class k) [..., K]: predictor + logistic noise falls between cutpoints k - 1 and k (McCullagh 1980)."""
    distance = cutpoints - predictor.unsqueeze(-1)
    below, above = F.logsigmoid(distance), F.logsigmoid(-distance)
    gaps = (distance[..., 1:] - distance[..., :-1]).clamp_min(torch.finfo(distance.dtype).tiny)
    between = below[..., 1:] + above[..., :-1] + torch.log(-torch.expm1(-gaps))
    return torch.cat([below[..., :1], between, above[..., -1:]], dim=-1)


def poisson_log_prob(value: Tensor, rate: Tensor) -> Tensor:
    """log of rate^k exp(-rate) / k!."""
    return value * rate.log() - rate - torch.lgamma(value + 1)


def negative_binomial_log_prob(value: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """Counts with variance mean + mean^2 / dispersion."""
    total = value * (mean.log() - torch.log1p(mean / dispersion)) - dispersion * torch.log1p(mean / dispersion)
    return total + log_rising(dispersion, value) - torch.lgamma(value + 1)


def with_extra_zeros(log_prob: Tensor, value: Tensor, gate_logits: Tensor) -> Tensor:
    """A zero is extra with probability sigmoid(gate_logits), else the count has `log_prob`."""
    counted = F.logsigmoid(-gate_logits) + log_prob
    return torch.where(value == 0, torch.logaddexp(F.logsigmoid(gate_logits), counted), counted)


def zero_inflated_poisson_log_prob(value: Tensor, rate: Tensor, gate_logits: Tensor) -> Tensor:
    """A poisson with extra zeros."""
    return with_extra_zeros(poisson_log_prob(value, rate), value, gate_logits)


def zero_inflated_negative_binomial_log_prob(
    value: Tensor, mean: Tensor, dispersion: Tensor, gate_logits: Tensor
) -> Tensor:
    """A negative binomial with extra zeros."""
    return with_extra_zeros(negative_binomial_log_prob(value, mean, dispersion), value, gate_logits)


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
