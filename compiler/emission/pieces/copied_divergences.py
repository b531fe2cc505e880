"""KL(q || p) in closed form, element by element, in nats."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, distributions

from compiler.emission.pieces.copied_densities import continuous_bernoulli_log_z, continuous_bernoulli_mean


def normal_kl(q_loc: Tensor, q_scale: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
    """Between two normals, or two lognormals."""
    ratio, shift = q_scale / p_scale, (q_loc - p_loc) / p_scale
    return 0.5 * (ratio**2 + shift**2 - 1) - ratio.log()


def standard_normal_kl(loc: Tensor, scale: Tensor) -> Tensor:
    """From a normal to the standard normal."""
    return 0.5 * (scale**2 + loc**2 - 1) - scale.log()


def laplace_kl(q_loc: Tensor, q_scale: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
    """Between two Laplace distributions."""
    q, p = (distributions.Laplace(loc, scale) for loc, scale in ((q_loc, q_scale), (p_loc, p_scale)))
    return distributions.kl_divergence(q, p)


def laplace_normal_kl(q_loc: Tensor, q_scale: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
    """From a Laplace distribution to a normal."""
    return distributions.kl_divergence(distributions.Laplace(q_loc, q_scale), distributions.Normal(p_loc, p_scale))


def poisson_kl(q_rate: Tensor, p_rate: Tensor) -> Tensor:
    """Between two poissons."""
    return q_rate * (q_rate.log() - p_rate.log()) - q_rate + p_rate


def gamma_kl(q_concentration: Tensor, q_rate: Tensor, p_concentration: Tensor, p_rate: Tensor) -> Tensor:
    """Between two gammas."""
    q, p = distributions.Gamma(q_concentration, q_rate), distributions.Gamma(p_concentration, p_rate)
    return distributions.kl_divergence(q, p)


def beta_kl(q_a: Tensor, q_b: Tensor, p_a: Tensor, p_b: Tensor) -> Tensor:
    """Between two betas."""
    return distributions.kl_divergence(distributions.Beta(q_a, q_b), distributions.Beta(p_a, p_b))


def dirichlet_kl(q: Tensor, p: Tensor, axis: int) -> Tensor:
    """Between two Dirichlets along `axis`, which keeps size 1."""
    q, p = torch.broadcast_tensors(q, p)
    first, second = (distributions.Dirichlet(concentration.movedim(axis, -1)) for concentration in (q, p))
    return distributions.kl_divergence(first, second).unsqueeze(axis)


def bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """Between two Bernoullis, from their logits."""
    return torch.sigmoid(q) * (q - p) + F.softplus(p) - F.softplus(q)


def continuous_bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """Between two continuous Bernoullis, from their logits."""
    return (q - p) * continuous_bernoulli_mean(q) - continuous_bernoulli_log_z(q) + continuous_bernoulli_log_z(p)


def finite_kl(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Between two distributions over K classes, from their log probabilities [..., K]."""
    return (log_q.exp() * (log_q - log_p)).sum(-1)


def uniform_kl(log_q: Tensor) -> Tensor:
    """To the uniform distribution over K classes, from log probabilities [..., K]: log K less the entropy."""
    return (log_q.exp() * log_q).sum(-1) + math.log(log_q.shape[-1])
