"""student_t: Student's t with `df` degrees of freedom around a location; df comes first among the parameters."""

import math

import torch
from torch import Tensor

from compiler.families.edges import above_zero
from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import TWO_UNIFORMS


def student_t_log_prob(value: Tensor, df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Student's t with `df` degrees of freedom."""
    half, squared = 0.5 * df, ((value - loc) / scale) ** 2
    normaliser = torch.lgamma(half + 0.5) - torch.lgamma(half) - 0.5 * torch.log(math.pi * df)
    return normaliser - scale.log() - (half + 0.5) * torch.log1p(squared / df)


def standard_t(eps: Tensor, df: Tensor) -> Tensor:
    """Student's t at loc 0, scale 1 from two uniforms each [..., 2]: sqrt(df (u^(-2 / df) - 1)) cos(2 pi v).

    Bailey (1994); differentiable in df too.
    """
    radius = above_zero(eps[..., 0]).clamp_max(1 - torch.finfo(eps.dtype).eps)
    stretch = df * torch.expm1(-2 / df * radius.log())
    return stretch.sqrt() * torch.cos(2 * math.pi * eps[..., 1])


def student_t_draw(eps: Tensor, df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Draws from two uniforms each."""
    return loc + scale * standard_t(eps, df)


def student_t_mean(df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """The location, also the mode; the mean does not exist for df <= 1."""
    return loc


def student_t_carried(
    value: Tensor, df: Tensor, loc: Tensor, scale: Tensor, new_df: Tensor, new_loc: Tensor, new_scale: Tensor
) -> Tensor:
    """As many scales from the new location as `value` is from the old one, whatever the degrees of freedom."""
    return new_loc + new_scale * (value - loc) / scale


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "student_t",
        log_prob=student_t_log_prob,
        noise_kind=TWO_UNIFORMS,
        mean=student_t_mean,
        mode=student_t_mean,
        draw=student_t_draw,
        carried=student_t_carried,
    ),
)
