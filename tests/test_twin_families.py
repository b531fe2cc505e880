"""Families three ways: the compiler's, the naive twin's (`twin_families.py`) and scipy's, over random parameters.

Densities over the whole support, draws from the same noise, Concrete draws, divergences: values in float64, and the
gradients of what is differentiable.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from distributions import build, closed_kl_each
from row_noise import RowNoise
from torch import Tensor
from twin_divergences import DIVERGENCES, divergence
from twin_draws import draw, relaxed
from twin_families import DENSITIES, FLOWS, TwinDistribution

from graphspec.graphs.graph import Variable
from graphspec.language.families import CERTAIN, FAMILIES

ROWS, CLASSES = 40, 4
PLAIN = [name for name in FAMILIES if not FAMILIES[name].flow and name != CERTAIN]
SHAPES = {"dirichlet": (3,), "von_mises_fisher": (3,)}
DOMAINS = {"categorical": "category", "ordered_logistic": "count", "bernoulli": "binary"}
OPTIONS = {"discretized_logistic": {"levels": 16}}


def variable_of(name: str) -> Variable:
    """What the family describes here: a scalar, or one vector."""
    support = {"categorical": CLASSES, "ordered_logistic": CLASSES, "bernoulli": 2}.get(name)
    return Variable("v", "latent", DOMAINS.get(name, "real"), SHAPES.get(name, ()), support, 0)


def parameters_of(name: str, seed: int = 0) -> dict[str, Tensor]:
    """[ROWS, *shape(, K)] random legal values, from small to large."""
    generator = np.random.default_rng(seed)
    found = {}
    for info in FAMILIES[name].parameters:
        shape = (ROWS, *SHAPES.get(name, ()))
        shape = (ROWS, 1) if info.extent == "vector" else shape
        shape = {"class": (*shape, CLASSES), "between_classes": (*shape, CLASSES - 1)}.get(info.extent, shape)
        value = generator.normal(0, 2, shape)
        if info.link == "softplus":
            value = np.exp(0.5 * value) + info.floor
        if info.link == "normalize":
            value = value / np.linalg.norm(value, axis=1, keepdims=True)
        if info.link == "ordered":
            value = np.sort(value, -1)
        found[info.name] = torch.tensor(value, requires_grad=True)
    return found


def twin(name: str, parameters: Mapping[str, Tensor]) -> TwinDistribution:
    return TwinDistribution(name, variable_of(name), _on_sphere(name, parameters), OPTIONS.get(name, {}))


def compiled(name: str, parameters: Mapping[str, Tensor]) -> Any:
    """The compiler's own, whatever it looks like."""
    return build(FAMILIES[name], OPTIONS.get(name, {}), _on_sphere(name, parameters), variable_of(name))


def _on_sphere(name: str, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Directions of length one also where they are differentiated: off the sphere formulas may differ."""
    directions = [info.name for info in FAMILIES[name].parameters if info.link == "normalize"]
    unit = {n: parameters[n] / parameters[n].norm(dim=1, keepdim=True) for n in directions}
    return {**parameters, **unit}


def test_every_family_is_there() -> None:
    assert set(DENSITIES) == {*PLAIN, *FLOWS}
    assert set(DIVERGENCES) == {(q, p) for q, family in FAMILIES.items() for p in family.closed_kl}


# --- densities


def _binomial(d: Mapping[str, Any]) -> Any:
    return scipy.stats.nbinom(d["dispersion"], d["dispersion"] / (d["dispersion"] + d["mean"]))


def _with_zeros(counts: Any, d: Mapping[str, Any]) -> Callable[[Any], Any]:
    gate = scipy.special.expit(d["gate_logits"])
    return lambda k: np.log(gate * (k == 0) + (1 - gate) * counts.pmf(k))


def _steps(d: Mapping[str, Any]) -> Callable[[Any], Any]:
    """The mass of a logistic between the middles of 16 levels, from the upper or the lower tail."""
    reference = scipy.stats.logistic(d["loc"], d["scale"])

    def found(x: Any) -> Any:
        low = np.where(x <= 0, -np.inf, x - 1 / 30)
        high = np.where(x >= 1, np.inf, x + 1 / 30)
        upper = x > d["loc"]
        return np.log(np.where(upper, reference.sf(low) - reference.sf(high), reference.cdf(high) - reference.cdf(low)))

    return found


def _ordered(d: Mapping[str, Any]) -> Callable[[Any], Any]:
    ends = d["cutpoints"] - d["predictor"][:, None]
    infinite = np.full((ROWS, 1), np.inf)
    low, high = np.hstack([-infinite, ends]), np.hstack([ends, infinite])
    upper = scipy.special.expit(-low) - scipy.special.expit(-high)
    lower = scipy.special.expit(high) - scipy.special.expit(low)
    table = np.log(np.where(low > 0, upper, lower))
    return lambda k: np.take_along_axis(table, k[:, None].astype(int), 1)[:, 0]


def _continuous_bernoulli(d: Mapping[str, Any]) -> Callable[[Any], Any]:
    logits = d["logits"]
    return lambda x: logits * x - np.log(np.expm1(logits) / logits)


def _sphere(d: Mapping[str, Any]) -> Callable[[Any], Any]:
    both = list(zip(d["loc"], d["concentration"][:, 0], strict=True))
    return lambda x: np.array([
        scipy.stats.vonmises_fisher(loc, k).logpdf(v) for (loc, k), v in zip(both, x, strict=True)
    ])[:, None]  # fmt: skip


def _simplex(d: Mapping[str, Any]) -> Callable[[Any], Any]:
    return lambda x: np.array([
        scipy.stats.dirichlet(a).logpdf(v / v.sum()) for a, v in zip(d["concentration"], x, strict=True)
    ])[:, None]  # fmt: skip


SCIPY: dict[str, Callable[[Mapping[str, Any]], Callable[[Any], Any]]] = {
    "normal": lambda d: scipy.stats.norm(d["loc"], d["scale"]).logpdf,
    "laplace": lambda d: scipy.stats.laplace(d["loc"], d["scale"]).logpdf,
    "student_t": lambda d: scipy.stats.t(d["df"], d["loc"], d["scale"]).logpdf,
    "lognormal": lambda d: scipy.stats.lognorm(d["scale"], scale=np.exp(d["loc"])).logpdf,
    "gamma": lambda d: scipy.stats.gamma(d["concentration"], scale=1 / d["rate"]).logpdf,
    "beta": lambda d: scipy.stats.beta(d["concentration1"], d["concentration0"]).logpdf,
    "bernoulli": lambda d: scipy.stats.bernoulli(scipy.special.expit(d["logits"])).logpmf,
    "continuous_bernoulli": _continuous_bernoulli,
    "categorical": lambda d: (
        lambda k: np.take_along_axis(scipy.special.log_softmax(d["logits"], 1), k[:, None].astype(int), 1)[:, 0]
    ),
    "ordered_logistic": _ordered,
    "poisson": lambda d: scipy.stats.poisson(d["rate"]).logpmf,
    "negative_binomial": lambda d: _binomial(d).logpmf,
    "zero_inflated_poisson": lambda d: _with_zeros(scipy.stats.poisson(d["rate"]), d),
    "zero_inflated_negative_binomial": lambda d: _with_zeros(_binomial(d), d),
    "dirichlet": _simplex,
    "von_mises_fisher": _sphere,
    "discretized_logistic": _steps,
}


def support_of(name: str) -> list[np.ndarray]:
    """Values [ROWS, *shape] from end to end of the support."""
    generator = np.random.default_rng(1)
    if name in SHAPES:
        vectors = [generator.dirichlet([0.7] * 3, ROWS), generator.normal(size=(ROWS, 3))][name != "dirichlet"]
        return [vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) if name != "dirichlet" else 1)]
    domain = sorted(FAMILIES[name].domains)[-1]
    points: dict[str, Any] = {
        "unit": np.linspace(0.001, 0.999, 21),
        "real": np.linspace(-30, 30, 21),
        "positive": np.geomspace(1e-3, 60, 21),
        "count": np.arange(60.0),
    }
    if name in ("categorical", "ordered_logistic", "bernoulli"):
        chosen: Any = np.arange(2.0 if name == "bernoulli" else CLASSES)
    elif name == "discretized_logistic":
        chosen = np.arange(16) / 15
    else:
        chosen = points["real" if name in ("normal", "laplace", "student_t") else domain]
    return [np.full(ROWS, point) for point in chosen]


@pytest.mark.parametrize("name", PLAIN)
def test_log_densities_are_scipys(name: str) -> None:
    parameters = parameters_of(name)
    reference = SCIPY[name]({n: v.detach().numpy() for n, v in parameters.items()})
    for value in support_of(name):
        expected, given = reference(value), torch.as_tensor(value)
        for found in (twin(name, parameters), compiled(name, parameters)):
            each = found.log_prob_each(given).detach().numpy()
            np.testing.assert_allclose(each, expected, rtol=1e-10, atol=1e-10, err_msg=f"{type(found)} at {value[0]}")


@pytest.mark.parametrize("name", PLAIN)
def test_slopes_of_log_densities_agree(name: str) -> None:
    parameters, values = parameters_of(name), [torch.as_tensor(value) for value in support_of(name)]
    sides = (twin(name, parameters), compiled(name, parameters))
    same_slopes(parameters, *(sum(side.log_prob_each(value).sum() for value in values) for side in sides))


def same_slopes(parameters: Mapping[str, Tensor], left: Tensor, right: Tensor, tolerance: float = 1e-9) -> None:
    """Both gradients in all parameters."""
    slopes = [torch.autograd.grad(total, list(parameters.values()), allow_unused=True) for total in (left, right)]
    for name, mine, theirs in zip(parameters, *slopes, strict=True):
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            torch.testing.assert_close(
                mine, theirs, rtol=tolerance, atol=tolerance, msg=lambda said, n=name: f"{n}: {said}"
            )


# --- draws


@pytest.mark.parametrize("name", PLAIN)
def test_draws_from_the_same_noise(name: str) -> None:
    parameters = parameters_of(name)
    noise = RowNoise(3, range(ROWS))
    mine = draw(
        twin(name, parameters), lambda kind, end, event: getattr(noise, kind)("v" + end, (), event, torch.float64)
    )
    other = compiled(name, parameters)
    eps = other.standard_noise(noise, "v")
    if not FAMILIES[name].reparameterized:
        torch.testing.assert_close(mine, other.draw(eps).to(mine.dtype), rtol=0, atol=1e-12)
        return
    theirs = other.reparameterize(eps)
    torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)
    same_slopes(parameters, torch.sin(mine).sum(), torch.sin(theirs).sum(), 1e-8)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("name", ["bernoulli", "categorical", "ordered_logistic"])
def test_concrete_draws_from_the_same_noise(name: str, hard: bool) -> None:
    parameters, noise = parameters_of(name), RowNoise(3, range(ROWS))
    sides = twin(name, parameters), compiled(name, parameters)
    mine = relaxed(
        sides[0], lambda kind, end, event: getattr(noise, kind)("v" + end, (), event, torch.float64), 0.7, hard=hard
    )
    theirs = sides[1].relaxed(sides[1].standard_noise(noise, "v"), 0.7, straight_through=hard)
    torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-12)
    scores = [side.log_prob_each(value, relaxed=True) for side, value in zip(sides, (mine, theirs), strict=True)]
    torch.testing.assert_close(*scores, rtol=1e-11, atol=1e-12)
    same_slopes(parameters, *(score.sum() for score in scores))


# --- divergences


@pytest.mark.parametrize(("q", "p"), sorted(DIVERGENCES))
def test_divergences_agree(q: str, p: str) -> None:
    sides = [(name, parameters_of(name, seed)) for seed, name in enumerate((q, p))]
    mine, theirs = divergence(*(twin(*side) for side in sides)), closed_kl_each(*(compiled(*side) for side in sides))
    torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    parameters = {f"{side} {n}": v for side, (_, found) in zip("qp", sides, strict=True) for n, v in found.items()}
    same_slopes(parameters, mine.sum(), theirs.sum())
