"""von Mises-Fisher: directions around a mean direction, in any dimension from two on."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.families.distribution import Distribution
from compiler.families.sphere import excess, log_area, polar_angle, shortfall
from compiler.tensors.noise import Noise


class VonMisesFisher(Distribution):
    """Unit vectors along the first axis of the shape, density proportional to exp(concentration * loc . x).

    Further axes of the shape are independent. loc [*lead, *shape], unit vectors; concentration [*lead, 1, *rest], one
    per vector (or size 1 where vectors share it), at least 0 (0: uniform over the sphere). Densities are with respect
    to the sphere's area.
    Source: Mardia and Jupp, Directional Statistics (2000), 9.3.
    """

    reparameterized = True

    def _spread_event(self, name: str, value: Tensor, rank: int) -> Tensor:
        """The concentration stays as it is: what is computed from it alone is computed once."""
        if name != "concentration":
            return super()._spread_event(name, value, rank)
        assert value.dim() > rank, f"the concentration {tuple(value.shape)} has no batch before event {self.shape}"
        return value

    @property
    def loc(self) -> Tensor:
        """Mean direction, [*lead, *shape]."""
        return self.parameters["loc"]

    @property
    def concentration(self) -> Tensor:
        """[*lead, 1, *rest]."""
        return self.parameters["concentration"]

    @property
    def dimension(self) -> int:
        """Components of a vector."""
        return self.shape[0]

    @property
    def _axis(self) -> int:
        return -len(self.shape)

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """One density per vector: the first axis of the event has size 1.

        k loc.x - M(k) is written (k - M(k)) - k |x - loc|^2 / 2, which loses no digits where k is large.
        """
        apart = 0.5 * ((value - self.loc) ** 2).sum(self._axis, keepdim=True)
        return excess(self.concentration, self.dimension) - self.concentration * apart - log_area(self.dimension)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """[*lead, B, *shape]: along the first axis one uniform (how far from loc), then normals (which way)."""
        dtype, rest = self.like.dtype, self.shape[1:]
        share = noise.uniform(f"{name}.angle", lead, (1, *rest), dtype)
        way = noise.normal(f"{name}.way", lead, (self.dimension - 1, *rest), dtype)
        return torch.cat([share, way], dim=self._axis).to(self.like.device)

    def reparameterize(self, eps: Tensor) -> Tensor:
        """A vector at the drawn angle to a pole of the first component, reflected so that this pole falls on loc.

        Of the two poles the one farther from loc is taken, so that the reflection never comes near its singular point
        and gradients in loc stay bounded.
        """
        axis, loc = self._axis, self.loc
        share, way = eps.narrow(axis, 0, 1), eps.narrow(axis, 1, self.dimension - 1)
        angle = polar_angle(self.concentration, share, self.dimension)
        first = loc.narrow(axis, 0, 1)
        sign = torch.where(first.detach() < 0, -1.0, 1.0).to(loc.dtype)
        length = torch.linalg.vector_norm(way, dim=axis, keepdim=True).clamp_min(torch.finfo(way.dtype).tiny)
        around = torch.sin(angle) * (way / length)
        vector = torch.cat([(-sign * torch.cos(angle)).expand_as(around.narrow(axis, 0, 1)), around], dim=axis)
        mirror = torch.cat([first + sign, loc.narrow(axis, 1, self.dimension - 1)], dim=axis)
        along = (mirror * vector).sum(axis, keepdim=True) / (1 + first * sign)
        return vector - along * mirror

    @property
    def mean(self) -> Tensor:
        """The mean direction: of unit length, unlike the vector E[x]; at concentration 0 it carries no meaning."""
        return self.loc.expand(*self.lead, *self.shape)

    @property
    def mode(self) -> Tensor:
        return self.mean


def direction_divergence(q: VonMisesFisher, p: VonMisesFisher) -> Tensor:
    """KL(q || p) per vector, [*lead, 1, *rest]; p uniform at concentration 0.

    E_q[log q - log p] with E_q[x] = A(k_q) loc_q, gathered so that only small differences are taken.
    """
    dimension, rank = q.dimension, len(q.shape)
    short = shortfall(q.concentration, dimension)
    apart = 0.5 * ((q.loc - p.loc) ** 2).sum(-rank, keepdim=True)
    change = excess(q.concentration, dimension) - excess(p.concentration, dimension)
    return change + (p.concentration - q.concentration) * short + p.concentration * (1 - short) * apart
