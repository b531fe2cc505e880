"""Unbounded counts: poisson, negative_binomial, and both with extra zeros.

The negative binomial is given by its mean mu and its dispersion theta, the inverse overdispersion: its variance is
mu + mu^2 / theta (scVI's convention), so theta -> infinity is the poisson. `gate_logits` are the log odds that a value
is an extra zero.
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.distribution import Distribution
from compiler.families.gamma_noise import gamma_noise, log_gamma_draw
from compiler.families.quantiles import poisson_quantile
from compiler.families.series import log_rising
from compiler.tensors.noise import Noise


class Count(Distribution):
    """Values 0, 1, 2, ... without end."""

    @abstractmethod
    def rate_of(self, eps: Tensor) -> Tensor:
        """Rate of the poisson from which the value is drawn (itself drawn where counts are overdispersed)."""

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """A uniform for the value, one for the gate, then gamma noise for the rate."""
        uniforms = noise.uniform(f"{name}.value", lead, (*self.shape, 2), self.like.dtype).to(self.like.device)
        return torch.cat([uniforms, gamma_noise(noise, name, lead, self.shape, self.like)], dim=-1)

    def draw(self, eps: Tensor) -> Tensor:
        with torch.no_grad():
            return poisson_quantile(self.rate_of(eps[..., 2:]), eps[..., 0])


class Poisson(Count):
    """P(k) = rate^k exp(-rate) / k!."""

    @property
    def rate(self) -> Tensor:
        """Mean and variance, [*lead, *shape]."""
        return self.parameters["rate"]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        count = value.to(self.rate.dtype)
        return count * self.rate.log() - self.rate - torch.lgamma(count + 1)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return noise.uniform(f"{name}.value", lead, (*self.shape, 2), self.like.dtype).to(self.like.device)

    def rate_of(self, eps: Tensor) -> Tensor:
        return self.rate

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()


class NegativeBinomial(Count):
    """P(k) = Gamma(k + theta) / (Gamma(theta) k!) (theta / (theta + mu))^theta (mu / (theta + mu))^k."""

    @property
    def mu(self) -> Tensor:
        """Mean, [*lead, *shape]."""
        return self.parameters["mean"]

    @property
    def theta(self) -> Tensor:
        """Inverse overdispersion, [*lead, *shape]."""
        return self.parameters["dispersion"]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        mu, theta, count = self.mu, self.theta, value.to(self.mu.dtype)
        scaled_rise = log_rising(theta, count)
        total = count * (mu.log() - torch.log1p(mu / theta)) - theta * torch.log1p(mu / theta)
        return total + scaled_rise - torch.lgamma(count + 1)

    def rate_of(self, eps: Tensor) -> Tensor:
        return (log_gamma_draw(self.theta, eps) + (self.mu / self.theta).log()).exp()

    @property
    def mean(self) -> Tensor:
        return self.mu.expand(*self.lead, *self.shape)

    @property
    def mode(self) -> Tensor:
        return (self.mu * (self.theta - 1) / self.theta).floor().clamp_min(0)


class _ZeroInflated(Count):
    """With probability sigmoid(gate_logits) an extra zero, else a count."""

    @property
    @abstractmethod
    def counts(self) -> Count:
        """The distribution of the values that are no extra zeros."""

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        gate = self.parameters["gate_logits"]
        counted = F.logsigmoid(-gate) + self.counts.log_prob_each(value)
        at_zero = torch.logaddexp(F.logsigmoid(gate), counted)
        return torch.where(value == 0, at_zero, counted)

    def rate_of(self, eps: Tensor) -> Tensor:
        return self.counts.rate_of(eps)

    def draw(self, eps: Tensor) -> Tensor:
        kept = torch.logit(eps[..., 1]) > self.parameters["gate_logits"].detach()
        return super().draw(eps) * kept

    @property
    def mean(self) -> Tensor:
        return torch.sigmoid(-self.parameters["gate_logits"]) * self.counts.mean

    @property
    def mode(self) -> Tensor:
        mode = self.counts.mode.expand(*self.lead, *self.shape)
        zero = torch.zeros_like(mode)
        return torch.where(self.log_prob_each(mode) > self.log_prob_each(zero), mode, zero)


class ZeroInflatedPoisson(_ZeroInflated):
    """A poisson with extra zeros."""

    @property
    def counts(self) -> Count:
        return Poisson(self.shape, rate=self.parameters["rate"])


class ZeroInflatedNegativeBinomial(_ZeroInflated):
    """A negative binomial with extra zeros."""

    @property
    def counts(self) -> Count:
        return NegativeBinomial(self.shape, mean=self.parameters["mean"], dispersion=self.parameters["dispersion"])
