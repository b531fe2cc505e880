"""Draws of the naive twin's families: the same standard noise as the compiler's, turned into values by formulas of
their own. Differentiable wherever a draw of the family is (`reparameterize`)."""

import math
from collections.abc import Callable, Sequence

import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Laplace
from twin_families import FLOWS, TwinDistribution, transform_of
from twin_sphere import directions

Ask = Callable[[str, str, Sequence[int]], Tensor]
"""(normal | uniform, what follows the variable's name, event) -> standard noise [W, *event]."""

PROPOSALS = 8
"""Of a gamma's draw."""


def draw(d: TwinDistribution, ask: Ask) -> Tensor:
    """The value that the noise stands for, [W, *shape]."""
    return DRAWS[d.family](d, ask)


def gumbel(d: TwinDistribution, ask: Ask) -> Tensor:
    """Of each class, [W, *shape, K]."""
    return -torch.log(-torch.log(ask("uniform", "", (*d.shape, d.log_probs().shape[-1]))))


def relaxed(d: TwinDistribution, ask: Ask, temperature: float, *, hard: bool) -> Tensor:
    """A Concrete draw (Maddison et al. 2017), of a binary variable the weight of one; hard: a corner in value."""
    if d.family == "bernoulli":
        uniform = ask("uniform", "", d.shape)
        soft = torch.sigmoid((d["logits"] + torch.log(uniform) - torch.log(1 - uniform)) / temperature)
        corner = (soft > 0.5).to(soft.dtype)
    else:
        soft = torch.softmax((d.log_probs() + gumbel(d, ask)) / temperature, dim=-1)
        corner = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return corner + soft - soft.detach() if hard else soft


def _student_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    """Bailey's polar form (1994)."""
    radius, angle = ask("uniform", "", (*d.shape, 2)).unbind(-1)
    stretch = torch.sqrt(d["df"] * (radius ** (-2 / d["df"]) - 1))
    return d["loc"] + d["scale"] * stretch * torch.cos(2 * math.pi * angle)


def _laplace_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    return Laplace(d["loc"], d["scale"]).icdf(ask("uniform", "", d.shape))


def log_gamma_draw(concentration: Tensor, normals: Tensor, uniforms: Tensor) -> Tensor:
    """log of a draw with rate 1: Marsaglia and Tsang (2000) at concentration + 1, then a power of a uniform.

    The first of PROPOSALS that is accepted. The derivative of the draw at concentration + 1 is torch's (it is exact to
    a few parts in ten thousand only, so no other would do).
    """
    alpha = concentration + 1
    drawn = _accepted(alpha.detach(), normals, uniforms[..., :-1])
    slope = torch._standard_gamma_grad(alpha.detach().expand_as(drawn), drawn)
    moved = drawn + slope * (alpha - alpha.detach())
    return moved.log() + uniforms[..., -1].log() / concentration


def _accepted(alpha: Tensor, normals: Tensor, uniforms: Tensor) -> Tensor:
    d = alpha - 1 / 3
    found, open_places = torch.zeros_like(normals[..., 0] + d), torch.ones_like(normals[..., 0] + d, dtype=torch.bool)
    for normal, uniform in zip(normals.unbind(-1), uniforms.unbind(-1), strict=True):
        cube = (1 + normal / torch.sqrt(9 * d)) ** 3
        allowed = cube > 0
        bound = 0.5 * normal**2 + d - d * cube + d * torch.where(allowed, cube, 1.0).log()
        taken = open_places & allowed & (uniform.log() < bound)
        found, open_places = torch.where(taken, d * cube, found), open_places & ~taken
    assert not open_places.any(), "no proposal of a gamma draw was accepted"
    return found


def _log_gammas(concentration: Tensor, ask: Ask, event: Sequence[int]) -> Tensor:
    normals, uniforms = (
        ask("normal", ".proposals", (*event, PROPOSALS)),
        ask("uniform", ".accept", (*event, PROPOSALS + 1)),
    )
    return log_gamma_draw(concentration, normals, uniforms)


def _beta_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    both = torch.stack([d["concentration1"], d["concentration0"]], -1)
    return torch.softmax(_log_gammas(both, ask, (*d.shape, 2)), -1)[..., 0]


def _dirichlet_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    return torch.softmax(_log_gammas(d["concentration"], ask, d.shape), -len(d.shape))


def _continuous_bernoulli_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    """The distribution function (exp(l x) - 1) / (exp(l) - 1), inverted; where l is next to nothing, to second order."""
    uniform, logits = torch.broadcast_tensors(ask("uniform", "", d.shape), d["logits"])
    near = logits.abs() < 1e-5
    far = torch.where(near, 1.0, logits)
    spread = uniform * (1 - uniform)
    return torch.where(near, uniform + 0.5 * logits * spread, torch.log1p(uniform * torch.expm1(far)) / far)


def _finite_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    index = (d.log_probs().detach() + gumbel(d, ask)).argmax(-1)
    return index if d.variable.domain == "category" else (index + d.variable.minimum).to(d.log_probs().dtype)


def _bernoulli_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    """One where the uniform exceeds the probability of zero."""
    return (ask("uniform", "", d.shape) > torch.sigmoid(-d["logits"].detach())).to(d["logits"].dtype)


def _count_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    """Of a mixture of poissons, whose rate is drawn first; an extra zero where the second uniform is below the gate."""
    uniforms = ask("uniform", ".value", (*d.shape, 2))
    with torch.no_grad():
        if "rate" in d.parameters:
            rate = d["rate"].detach().expand(uniforms.shape[:-1])
        else:
            rate = _log_gammas(d["dispersion"], ask, d.shape).exp() * d["mean"] / d["dispersion"]
    drawn = torch.as_tensor(scipy.stats.poisson.ppf(uniforms[..., 0].numpy(), rate.numpy()), dtype=uniforms.dtype)
    if "gate_logits" not in d.parameters:
        return drawn
    return torch.where(uniforms[..., 1] > torch.sigmoid(d["gate_logits"].detach()), drawn, torch.zeros_like(drawn))


def _discretized_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    uniform, steps = ask("uniform", "", d.shape), d.options.get("levels", 256) - 1
    value = d["loc"] + d["scale"] * torch.as_tensor(scipy.special.logit(uniform.numpy()))
    return ((value.clamp(0, 1) * steps).round() / steps).detach()


def _flow_draw(d: TwinDistribution, ask: Ask) -> Tensor:
    noise = ask("normal", "", d.shape)
    worlds = max(len(noise), len(d["context"]))
    transform = transform_of(d, worlds)
    flat = noise.expand(worlds, *d.shape).reshape(worlds, -1)
    return (transform if d.flow.from_noise else transform.inv)(flat).reshape(worlds, *d.shape)


DRAWS: dict[str, Callable[[TwinDistribution, Ask], Tensor]] = {
    "normal": lambda d, ask: d["loc"] + d["scale"] * ask("normal", "", d.shape),
    "lognormal": lambda d, ask: torch.exp(d["loc"] + d["scale"] * ask("normal", "", d.shape)),
    "laplace": _laplace_draw,
    "student_t": _student_draw,
    "gamma": lambda d, ask: _log_gammas(d["concentration"], ask, d.shape).exp() / d["rate"],
    "beta": _beta_draw,
    "dirichlet": _dirichlet_draw,
    "continuous_bernoulli": _continuous_bernoulli_draw,
    "bernoulli": _bernoulli_draw,
    "categorical": _finite_draw,
    "ordered_logistic": _finite_draw,
    "von_mises_fisher": lambda d, ask: directions(
        d["loc"],
        d["concentration"],
        ask("uniform", ".angle", (1, *d.shape[1:])),
        ask("normal", ".way", (d.shape[0] - 1, *d.shape[1:])),
    ),
    "discretized_logistic": _discretized_draw,
    **dict.fromkeys(
        ("poisson", "negative_binomial", "zero_inflated_poisson", "zero_inflated_negative_binomial"), _count_draw
    ),
    **dict.fromkeys(FLOWS, _flow_draw),
}
