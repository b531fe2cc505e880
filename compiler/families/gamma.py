"""gamma: density rate^a x^(a - 1) exp(-rate x) / Gamma(a), a = concentration."""

import torch
from torch import Tensor

from compiler.families.edges import above_zero
from compiler.families.entry import FamilyEntry
from compiler.families.gamma_noise import log_gamma_draw
from compiler.families.noise_kinds import GAMMA


def gamma_log_prob(value: Tensor, concentration: Tensor, rate: Tensor) -> Tensor:
    """log of rate^a x^(a - 1) exp(-rate x) / Gamma(a); zeros count as the smallest normal number."""
    x = above_zero(value)
    return concentration * rate.log() + (concentration - 1) * x.log() - rate * x - torch.lgamma(concentration)


def gamma_draw(eps: Tensor, concentration: Tensor, rate: Tensor) -> Tensor:
    """Gamma draws from `gamma_proposals`, differentiable in both parameters."""
    return above_zero((log_gamma_draw(concentration, eps) - rate.log()).exp())


def gamma_mean(concentration: Tensor, rate: Tensor) -> Tensor:
    """a / rate."""
    return concentration / rate


def gamma_mode(concentration: Tensor, rate: Tensor) -> Tensor:
    """Zero up to a = 1."""
    return (concentration - 1).clamp_min(0) / rate


def gamma_kl(q_concentration: Tensor, q_rate: Tensor, p_concentration: Tensor, p_rate: Tensor) -> Tensor:
    """Between two gammas, from E_q[log x] = digamma(a) - log(rate)."""
    change = torch.lgamma(p_concentration) - torch.lgamma(q_concentration)
    shape = (q_concentration - p_concentration) * torch.digamma(q_concentration)
    return shape + change - p_concentration * (p_rate / q_rate).log() + q_concentration * (p_rate / q_rate - 1)


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "gamma",
        log_prob=gamma_log_prob,
        noise_kind=GAMMA,
        mean=gamma_mean,
        mode=gamma_mode,
        draw=gamma_draw,
        divergences={"gamma": gamma_kl},
    ),
)
