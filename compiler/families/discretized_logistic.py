"""discretized_logistic: equally spaced values in [0, 1], each with the mass of a logistic around it.

`levels` values 0, 1 / (levels - 1), ..., 1; a value between two of them counts as the nearer one. The bins are as wide
as the spacing and centred on the values; the first and the last reach to infinity (PixelCNN++, Salimans et al. 2017),
so the probabilities sum to one.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import UNIFORM


def discretized_logistic_log_prob(value: Tensor, loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """Mass of a logistic in the bin around the nearest of `levels` values in [0, 1]; the end bins are open.

    sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)) between a bin's ends a < b.
    """
    steps = levels - 1
    level = (value * steps).round()
    width = 1 / (steps * scale)
    centre = (level / steps - loc) / scale
    below, above = F.logsigmoid(centre + 0.5 * width), F.logsigmoid(0.5 * width - centre)
    within = torch.log(-torch.expm1(-width))
    return torch.where(level <= 0, below, torch.where(level >= steps, above, below + above + within))


def nearest_level(value: Tensor, levels: int) -> Tensor:
    """Of `levels` values in [0, 1]."""
    return (value.clamp(0, 1) * (levels - 1)).round() / (levels - 1)


def discretized_logistic_draw(u: Tensor, loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """The nearest of `levels` values to a logistic draw."""
    return nearest_level(loc + scale * torch.logit(u), levels)


def discretized_logistic_mean(loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """(1 / steps) sum_j P(level >= j), level j beginning half a step below its value."""
    steps = levels - 1
    total = torch.zeros_like(loc + scale)
    for j in range(1, steps + 1):
        total = total + torch.sigmoid((loc - (j - 0.5) / steps) / scale)
    return total / steps


def discretized_logistic_mode(loc: Tensor, scale: Tensor, levels: int) -> Tensor:
    """The level nearest to the centre, or an end, whose open bin may hold more."""
    nearest = nearest_level(loc, levels)
    candidates = [nearest.expand_as(loc + scale), torch.zeros_like(loc + scale), torch.ones_like(loc + scale)]
    scores = [discretized_logistic_log_prob(candidate, loc, scale, levels) for candidate in candidates]
    best = torch.stack(scores).argmax(0, keepdim=True)
    return torch.take_along_dim(torch.stack(candidates), best, dim=0).squeeze(0)


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "discretized_logistic",
        log_prob=discretized_logistic_log_prob,
        noise_kind=UNIFORM,
        mean=discretized_logistic_mean,
        mode=discretized_logistic_mode,
        sample=discretized_logistic_draw,
    ),
)
