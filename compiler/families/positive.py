"""Gamma, and dirichlet, which is made of gammas."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.families.distribution import Distribution, above_zero
from compiler.families.gamma_noise import gamma_noise, log_gamma_draw
from compiler.tensors.noise import Noise


class Gamma(Distribution):
    """Density rate^a x^(a - 1) exp(-rate x) / Gamma(a). Zeros count as the smallest normal number."""

    reparameterized = True

    @property
    def concentration(self) -> Tensor:
        """The shape a, [*lead, *shape]."""
        return self.parameters["concentration"]

    @property
    def rate(self) -> Tensor:
        """One over the scale, [*lead, *shape]."""
        return self.parameters["rate"]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        a, x = self.concentration, above_zero(value)
        return a * self.rate.log() + (a - 1) * x.log() - self.rate * x - torch.lgamma(a)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return gamma_noise(noise, name, lead, self.shape, self.like)

    def reparameterize(self, eps: Tensor) -> Tensor:
        return above_zero((log_gamma_draw(self.concentration, eps) - self.rate.log()).exp())

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return (self.concentration - 1).clamp_min(0) / self.rate


class Dirichlet(Distribution):
    """On the simplex along the first axis of the shape; further axes are independent.

    Zeros of legal data are moved to half a float eps, where the density may be infinite.
    """

    reparameterized = True

    @property
    def concentration(self) -> Tensor:
        """[*lead, *shape], positive."""
        return self.parameters["concentration"]

    @property
    def _axis(self) -> int:
        return -len(self.shape)

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """One density per simplex: the first axis of the event has size 1."""
        a, axis = self.concentration, self._axis
        x = value.clamp_min(torch.finfo(value.dtype).eps / 2)
        normaliser = torch.lgamma(a.sum(axis, keepdim=True)) - torch.lgamma(a).sum(axis, keepdim=True)
        return ((a - 1) * x.log()).sum(axis, keepdim=True) + normaliser

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return gamma_noise(noise, name, lead, self.shape, self.like)

    def reparameterize(self, eps: Tensor) -> Tensor:
        drawn = torch.softmax(log_gamma_draw(self.concentration, eps), dim=self._axis)
        return drawn.clamp_min(torch.finfo(drawn.dtype).tiny)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(self._axis, keepdim=True)

    @property
    def mode(self) -> Tensor:
        """(a - 1) / sum(a - 1) where every a exceeds 1, else the corner (or corners) of the largest a."""
        a, axis = self.concentration, self._axis
        excess = a - 1
        inner = excess / excess.sum(axis, keepdim=True).clamp_min(torch.finfo(a.dtype).tiny)
        corner = (a == a.amax(axis, keepdim=True)).to(a.dtype)
        corner = corner / corner.sum(axis, keepdim=True)
        return torch.where((a > 1).all(axis, keepdim=True), inner, corner)
