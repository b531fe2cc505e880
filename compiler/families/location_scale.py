"""Normal, laplace, student_t and lognormal: a location, a scale, and noise that knows neither."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from compiler.families.distribution import Distribution, above_zero
from compiler.tensors.noise import Noise

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class LocationScale(Distribution):
    """loc + scale * standard draw."""

    reparameterized = True

    @property
    def loc(self) -> Tensor:
        """Centre, [*lead, *shape]."""
        return self.parameters["loc"]

    @property
    def scale(self) -> Tensor:
        """Spread in the variable's own units, [*lead, *shape]."""
        return self.parameters["scale"]

    def standard(self, eps: Tensor) -> Tensor:
        """The draw at loc 0, scale 1."""
        return eps

    def reparameterize(self, eps: Tensor) -> Tensor:
        return self.loc + self.scale * self.standard(eps)

    @property
    def mean(self) -> Tensor:
        return self.loc.expand(*self.lead, *self.shape)

    @property
    def mode(self) -> Tensor:
        return self.mean


class Normal(LocationScale):
    """Density exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi))."""

    fused: ClassVar[tuple[str, ...]] = ("normal", "loc", "scale")

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return noise.normal(name, lead, self.shape, self.like.dtype).to(self.like.device)

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        return -0.5 * ((value - self.loc) / self.scale) ** 2 - self.scale.log() - HALF_LOG_TWO_PI


class LogNormal(Normal):
    """exp of a normal; loc and scale are those of the logarithm. Zeros count as the smallest normal number."""

    fused = ()

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        logarithm = above_zero(value).log()
        return super().log_prob_each(logarithm) - logarithm

    def reparameterize(self, eps: Tensor) -> Tensor:
        return super().reparameterize(eps).exp()

    @property
    def mean(self) -> Tensor:
        return (self.loc + 0.5 * self.scale**2).exp()

    @property
    def mode(self) -> Tensor:
        return (self.loc - self.scale**2).exp()


class Laplace(LocationScale):
    """Density exp(-|x - loc| / scale) / (2 scale)."""

    fused = ("laplace", "loc", "scale")

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        return -(value - self.loc).abs() / self.scale - self.scale.log() - math.log(2)

    def standard(self, eps: Tensor) -> Tensor:
        centred = eps - 0.5
        return -centred.sign() * torch.log1p(-2 * centred.abs()).clamp_min(math.log(torch.finfo(eps.dtype).tiny))


class StudentT(LocationScale):
    """Student's t with `df` degrees of freedom; `mean` is the location (the mean does not exist for df <= 1)."""

    @property
    def df(self) -> Tensor:
        """Degrees of freedom, [*lead, *shape]."""
        return self.parameters["df"]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        half = 0.5 * self.df
        squared = ((value - self.loc) / self.scale) ** 2
        normaliser = torch.lgamma(half + 0.5) - torch.lgamma(half) - 0.5 * torch.log(math.pi * self.df)
        return normaliser - self.scale.log() - (half + 0.5) * torch.log1p(squared / self.df)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return noise.uniform(name, lead, (*self.shape, 2), self.like.dtype).to(self.like.device)

    def standard(self, eps: Tensor) -> Tensor:
        """Bailey's polar form (1994): sqrt(df (u^(-2 / df) - 1)) cos(2 pi v), differentiable in df too."""
        radius, angle = above_zero(eps[..., 0]), eps[..., 1]
        radius = radius.clamp_max(1 - torch.finfo(eps.dtype).eps)
        stretch = self.df * torch.expm1(-2 / self.df * radius.log())
        return stretch.sqrt() * torch.cos(2 * math.pi * angle)
