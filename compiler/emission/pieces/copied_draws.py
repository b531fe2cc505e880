"""Draws as functions of noise, noise from an explicit generator, links, values of discrete variables."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.gamma_noise import PROPOSALS, log_gamma_draw
from compiler.families.quantiles import poisson_quantile
from compiler.families.unit import inverse_series


def standard_normal(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal draws, of the dtype and on the device of `like`."""
    return torch.randn(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)


def uniform(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform draws in (0, 1), of the dtype and on the device of `like`."""
    drawn = torch.rand(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)
    return drawn.clamp_min(torch.finfo(like.dtype).tiny)


def gumbel(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gumbel draws: the class with the largest log probability + draw is a sample."""
    return -(-uniform(shape, like, generator).log()).log()


def gamma_proposals(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """[*shape, 2 * PROPOSALS + 1]: normals to propose, uniforms to accept, one uniform for the power."""
    normals = standard_normal((*shape, PROPOSALS), like, generator)
    return torch.cat([normals, uniform((*shape, PROPOSALS + 1), like, generator)], dim=-1)


def gamma_draw(concentration: Tensor, rate: Tensor, eps: Tensor) -> Tensor:
    """Gamma draws from `gamma_proposals`, differentiable in both parameters."""
    drawn = (log_gamma_draw(concentration, eps) - rate.log()).exp()
    return drawn.clamp_min(torch.finfo(drawn.dtype).tiny)


def count_noise(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """[*shape, 2 + gamma noise]: a uniform for the count, one for an extra zero, what draws the rate."""
    uniforms = uniform((*shape, 2), like, generator)
    return torch.cat([uniforms, gamma_proposals(shape, like, generator)], dim=-1)


def bernoulli_draw(logits: Tensor, u: Tensor) -> Tensor:
    """Zero or one."""
    return (logits + torch.logit(u) > 0).to(logits.dtype)


def poisson_draw(rate: Tensor, eps: Tensor) -> Tensor:
    """A count; eps [..., 2]."""
    return poisson_quantile(rate, eps[..., 0])


def negative_binomial_draw(mean: Tensor, dispersion: Tensor, eps: Tensor) -> Tensor:
    """A poisson whose rate is a gamma draw; eps from `count_noise`."""
    rate = (log_gamma_draw(dispersion, eps[..., 2:]) + (mean / dispersion).log()).exp()
    return poisson_quantile(rate, eps[..., 0])


def zero_inflated_poisson_draw(rate: Tensor, gate_logits: Tensor, eps: Tensor) -> Tensor:
    """A count or an extra zero; eps from `count_noise`."""
    return poisson_draw(rate, eps) * (torch.logit(eps[..., 1]) > gate_logits)


def zero_inflated_negative_binomial_draw(mean: Tensor, dispersion: Tensor, gate_logits: Tensor, eps: Tensor) -> Tensor:
    """A count or an extra zero; eps from `count_noise`."""
    return negative_binomial_draw(mean, dispersion, eps) * (torch.logit(eps[..., 1]) > gate_logits)


def discretized_logistic_draw(loc: Tensor, scale: Tensor, u: Tensor, levels: int) -> Tensor:
    """The nearest of `levels` values in [0, 1] to a logistic draw."""
    return ((loc + scale * torch.logit(u)).clamp(0, 1) * (levels - 1)).round() / (levels - 1)


def beta_draw(a: Tensor, b: Tensor, eps: Tensor) -> Tensor:
    """Beta draws g / (g + g') of two gammas; eps [..., n, 2, noise]."""
    half = torch.finfo(a.dtype).eps / 2
    drawn = torch.sigmoid(log_gamma_draw(a, eps[..., 0, :]) - log_gamma_draw(b, eps[..., 1, :]))
    return drawn.clamp(half, 1 - half)


def dirichlet_draw(concentration: Tensor, eps: Tensor, axis: int) -> Tensor:
    """Dirichlet draws along `axis`: gammas, normalised."""
    drawn = torch.softmax(log_gamma_draw(concentration, eps), dim=axis)
    return drawn.clamp_min(torch.finfo(drawn.dtype).tiny)


def standard_laplace(u: Tensor) -> Tensor:
    """Laplace draws at loc 0, scale 1 from uniforms."""
    centred = u - 0.5
    return -centred.sign() * torch.log1p(-2 * centred.abs()).clamp_min(math.log(torch.finfo(u.dtype).tiny))


def standard_t(eps: Tensor, df: Tensor) -> Tensor:
    """Student's t at loc 0, scale 1 from two uniforms each [..., 2] (Bailey 1994)."""
    finfo = torch.finfo(eps.dtype)
    radius, angle = eps[..., 0].clamp(finfo.tiny, 1 - finfo.eps), eps[..., 1]
    return (df * torch.expm1(-2 / df * radius.log())).sqrt() * torch.cos(2 * math.pi * angle)


def continuous_bernoulli_draw(logits: Tensor, u: Tensor) -> Tensor:
    """The inverse distribution function log(1 + u (e^l - 1)) / l; its expansion in l near zero."""
    logits, u = torch.broadcast_tensors(logits, u)
    near = logits.abs() < (0.1 if logits.dtype == torch.float32 else 5e-3)
    far = torch.where(near, torch.ones_like(logits), logits)
    negative, mass = -far.abs(), torch.where(far > 0, 1 - u, u)
    low = torch.log1p(mass * torch.expm1(negative)) / negative
    outside = torch.where(far > 0, 1 - low, low)
    inside = inverse_series(u, torch.where(near, logits, torch.zeros_like(logits)))
    return torch.where(near, inside, outside).clamp(0, 1)


def likeliest(log_probs: Tensor, budget: int, gumbel_noise: Tensor) -> tuple[Tensor, Tensor]:
    """The `budget` likeliest classes and a draw from the others, which stands for them (Liu et al. 2019).

    Returns indices [..., budget + 1] and log weights, which sum to one; the draw's weight is that of all others in
    value, and has the gradient of its own log probability.
    """
    log_probs = log_probs.expand(torch.broadcast_shapes(log_probs.shape, gumbel_noise.shape))
    top = log_probs.topk(budget, dim=-1).indices
    rest = log_probs.scatter(-1, top, -torch.inf)
    drawn = (rest.detach() + gumbel_noise).argmax(-1, keepdim=True)
    picked = log_probs.gather(-1, drawn)
    weight = torch.logsumexp(rest.detach(), dim=-1, keepdim=True) + picked - picked.detach()
    return torch.cat([top, drawn], dim=-1), torch.cat([log_probs.gather(-1, top), weight], dim=-1)


def hardened(soft: Tensor) -> Tensor:
    """Straight through: the likeliest class in value, the relaxed draw [..., K] in gradient."""
    hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return soft + (hard - soft).detach()


def rounded(soft: Tensor) -> Tensor:
    """Straight through: zero or one in value, the relaxed draw in gradient."""
    return soft + ((soft > 0.5).to(soft.dtype) - soft).detach()


def one_hot(index: Tensor, classes: int, like: Tensor) -> Tensor:
    """[..., classes], of the dtype of `like`. A blank (-1 or NaN) stands as class 0: nothing reads it."""
    return F.one_hot(index.long().clamp_min(0), classes).to(like.dtype)


def every_value(choices: int, shape: Sequence[int]) -> Tensor:
    """Every joint index of the elements: [choices ** elements, 1, *shape]."""
    axes = [torch.arange(choices)] * math.prod(shape)
    return torch.cartesian_prod(*axes).reshape(-1, 1, *shape)


def signed_log1p(value: Tensor) -> Tensor:
    """log(1 + v) for counts and positive numbers; odd below zero."""
    return value.sign() * value.abs().log1p()


def expected_log1p(weights: Tensor, minimum: int) -> Tensor:
    """The mean of log(1 + count) under weights [..., K] of the counts minimum, minimum + 1, ..."""
    counts = torch.arange(weights.shape[-1], dtype=weights.dtype, device=weights.device) + minimum
    return weights @ signed_log1p(counts)


def positive(raw: Tensor, at_zero: float, floor: float) -> Tensor:
    """Softplus, shifted so that 0 gives `at_zero`; never below `floor`."""
    above = at_zero - floor
    return F.softplus(raw + (above if above > 30 else math.log(math.expm1(above)))) + floor


def rising(raw: Tensor, floor: float) -> Tensor:
    """K - 1 rising cutpoints: the first is free, each gap a softplus; zeros give equally likely classes."""
    classes = raw.shape[-1] + 1
    even = [math.log(k / (classes - k)) for k in range(1, classes)]
    gaps = [math.log(math.expm1(b - a - floor)) for a, b in pairwise(even)]
    first = raw[..., :1] + even[0]
    steps = F.softplus(raw[..., 1:] + raw.new_tensor(gaps)) + floor
    return torch.cat([first, first + steps.cumsum(-1)], dim=-1)


def direction(raw: Tensor, axis: int) -> Tensor:
    """Unit vectors along `axis` (negative); zeros give the first unit vector."""
    unit = raw.new_zeros(raw.shape[axis])
    unit[0] = 1.0
    return F.normalize(raw + unit.reshape(-1, *(1,) * (-axis - 1)), dim=axis)


def logits_of(probs: Tensor, margin: float) -> Tensor:
    """Log odds of probabilities, which are moved away from 0 and 1 by `margin`."""
    return torch.logit(probs.clamp(margin, 1 - max(margin, torch.finfo(probs.dtype).eps / 2)))


def inside(value: Tensor, minimum: float | None = None, maximum: float | None = None) -> Tensor:
    """Moved inside an open range by one float eps."""
    eps = torch.finfo(value.dtype).eps
    low = None if minimum is None else minimum + eps
    return value.clamp(low, None if maximum is None else maximum - eps)
