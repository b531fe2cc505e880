"""beta: density x^(a - 1) (1 - x)^(b - 1) / B(a, b), a = concentration1, b = concentration0.

Data at 0 and 1 are legal but their density may be infinite: they are moved inwards by half a float eps.
"""

import torch
from torch import Tensor

from compiler.families.edges import inside_unit
from compiler.families.entry import FamilyEntry
from compiler.families.gamma_noise import log_gamma_draw
from compiler.families.noise_kinds import TWO_GAMMAS


def beta_log_prob(value: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """log of x^(a - 1) (1 - x)^(b - 1) / B(a, b); 0 and 1 are moved inwards by half a float eps."""
    x = inside_unit(value)
    return (a - 1) * x.log() + (b - 1) * torch.log1p(-x) + torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)


def beta_draw(eps: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Beta draws g / (g + g') of two gammas; eps [..., 2, noise of a gamma]."""
    first, second = log_gamma_draw(a, eps[..., 0, :]), log_gamma_draw(b, eps[..., 1, :])
    return inside_unit(torch.sigmoid(first - second))


def beta_mean(a: Tensor, b: Tensor) -> Tensor:
    """a / (a + b)."""
    return a / (a + b)


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


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "beta",
        log_prob=beta_log_prob,
        noise_kind=TWO_GAMMAS,
        mean=beta_mean,
        mode=beta_mode,
        draw=beta_draw,
        divergences={"beta": beta_kl},
    ),
)
