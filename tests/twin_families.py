"""Families of distributions for the naive twin: densities from torch.distributions, or the textbook's formula.

Nothing is taken from `compiler.families`, so that a mistake there is none here; draws are in `twin_draws.py`,
divergences in `twin_divergences.py`. What is shared is the contract: names of parameters, and which standard noise a
draw is made from. `test_twin_families.py` holds these against scipy, and the compiler's families against these.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.distributions as torch_families
import torch.nn.functional as F
from torch import Tensor
from twin_sphere import log_length

from graphspec.graphs.graph import Variable


@dataclass(frozen=True)
class TwinDistribution:
    """One factor's distribution in W worlds. parameters: [W or 1, *shape], one more axis where there are classes."""

    family: str
    variable: Variable
    parameters: Mapping[str, Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)
    flow: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a value."""
        return tuple(self.variable.shape)

    def __getitem__(self, name: str) -> Tensor:
        return self.parameters[name]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """Log density of each element [W, *shape]; of what depends on each other together, along an axis of size 1.

        relaxed: of weights of the classes, [W, *shape, K], or of the probability of one: sum_k v_k log p_k.
        """
        if relaxed and self.family != "bernoulli":
            return (value * self.log_probs()).sum(-1)
        return DENSITIES[self.family](self, value)

    def log_probs(self) -> Tensor:
        """Log probability of each class, [W, *shape, K]."""
        if self.family == "bernoulli":
            return torch.stack([-F.softplus(self["logits"]), -F.softplus(-self["logits"])], dim=-1)
        return _ordered(self) if self.family == "ordered_logistic" else torch.log_softmax(self["logits"], dim=-1)


def _by_torch(kind: type, *names: str) -> Callable[[TwinDistribution, Tensor], Tensor]:
    """The density of torch's family of the same parameters, in torch's order."""
    return lambda d, value: kind(*(d[name] for name in names), validate_args=False).log_prob(value)


def _ordered(d: TwinDistribution) -> Tensor:
    """Differences of the logistic distribution function, taken on the side where it is small."""
    ends = d["cutpoints"] - d["predictor"].unsqueeze(-1)
    infinite = torch.full_like(ends[..., :1], math.inf)
    return _logistic_mass(torch.cat([-infinite, ends], -1), torch.cat([ends, infinite], -1)).log()


def _logistic_mass(low: Tensor, high: Tensor) -> Tensor:
    """P(low < X < high) of a standard logistic."""
    right = (low > 0) | ((high > 0) & (low + high > 0))
    return torch.where(right, torch.sigmoid(-low) - torch.sigmoid(-high), torch.sigmoid(high) - torch.sigmoid(low))


def _finite(d: TwinDistribution, value: Tensor) -> Tensor:
    log_probs = d.log_probs()
    index = (value - d.variable.minimum).long().unsqueeze(-1)
    lead = max(len(log_probs), len(index))
    return log_probs.expand(lead, *log_probs.shape[1:]).gather(-1, index.expand(lead, *index.shape[1:])).squeeze(-1)


def _continuous_bernoulli(d: TwinDistribution, value: Tensor) -> Tensor:
    return value * d["logits"] - log_mean_exp(d["logits"])


def _unit_nodes(like: Tensor) -> tuple[Tensor, Tensor]:
    nodes, weights = np.polynomial.legendre.leggauss(100)
    return tuple(torch.as_tensor(each, dtype=like.dtype) for each in (0.5 * (nodes + 1), 0.5 * weights))


def log_mean_exp(logits: Tensor) -> Tensor:
    """log of the integral of exp(logits x) over [0, 1], by Gauss and Legendre: exact to rounding for |logits| < 100."""
    nodes, weights = _unit_nodes(logits)
    return torch.logsumexp(logits.unsqueeze(-1) * nodes + weights.log(), -1)


def unit_mean(logits: Tensor) -> Tensor:
    """Mean of the density proportional to exp(logits x) on [0, 1]."""
    nodes, weights = _unit_nodes(logits)
    return torch.softmax(logits.unsqueeze(-1) * nodes + weights.log(), -1) @ nodes


def _negative_binomial(d: TwinDistribution, value: Tensor) -> Tensor:
    """torch counts failures at odds mean / dispersion."""
    logits = d["mean"].log() - d["dispersion"].log()
    return torch_families.NegativeBinomial(d["dispersion"], logits=logits, validate_args=False).log_prob(value)


def _with_zeros(counts: Callable[[TwinDistribution, Tensor], Tensor]) -> Callable[[TwinDistribution, Tensor], Tensor]:
    def density(d: TwinDistribution, value: Tensor) -> Tensor:
        gate = torch.sigmoid(d["gate_logits"])
        counted = (1 - gate) * counts(d, value).exp()
        return torch.where(value == 0, gate + counted, counted).log()

    return density


def _dirichlet(d: TwinDistribution, value: Tensor) -> Tensor:
    """torch keeps the simplex last, the language first."""
    rank = len(d.shape)
    concentration = d["concentration"].movedim(-rank, -1)
    found = torch_families.Dirichlet(concentration, validate_args=False).log_prob(value.movedim(-rank, -1))
    return found.unsqueeze(-rank) if rank > 1 else found.unsqueeze(-1)


def _von_mises_fisher(d: TwinDistribution, value: Tensor) -> Tensor:
    axis = -len(d.shape)
    return d["concentration"] * (d["loc"] * value).sum(axis, keepdim=True) - log_length(d["concentration"], d.shape[0])


def _discretized_logistic(d: TwinDistribution, value: Tensor) -> Tensor:
    """The mass between the middles towards both neighbours; the ends reach to infinity."""
    steps = d.options.get("levels", 256) - 1
    level = (value * steps).round()
    low = torch.where(level <= 0, -math.inf, ((level - 0.5) / steps - d["loc"]) / d["scale"])
    high = torch.where(level >= steps, math.inf, ((level + 0.5) / steps - d["loc"]) / d["scale"])
    return _logistic_mass(low, high).log()


def _flow(d: TwinDistribution, value: Tensor) -> Tensor:
    """zuko's own transform, which leads from values to noise or the other way."""
    worlds = max(len(value), len(d["context"]))
    flat, transform = value.expand(worlds, *d.shape).reshape(worlds, -1), transform_of(d, worlds)
    noise, log_slope = (transform.inv if d.flow.from_noise else transform).call_and_ladj(flat)
    density = torch_families.Normal(0.0, 1.0).log_prob(noise).sum(-1) + log_slope
    return density.reshape(worlds, *(1,) * len(d.shape))


def transform_of(d: TwinDistribution, worlds: int) -> Any:
    """At the context of each world."""
    context = d["context"].expand(worlds, -1)
    return d.flow.inner(context if context.shape[-1] else None)


FLOWS = ("masked_autoregressive", "inverse_autoregressive", "neural_spline")
DENSITIES: dict[str, Callable[[TwinDistribution, Tensor], Tensor]] = {
    "normal": _by_torch(torch_families.Normal, "loc", "scale"),
    "laplace": _by_torch(torch_families.Laplace, "loc", "scale"),
    "student_t": _by_torch(torch_families.StudentT, "df", "loc", "scale"),
    "lognormal": _by_torch(torch_families.LogNormal, "loc", "scale"),
    "gamma": _by_torch(torch_families.Gamma, "concentration", "rate"),
    "beta": _by_torch(torch_families.Beta, "concentration1", "concentration0"),
    "poisson": _by_torch(torch_families.Poisson, "rate"),
    "bernoulli": lambda d, v: v * F.logsigmoid(d["logits"]) + (1 - v) * F.logsigmoid(-d["logits"]),
    "continuous_bernoulli": _continuous_bernoulli,
    "categorical": _finite,
    "ordered_logistic": _finite,
    "negative_binomial": _negative_binomial,
    "zero_inflated_poisson": _with_zeros(_by_torch(torch_families.Poisson, "rate")),
    "zero_inflated_negative_binomial": _with_zeros(_negative_binomial),
    "dirichlet": _dirichlet,
    "von_mises_fisher": _von_mises_fisher,
    "discretized_logistic": _discretized_logistic,
    **dict.fromkeys(FLOWS, _flow),
}
