"""Densities on [0, 1]: continuous_bernoulli (Loaiza-Ganem and Cunningham 2019) and beta."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.families.distribution import Distribution, inside_unit
from compiler.families.gamma_noise import gamma_noise, log_gamma_draw
from compiler.families.series import langevin, log_sinhc
from compiler.tensors.broadcasting import broadcast_pair
from compiler.tensors.noise import Noise


class ContinuousBernoulli(Distribution):
    """Density proportional to p^x (1 - p)^(1 - x), l = log p - log(1 - p) its logits; logits 0 is uniform.

    An exponential family: exp(l x) / Z(l) with log Z(l) = l / 2 + A(l / 2), A(h) = log(sinh(h) / h).
    """

    reparameterized = True

    @property
    def logits(self) -> Tensor:
        """The natural parameter, [*lead, *shape]."""
        return self.parameters["logits"]

    def log_normaliser(self) -> Tensor:
        """log of the integral of exp(logits x) over [0, 1]."""
        return 0.5 * self.logits + log_sinhc(0.5 * self.logits)

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        return value * self.logits - self.log_normaliser()

    def reparameterize(self, eps: Tensor) -> Tensor:
        """The inverse distribution function log(1 + u (e^l - 1)) / l; its expansion in l near zero."""
        logits, u = broadcast_pair(self.logits, eps)
        near = logits.abs() < (0.1 if logits.dtype == torch.float32 else 5e-3)
        far = torch.where(near, torch.ones_like(logits), logits)
        rising = far > 0
        negative, mass = -far.abs(), torch.where(rising, 1 - u, u)
        low = torch.log1p(mass * torch.expm1(negative)) / negative
        outside = torch.where(rising, 1 - low, low)
        inside = inverse_series(u, torch.where(near, logits, torch.zeros_like(logits)))
        return torch.where(near, inside, outside).clamp(0, 1)

    @property
    def mean(self) -> Tensor:
        return 0.5 + 0.5 * langevin(0.5 * self.logits)

    @property
    def mode(self) -> Tensor:
        """The density rises or falls throughout: an end of the interval."""
        return (self.logits > 0).to(self.logits.dtype)


def inverse_series(u: Tensor, logits: Tensor) -> Tensor:
    """log(1 + u (e^l - 1)) / l = sum_n kappa_n l^(n-1) / n!, kappa_n the cumulants of a bernoulli(u)."""
    v, skew = u * (1 - u), 1 - 2 * u
    cumulants = (u, v, v * skew, v * (1 - 6 * v), v * skew * (1 - 12 * v), v * (1 - 30 * v + 120 * v**2))
    total = torch.zeros_like(u)
    for n, cumulant in reversed(list(enumerate(cumulants))):
        total = total * logits + cumulant / math.factorial(n + 1)
    return total


class Beta(Distribution):
    """Density x^(a - 1) (1 - x)^(b - 1) / B(a, b), a = concentration1, b = concentration0.

    Data at 0 and 1 are legal but their density may be infinite: they are moved inwards by half a float eps. Draws are
    g1 / (g1 + g0) of two gammas (see `gamma_noise`).
    """

    reparameterized = True

    @property
    def concentrations(self) -> tuple[Tensor, Tensor]:
        """a and b, [*lead, *shape]."""
        return self.parameters["concentration1"], self.parameters["concentration0"]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        a, b = self.concentrations
        x = inside_unit(value)
        return (a - 1) * x.log() + (b - 1) * torch.log1p(-x) + torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return gamma_noise(noise, name, lead, (*self.shape, 2), self.like)

    def reparameterize(self, eps: Tensor) -> Tensor:
        a, b = self.concentrations
        first, second = log_gamma_draw(a, eps[..., 0, :]), log_gamma_draw(b, eps[..., 1, :])
        return inside_unit(torch.sigmoid(first - second))

    @property
    def mean(self) -> Tensor:
        a, b = self.concentrations
        return a / (a + b)

    @property
    def mode(self) -> Tensor:
        """Inside where both concentrations exceed 1, else the end with more mass (the mean where they are equal)."""
        a, b = self.concentrations
        inner = (a - 1) / (a + b - 2).clamp_min(torch.finfo(a.dtype).tiny)
        edge = torch.where(a > b, 1.0, torch.where(a < b, 0.0, 0.5)).to(a.dtype)
        return torch.where((a > 1) & (b > 1), inner, edge)
