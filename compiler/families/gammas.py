"""gamma, beta and dirichlet: gamma draws, and what is made of them, from noise that knows no parameter.

Marsaglia and Tsang (2000) propose d (1 + c n)^3 from a standard normal n, d = alpha - 1/3, c = 1 / sqrt(9 d), and
accept with probability above 0.95 for alpha >= 1. Here a fixed number of proposals is drawn beforehand and the first
accepted one is taken; all fail with probability below 1e-10. Smaller alpha: G(alpha) = G(alpha + 1) U^(1 / alpha),
kept as a logarithm, since such draws underflow. The derivative in alpha is the implicit one (Figurnov et al. 2018).

A beta's values at 0 and 1 and a dirichlet's at 0 are legal, but their density may be infinite: they are moved inwards
by half a float eps, a gamma's zeros to the smallest normal number.
"""

from typing import Any

import torch
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.fits import gamma_fit
from compiler.families.noise_kinds import GAMMA, PROPOSALS, TWO_GAMMAS
from compiler.families.numerics import above_zero, inside_unit, log_one_plus, poisson_kl, stirling_rest


def log_gamma_draw(concentration: Tensor, eps: Tensor) -> Tensor:
    """log of a Gamma(concentration, rate 1) draw; eps [..., 2 * PROPOSALS + 1] broadcasts against [...]."""
    drawn: Tensor = _StandardGamma.apply(concentration + 1, eps[..., :-1])  # type: ignore[no-untyped-call]
    return drawn.log() + eps[..., -1].log() / concentration


class _StandardGamma(torch.autograd.Function):
    """Gamma(alpha, 1) for alpha >= 1 from given proposals, with the implicit derivative in alpha."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, eps: Tensor) -> Tensor:
        normals, uniforms = eps[..., :PROPOSALS], eps[..., PROPOSALS:]
        d = (alpha - 1 / 3).unsqueeze(-1)
        cube = (1 + normals / (9 * d).sqrt()) ** 3
        positive = cube > 0
        log_cube = torch.where(positive, cube, torch.ones_like(cube)).log()
        accepted = positive & (uniforms.log() < 0.5 * normals**2 + d * (1 - cube + log_cube))
        first = accepted.to(torch.int8).argmax(-1, keepdim=True)
        drawn = torch.take_along_dim(d * cube, first, dim=-1).squeeze(-1)
        drawn = drawn.clamp_min(torch.finfo(drawn.dtype).tiny)
        ctx.save_for_backward(alpha.expand_as(drawn), drawn)
        ctx.shape = alpha.shape
        return drawn

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        alpha, drawn = ctx.saved_tensors
        slope = torch._standard_gamma_grad(alpha, drawn)
        return (gradients[0] * slope).sum_to_size(ctx.shape), None


def gamma_log_prob(value: Tensor, concentration: Tensor, rate: Tensor) -> Tensor:
    """log of rate^a x^(a - 1) exp(-rate x) / Gamma(a); zeros count as the smallest normal number.

    By how far x is from the mean (compare `counts`), so that large concentrations keep their digits.
    """
    x = above_zero(value)
    apart = rate * poisson_kl(concentration / rate, x)
    return concentration.log() - x.log() - stirling_rest(concentration) - apart


def gamma_draw(eps: Tensor, concentration: Tensor, rate: Tensor) -> Tensor:
    """Gamma draws from `gamma_noise`, differentiable in both parameters."""
    return above_zero((log_gamma_draw(concentration, eps) - rate.log()).exp())


def gamma_kl(q_concentration: Tensor, q_rate: Tensor, p_concentration: Tensor, p_rate: Tensor) -> Tensor:
    """Between two gammas, from E_q[log x] = digamma(a) - log(rate)."""
    change = torch.lgamma(p_concentration) - torch.lgamma(q_concentration)
    shape = (q_concentration - p_concentration) * torch.digamma(q_concentration)
    return shape + change - p_concentration * (p_rate / q_rate).log() + q_concentration * (p_rate / q_rate - 1)


def beta_log_prob(value: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """log of x^(a - 1) (1 - x)^(b - 1) / B(a, b); 0 and 1 are moved inwards by half a float eps.

    Its powers make (a + b) times the divergence between two shares, a / (a + b) and x.
    """
    x = inside_unit(value)
    y, total = 1 - x, a + b
    shift = (a * y - b * x) / total
    apart = a * log_one_plus(shift / x) + b * log_one_plus(-shift / y)
    rest = stirling_rest(total) - stirling_rest(a) - stirling_rest(b)
    return rest + (a / total).log() + b.log() - x.log() - y.log() - apart


def beta_draw(eps: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Beta draws g / (g + g') of two gammas; eps [..., 2, noise of a gamma]."""
    first, second = log_gamma_draw(a, eps[..., 0, :]), log_gamma_draw(b, eps[..., 1, :])
    return inside_unit(torch.sigmoid(first - second))


def beta_mode(a: Tensor, b: Tensor) -> Tensor:
    """Inside where both concentrations exceed 1, else the end with more mass (the mean where they are equal)."""
    inner = (a - 1) / (a + b - 2).clamp_min(torch.finfo(a.dtype).tiny)
    edge = torch.where(a > b, 1.0, torch.where(a < b, 0.0, 0.5)).to(a.dtype)
    return torch.where((a > 1) & (b > 1), inner, edge)


def beta_kl(q_a: Tensor, q_b: Tensor, p_a: Tensor, p_b: Tensor) -> Tensor:
    """Between two betas, from E_q[log x] = digamma(a) - digamma(a + b)."""
    q_sum, p_sum = q_a + q_b, p_a + p_b
    change = torch.lgamma(q_sum) - torch.lgamma(p_sum)
    change = change + torch.lgamma(p_a) - torch.lgamma(q_a) + torch.lgamma(p_b) - torch.lgamma(q_b)
    moments = (q_a - p_a) * torch.digamma(q_a) + (q_b - p_b) * torch.digamma(q_b)
    return change + moments - (q_sum - p_sum) * torch.digamma(q_sum)


def dirichlet_log_prob(value: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """One density for each simplex along `axis`, which keeps size 1."""
    x = value.clamp_min(torch.finfo(value.dtype).eps / 2)
    total = concentration.sum(axis, keepdim=True)
    each = concentration.log() - x.log() - stirling_rest(concentration) - poisson_kl(concentration, total * x)
    missed = total * (x.sum(axis, keepdim=True) - 1)  # shares that add up to one but for rounding
    return each.sum(axis, keepdim=True) + missed + stirling_rest(total) - total.log()


def dirichlet_draw(eps: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """Dirichlet draws along `axis`: gammas, normalised."""
    return above_zero(torch.softmax(log_gamma_draw(concentration, eps), dim=axis))


def dirichlet_mode(concentration: Tensor, axis: int) -> Tensor:
    """(a - 1) / sum(a - 1) where every a exceeds 1, else the corner (or corners) of the largest a."""
    excess = concentration - 1
    inner = excess / above_zero(excess.sum(axis, keepdim=True))
    corner = (concentration == concentration.amax(axis, keepdim=True)).to(concentration.dtype)
    corner = corner / corner.sum(axis, keepdim=True)
    return torch.where((concentration > 1).all(axis, keepdim=True), inner, corner)


def dirichlet_kl(q: Tensor, p: Tensor, axis: int) -> Tensor:
    """Between two Dirichlets along `axis`, which keeps size 1; from E_q[log x] = digamma(a) - digamma(sum a)."""
    q_sum, p_sum = q.sum(axis, keepdim=True), p.sum(axis, keepdim=True)
    each = torch.lgamma(p) - torch.lgamma(q) + (q - p) * (torch.digamma(q) - torch.digamma(q_sum))
    return torch.lgamma(q_sum) - torch.lgamma(p_sum) + each.sum(axis, keepdim=True)


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "gamma", gamma_log_prob, GAMMA, draw=gamma_draw, divergences={"gamma": gamma_kl}, fit=gamma_fit,
        mean=lambda concentration, rate: concentration / rate,
        mode=lambda concentration, rate: (concentration - 1).clamp_min(0) / rate,
    ),
    FamilyEntry(
        "beta", beta_log_prob, TWO_GAMMAS, draw=beta_draw, divergences={"beta": beta_kl},
        mean=lambda a, b: a / (a + b), mode=beta_mode,
    ),
    FamilyEntry(
        "dirichlet", dirichlet_log_prob, GAMMA, draw=dirichlet_draw, divergences={"dirichlet": dirichlet_kl},
        mean=lambda concentration, axis: concentration / concentration.sum(axis, keepdim=True), mode=dirichlet_mode,
    ),
)  # fmt: skip
