"""von Mises-Fisher: unit vectors along an axis of the event around a mean direction (Mardia and Jupp 2000, 9.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.emission.pieces.copied_draws import standard_normal, uniform
from compiler.families.sphere import excess, log_area, polar_angle, shortfall


def von_mises_fisher_log_prob(value: Tensor, loc: Tensor, concentration: Tensor, axis: int) -> Tensor:
    """log density with respect to the sphere's area, one per vector: `axis` keeps size 1."""
    dimension = loc.shape[axis]
    apart = 0.5 * ((value - loc) ** 2).sum(axis, keepdim=True)
    return excess(concentration, dimension) - concentration * apart - log_area(dimension)


def von_mises_fisher_kl(
    q_loc: Tensor, q_concentration: Tensor, p_loc: Tensor, p_concentration: Tensor, axis: int
) -> Tensor:
    """Between two von Mises-Fisher distributions, one per vector: `axis` keeps size 1."""
    dimension = q_loc.shape[axis]
    short = shortfall(q_concentration, dimension)
    apart = 0.5 * ((q_loc - p_loc) ** 2).sum(axis, keepdim=True)
    change = excess(q_concentration, dimension) - excess(p_concentration, dimension)
    return change + (p_concentration - q_concentration) * short + p_concentration * (1 - short) * apart


def sphere_noise(shape: Sequence[int], axis: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Along `axis` one uniform (how far from the mean direction), then normals (which way)."""
    sizes = list(shape)
    sizes[axis] = 1
    share = uniform(sizes, like, generator)
    sizes[axis] = shape[axis] - 1
    return torch.cat([share, standard_normal(sizes, like, generator)], dim=axis)


def von_mises_fisher_draw(loc: Tensor, concentration: Tensor, eps: Tensor, axis: int) -> Tensor:
    """Draws from `sphere_noise`: a vector at the drawn angle to a pole, reflected so that the pole falls on `loc`."""
    dimension = loc.shape[axis]
    share, way = eps.narrow(axis, 0, 1), eps.narrow(axis, 1, dimension - 1)
    angle = polar_angle(concentration, share, dimension)
    first = loc.narrow(axis, 0, 1)
    sign = torch.where(first.detach() < 0, -1.0, 1.0).to(loc.dtype)
    length = torch.linalg.vector_norm(way, dim=axis, keepdim=True).clamp_min(torch.finfo(way.dtype).tiny)
    around = torch.sin(angle) * (way / length)
    vector = torch.cat([(-sign * torch.cos(angle)).expand_as(around.narrow(axis, 0, 1)), around], dim=axis)
    mirror = torch.cat([first + sign, loc.narrow(axis, 1, dimension - 1)], dim=axis)
    along = (mirror * vector).sum(axis, keepdim=True) / (1 + first * sign)
    return vector - along * mirror
