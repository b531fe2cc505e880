"""Closed-form KL(q || p), element by element, then summed over the event."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Beta as TorchBeta
from torch.distributions import Dirichlet as TorchDirichlet
from torch.distributions import Gamma as TorchGamma
from torch.distributions import Laplace as TorchLaplace
from torch.distributions import Normal as TorchNormal
from torch.distributions import kl_divergence

from compiler.families.counts import Poisson
from compiler.families.direction import VonMisesFisher, direction_divergence
from compiler.families.distribution import Distribution, sum_event
from compiler.families.finite import Bernoulli, Categorical, OrderedLogistic
from compiler.families.location_scale import Laplace, LogNormal, Normal
from compiler.families.positive import Dirichlet, Gamma
from compiler.families.unit import Beta, ContinuousBernoulli
from compiler.kernels import fused_density


def closed_kl(q: Distribution, p: Distribution) -> Tensor:
    """KL(q || p) in nats, [*lead] (both sides' leads broadcast; align their axes first).

    Raises NotImplementedError for a pair without a closed form: `Family.closed_kl` lists those that have one.
    """
    if type(q) is type(p) and isinstance(q, Normal) and isinstance(p, Normal):
        inputs = [side.stored[name] for side in (q, p) for name in ("loc", "scale")]
        summed = fused_density("normal_divergence", inputs, len(q.shape))
        if summed is not None:
            return summed
    return sum_event(closed_kl_each(q, p), len(q.shape))


def closed_kl_each(q: Distribution, p: Distribution) -> Tensor:
    """KL(q || p) of each element of the event, [*lead, *shape] (multivariate: size 1 along the dependent axis)."""
    divergence = _PAIRS.get((type(q), type(p)))
    if divergence is None:
        raise NotImplementedError(f"no closed-form KL from {type(q).__name__} to {type(p).__name__}")
    assert q.shape == p.shape, f"events differ: {q.shape} and {p.shape}"
    return divergence(q, p)


def _normal(q: Normal, p: Normal) -> Tensor:
    ratio = q.scale / p.scale
    shift = (q.loc - p.loc) / p.scale
    return 0.5 * (ratio**2 + shift**2 - 1) - ratio.log()


def _finite(q: Distribution, p: Distribution) -> Tensor:
    """sum_k q_k (log q_k - log p_k), never inf - inf: logits are finite."""
    log_q = q.log_probs()
    return (log_q.exp() * (log_q - p.log_probs())).sum(-1)


def _bernoulli(q: Bernoulli, p: Bernoulli) -> Tensor:
    """q1 (l_q - l_p) + softplus(l_p) - softplus(l_q)."""
    softplus = torch.nn.functional.softplus
    return q.mean * (q.logits - p.logits) + softplus(p.logits) - softplus(q.logits)


def _continuous_bernoulli(q: ContinuousBernoulli, p: ContinuousBernoulli) -> Tensor:
    """An exponential family: (l_q - l_p) E_q[x] - log Z(l_q) + log Z(l_p)."""
    return (q.logits - p.logits) * q.mean - q.log_normaliser() + p.log_normaliser()


def _poisson(q: Poisson, p: Poisson) -> Tensor:
    return q.rate * (q.rate.log() - p.rate.log()) - q.rate + p.rate


def _gamma(q: Gamma, p: Gamma) -> Tensor:
    return kl_divergence(_torch_gamma(q), _torch_gamma(p))


def _torch_gamma(d: Gamma) -> TorchGamma:
    return TorchGamma(d.concentration, d.rate, validate_args=False)


def _beta(q: Beta, p: Beta) -> Tensor:
    return kl_divergence(
        TorchBeta(*q.concentrations, validate_args=False), TorchBeta(*p.concentrations, validate_args=False)
    )


def _laplace(q: Laplace, p: Laplace) -> Tensor:
    return kl_divergence(
        TorchLaplace(q.loc, q.scale, validate_args=False), TorchLaplace(p.loc, p.scale, validate_args=False)
    )


def _laplace_normal(q: Laplace, p: Normal) -> Tensor:
    return kl_divergence(
        TorchLaplace(q.loc, q.scale, validate_args=False), TorchNormal(p.loc, p.scale, validate_args=False)
    )


def _dirichlet(q: Dirichlet, p: Dirichlet) -> Tensor:
    """torch keeps the dependent axis last; here it is the event's first, kept with size 1 in the result."""
    rank = len(q.shape)
    return kl_divergence(
        TorchDirichlet(q.concentration.movedim(-rank, -1), validate_args=False),
        TorchDirichlet(p.concentration.movedim(-rank, -1), validate_args=False),
    ).unsqueeze(-rank if rank > 1 else -1)


_FINITE: tuple[type[Distribution], ...] = (Categorical, OrderedLogistic)
_PAIRS: dict[tuple[type[Distribution], type[Distribution]], Callable[..., Tensor]] = {
    (Normal, Normal): _normal,
    (LogNormal, LogNormal): _normal,
    (Laplace, Laplace): _laplace,
    (Laplace, Normal): _laplace_normal,
    (Gamma, Gamma): _gamma,
    (Beta, Beta): _beta,
    (Bernoulli, Bernoulli): _bernoulli,
    (ContinuousBernoulli, ContinuousBernoulli): _continuous_bernoulli,
    (Poisson, Poisson): _poisson,
    (Dirichlet, Dirichlet): _dirichlet,
    (VonMisesFisher, VonMisesFisher): direction_divergence,
    **{(q, p): _finite for q in _FINITE for p in _FINITE},
}
