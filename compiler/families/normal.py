"""normal: density exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi)). lognormal: its exponential."""

import math

from torch import Tensor

from compiler.families.edges import above_zero
from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import NORMAL


def normal_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log of exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi))."""
    return -0.5 * ((value - loc) / scale) ** 2 - scale.log() - 0.5 * math.log(2 * math.pi)


def standard_normal_log_prob(value: Tensor) -> Tensor:
    """The normal density at loc 0, scale 1."""
    return -0.5 * value**2 - 0.5 * math.log(2 * math.pi)


def normal_draw(eps: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Draws from standard normal noise."""
    return loc + scale * eps


def normal_mean(loc: Tensor, scale: Tensor) -> Tensor:
    """The location, also the mode."""
    return loc


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


def lognormal_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Density of the exponential of a normal; zeros count as the smallest normal number."""
    logarithm = above_zero(value).log()
    return normal_log_prob(logarithm, loc, scale) - logarithm


def lognormal_draw(eps: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Draws from standard normal noise."""
    return (loc + scale * eps).exp()


def lognormal_mean(loc: Tensor, scale: Tensor) -> Tensor:
    """Above the median exp(loc)."""
    return (loc + 0.5 * scale**2).exp()


def lognormal_mode(loc: Tensor, scale: Tensor) -> Tensor:
    """Below the median exp(loc)."""
    return (loc - scale**2).exp()


def lognormal_carried(value: Tensor, loc: Tensor, scale: Tensor, new_loc: Tensor, new_scale: Tensor) -> Tensor:
    """The logarithm carried as a normal's value is."""
    return normal_carried(value.log(), loc, scale, new_loc, new_scale).exp()


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "normal",
        log_prob=normal_log_prob,
        noise_kind=NORMAL,
        mean=normal_mean,
        mode=normal_mean,
        draw=normal_draw,
        divergences={"normal": normal_kl},
        standard_log_prob=standard_normal_log_prob,
        standard_divergence=standard_normal_kl,
        carried=normal_carried,
        kernel="normal",
        divergence_kernel="normal_divergence",
    ),
    FamilyEntry(
        "lognormal",
        log_prob=lognormal_log_prob,
        noise_kind=NORMAL,
        mean=lognormal_mean,
        mode=lognormal_mode,
        draw=lognormal_draw,
        divergences={"lognormal": normal_kl},
        carried=lognormal_carried,
    ),
)
