"""dirichlet: on the simplex along the first axis of the event; further axes are independent.

Zeros of legal data are moved to half a float eps, where the density may be infinite.
"""

import torch
from torch import Tensor

from compiler.families.edges import above_zero
from compiler.families.entry import FamilyEntry
from compiler.families.gamma_noise import log_gamma_draw
from compiler.families.noise_kinds import GAMMA


def dirichlet_log_prob(value: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """One density for each simplex along `axis`, which keeps size 1."""
    x = value.clamp_min(torch.finfo(value.dtype).eps / 2)
    total = torch.lgamma(concentration.sum(axis, keepdim=True))
    normaliser = total - torch.lgamma(concentration).sum(axis, keepdim=True)
    return ((concentration - 1) * x.log()).sum(axis, keepdim=True) + normaliser


def dirichlet_draw(eps: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """Dirichlet draws along `axis`: gammas, normalised."""
    return above_zero(torch.softmax(log_gamma_draw(concentration, eps), dim=axis))


def dirichlet_mean(concentration: Tensor, axis: int) -> Tensor:
    """Each concentration's share of their sum."""
    return concentration / concentration.sum(axis, keepdim=True)


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
        "dirichlet",
        log_prob=dirichlet_log_prob,
        noise_kind=GAMMA,
        mean=dirichlet_mean,
        mode=dirichlet_mode,
        draw=dirichlet_draw,
        divergences={"dirichlet": dirichlet_kl},
    ),
)
