"""laplace: density exp(-|x - loc| / scale) / (2 scale)."""

import math

import torch
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import UNIFORM
from compiler.families.normal import normal_carried, normal_mean


def laplace_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log of exp(-|x - loc| / scale) / (2 scale)."""
    return -(value - loc).abs() / scale - scale.log() - math.log(2)


def standard_laplace(u: Tensor) -> Tensor:
    """Laplace draws at loc 0, scale 1 from uniforms."""
    centred = u - 0.5
    return -centred.sign() * torch.log1p(-2 * centred.abs()).clamp_min(math.log(torch.finfo(u.dtype).tiny))


def laplace_draw(u: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Draws from uniforms."""
    return loc + scale * standard_laplace(u)


def laplace_kl(q_loc: Tensor, q_scale: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
    """Between two Laplace distributions: E_q |x - p_loc| = d + q_scale exp(-d / q_scale), d = |q_loc - p_loc|."""
    apart, ratio = (q_loc - p_loc).abs(), q_scale / p_scale
    return apart / p_scale + ratio * torch.exp(-apart / q_scale) - ratio.log() - 1


def laplace_normal_kl(q_loc: Tensor, q_scale: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
    """From a Laplace distribution, whose variance is 2 scale^2, to a normal."""
    ratio, shift = q_scale / p_scale, (q_loc - p_loc) / p_scale
    return ratio**2 + 0.5 * shift**2 - ratio.log() + 0.5 * math.log(0.5 * math.pi) - 1


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "laplace",
        log_prob=laplace_log_prob,
        noise_kind=UNIFORM,
        mean=normal_mean,
        mode=normal_mean,
        draw=laplace_draw,
        divergences={"laplace": laplace_kl, "normal": laplace_normal_kl},
        carried=normal_carried,
        kernel="laplace",
    ),
)
