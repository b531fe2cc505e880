"""normal, lognormal, laplace, student_t: a location, a scale, and noise that knows neither."""

import math

import torch
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.fits import laplace_fit, lognormal_fit, normal_fit, student_t_fit
from compiler.families.noise_kinds import NORMAL, TWO_UNIFORMS, UNIFORM
from compiler.families.numerics import above_zero, half_step


def normal_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log of exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi))."""
    return -0.5 * ((value - loc) / scale) ** 2 - scale.log() - 0.5 * math.log(2 * math.pi)


def standard_normal_log_prob(value: Tensor) -> Tensor:
    """The normal density at loc 0, scale 1."""
    return -0.5 * value**2 - 0.5 * math.log(2 * math.pi)


def normal_draw(eps: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Draws from standard normal noise."""
    return loc + scale * eps


def normal_kl(q_loc: Tensor, q_scale: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
    """Between two normals, or two lognormals."""
    ratio, shift = q_scale / p_scale, (q_loc - p_loc) / p_scale
    return 0.5 * (ratio**2 + shift**2 - 1) - ratio.log()


def standard_normal_kl(loc: Tensor, scale: Tensor) -> Tensor:
    """From a normal to the standard normal."""
    return 0.5 * (scale**2 + loc**2 - 1) - scale.log()


def normal_carried(value: Tensor, loc: Tensor, scale: Tensor, new_loc: Tensor, new_scale: Tensor) -> Tensor:
    """As many scales from the new location as `value` is from the old one."""
    return new_loc + new_scale * (value - loc) / scale


def lognormal_carried(value: Tensor, loc: Tensor, scale: Tensor, new_loc: Tensor, new_scale: Tensor) -> Tensor:
    """The same of the logarithm."""
    return normal_carried(value.log(), loc, scale, new_loc, new_scale).exp()


def student_t_carried(
    value: Tensor, df: Tensor, loc: Tensor, scale: Tensor, new_df: Tensor, new_loc: Tensor, new_scale: Tensor
) -> Tensor:
    """The same, the noise in units of the scale."""
    return normal_carried(value, loc, scale, new_loc, new_scale)


def lognormal_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Density of the exponential of a normal; zeros count as the smallest normal number."""
    logarithm = above_zero(value).log()
    return normal_log_prob(logarithm, loc, scale) - logarithm


def lognormal_draw(eps: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Draws from standard normal noise."""
    return torch.exp(loc + scale * eps)


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


def student_t_log_prob(value: Tensor, df: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Student's t with `df` degrees of freedom."""
    half, squared = 0.5 * df, ((value - loc) / scale) ** 2
    normaliser = half_step(half) - 0.5 * math.log(2 * math.pi)
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


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "normal", normal_log_prob, NORMAL, draw=normal_draw, carried=normal_carried,
        mean=lambda loc, scale: loc, mode=lambda loc, scale: loc,
        divergences={"normal": normal_kl},
        standard_log_prob=standard_normal_log_prob, standard_divergence=standard_normal_kl, fit=normal_fit,
    ),
    FamilyEntry(
        "lognormal", lognormal_log_prob, NORMAL, draw=lognormal_draw,
        carried=lognormal_carried,
        mean=lambda loc, scale: (loc + 0.5 * scale**2).exp(), mode=lambda loc, scale: (loc - scale**2).exp(),
        divergences={"lognormal": normal_kl}, fit=lognormal_fit,
    ),
    FamilyEntry(
        "laplace", laplace_log_prob, UNIFORM, draw=laplace_draw, carried=normal_carried,
        mean=lambda loc, scale: loc, mode=lambda loc, scale: loc,
        divergences={"laplace": laplace_kl, "normal": laplace_normal_kl}, fit=laplace_fit,
    ),
    FamilyEntry(
        "student_t", student_t_log_prob, TWO_UNIFORMS, draw=student_t_draw,
        carried=student_t_carried,
        mean=lambda df, loc, scale: loc, mode=lambda df, loc, scale: loc, fit=student_t_fit,
    ),
)  # fmt: skip
"""The mean of student_t is its location, also for df <= 1, where no mean exists."""
