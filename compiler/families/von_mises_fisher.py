"""von_mises_fisher: directions around a mean direction, in any dimension from two on.

Unit vectors along the first axis of the event, density proportional to exp(concentration * loc . x) with respect to the
sphere's area; further axes are independent. loc: unit vectors; concentration: one per vector, at least 0 (0: uniform).
Source: Mardia and Jupp, Directional Statistics (2000), 9.3.
"""

import torch
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import SPHERE
from compiler.families.numerics import above_zero
from compiler.families.sphere import excess, log_area, polar_angle, shortfall
from compiler.tensors.broadcasting import broadcast_pair


def von_mises_fisher_log_prob(value: Tensor, loc: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """log density with respect to the sphere's area, one per vector: `axis` keeps size 1.

    k loc.x - M(k) is written (k - M(k)) - k |x - loc|^2 / 2, which loses no digits where k is large.
    """
    dimension = loc.shape[axis]
    apart = 0.5 * ((value - loc) ** 2).sum(axis, keepdim=True)
    return excess(concentration, dimension) - concentration * apart - log_area(dimension)


def von_mises_fisher_draw(eps: Tensor, loc: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """Draws from `sphere_noise`: a vector at the drawn angle to a pole, reflected so that the pole falls on `loc`.

    Of the two poles of the first component the one farther from loc is taken, so that the reflection never comes near
    its singular point and gradients in loc stay bounded.
    """
    dimension = loc.shape[axis]
    share, way = eps.narrow(axis, 0, 1), eps.narrow(axis, 1, dimension - 1)
    angle = polar_angle(concentration, share, dimension)
    first = loc.narrow(axis, 0, 1)
    sign = torch.where(first.detach() < 0, -1.0, 1.0).to(loc.dtype)
    length = above_zero(torch.linalg.vector_norm(way, dim=axis, keepdim=True))
    around = torch.sin(angle) * (way / length)
    around, pole = broadcast_pair(around, -sign * torch.cos(angle))
    vector = torch.cat([pole.narrow(axis, 0, 1), around], dim=axis)
    mirror = torch.cat([first + sign, loc.narrow(axis, 1, dimension - 1)], dim=axis)
    along = (mirror * vector).sum(axis, keepdim=True) / (1 + first * sign)
    return vector - along * mirror


def von_mises_fisher_kl(
    q_loc: Tensor, q_concentration: Tensor, p_loc: Tensor, p_concentration: Tensor, axis: int
) -> Tensor:
    """Between two von Mises-Fisher distributions, one per vector: `axis` keeps size 1. p is uniform at 0.

    E_q[log q - log p] with E_q[x] = A(k_q) loc_q, gathered so that only small differences are taken.
    """
    dimension = q_loc.shape[axis]
    short = shortfall(q_concentration, dimension)
    apart = 0.5 * ((q_loc - p_loc) ** 2).sum(axis, keepdim=True)
    change = excess(q_concentration, dimension) - excess(p_concentration, dimension)
    return change + (p_concentration - q_concentration) * short + p_concentration * (1 - short) * apart


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "von_mises_fisher", von_mises_fisher_log_prob, SPHERE, draw=von_mises_fisher_draw,
        mean=lambda loc, concentration: loc, mode=lambda loc, concentration: loc,
        divergences={"von_mises_fisher": von_mises_fisher_kl},
    ),
)  # fmt: skip
"""The mean is the mean direction: of unit length, unlike the vector E[x]; at concentration 0 it carries no meaning."""
