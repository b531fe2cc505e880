"""One row per family of the catalogue: its density against scipy or its formula. A family without a row fails."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from distributions import Distribution, build

from compiler.factors.parameters import from_alternative
from compiler.families.flow_maps import flow_log_prob
from compiler.families.flows import flow_blueprint
from compiler.networks.initialization import Initializer
from graphspec.graphs.graph import Variable
from graphspec.language.families import CERTAIN, FAMILIES

DOUBLE = torch.float64
FLOWS = [name for name, family in FAMILIES.items() if family.flow]


@dataclass(frozen=True)
class Row:
    """parameters as the family takes them; points [N, *shape]; their log densities by `reference`."""

    parameters: dict[str, Any]
    points: Any
    reference: Callable[[np.ndarray], np.ndarray]
    shape: tuple[int, ...] = ()
    domain: str = "real"
    support: int | None = None
    options: tuple[tuple[str, Any], ...] = ()


def grid(distribution: Any) -> np.ndarray:
    return distribution.ppf(np.linspace(0.01, 0.99, 25))


def continuous_bernoulli(x: np.ndarray) -> np.ndarray:
    """Loaiza-Ganem and Cunningham 2019: C(p) p^x (1 - p)^(1 - x), C = 2 artanh(1 - 2p) / (1 - 2p)."""
    p = 0.7
    return np.log(2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)) + x * np.log(p) + (1 - x) * np.log(1 - p)


def logistic_bins(x: np.ndarray) -> np.ndarray:
    edges = scipy.stats.logistic(0.4, 0.2)
    upper, lower = np.where(x == 1, 1, edges.cdf(x + 0.125)), np.where(x == 0, 0, edges.cdf(x - 0.125))
    return np.log(upper - lower)


def ordered(k: np.ndarray) -> np.ndarray:
    cumulative = np.concatenate([[0], scipy.special.expit(np.array([-1.0, 0.5, 2.0]) - 0.3), [1]])
    return np.log(np.diff(cumulative))[k.astype(int)]


def with_zeros(counts: Any) -> Callable[[np.ndarray], np.ndarray]:
    return lambda k: np.log(0.3 * (k == 0) + 0.7 * counts.pmf(k))


COUNTS = np.arange(30.0)
GATE = math.log(0.3 / 0.7)
NB = scipy.stats.nbinom(1.6, 1.6 / (1.6 + 3.7))
PROBS = np.array([0.2, 0.5, 0.3])
MU = np.array([0.6, -0.8, 0.0])
TABLE = {
    "normal": Row({"loc": 0.3, "scale": 1.7}, grid(scipy.stats.norm(0.3, 1.7)), scipy.stats.norm(0.3, 1.7).logpdf),
    "laplace": Row(
        {"loc": -0.4, "scale": 0.6}, grid(scipy.stats.laplace(-0.4, 0.6)), scipy.stats.laplace(-0.4, 0.6).logpdf
    ),
    "student_t": Row(
        {"df": 5.5, "loc": 0.2, "scale": 0.8}, grid(scipy.stats.t(5.5, 0.2, 0.8)), scipy.stats.t(5.5, 0.2, 0.8).logpdf
    ),
    "lognormal": Row(
        {"loc": 0.3, "scale": 0.7}, np.geomspace(0.01, 20, 25), scipy.stats.lognorm(0.7, scale=math.exp(0.3)).logpdf
    ),
    "gamma": Row(
        {"concentration": 2.3, "rate": 1.9}, np.geomspace(0.01, 9, 25), scipy.stats.gamma(2.3, scale=1 / 1.9).logpdf
    ),
    "beta": Row(
        {"concentration1": 2.2, "concentration0": 3.1}, np.linspace(0.01, 0.99, 25), scipy.stats.beta(2.2, 3.1).logpdf
    ),
    "bernoulli": Row(
        {"logits": math.log(0.9 / 0.1)}, np.array([0.0, 1.0]), scipy.stats.bernoulli(0.9).logpmf, (), "binary", 2
    ),
    "continuous_bernoulli": Row({"logits": math.log(0.7 / 0.3)}, np.linspace(0, 1, 25), continuous_bernoulli),
    "categorical": Row(
        {"logits": np.log(PROBS) + 4}, np.arange(3.0),
        lambda k: np.array([scipy.stats.multinomial(1, PROBS).logpmf(np.eye(3)[int(i)]) for i in k]),
        (), "category", 3,
    ),
    "ordered_logistic": Row(
        {"predictor": 0.3, "cutpoints": [-1.0, 0.5, 2.0]}, np.arange(4.0), ordered, (), "category", 4
    ),
    "poisson": Row({"rate": 3.7}, COUNTS, scipy.stats.poisson(3.7).logpmf),
    "negative_binomial": Row({"mean": 3.7, "dispersion": 1.6}, COUNTS, NB.logpmf),
    "zero_inflated_poisson": Row({"rate": 3.7, "gate_logits": GATE}, COUNTS, with_zeros(scipy.stats.poisson(3.7))),
    "zero_inflated_negative_binomial": Row(
        {"mean": 3.7, "dispersion": 1.6, "gate_logits": GATE}, COUNTS, with_zeros(NB)
    ),
    "dirichlet": Row(
        {"concentration": [2.5, 1.4, 0.8]}, scipy.stats.dirichlet([2.5, 1.4, 0.8]).rvs(25, random_state=1),
        lambda x: np.array([scipy.stats.dirichlet([2.5, 1.4, 0.8]).logpdf(each) for each in x]), (3,),
    ),
    "discretized_logistic": Row(
        {"loc": 0.4, "scale": 0.2}, np.arange(5) / 4, logistic_bins, options=(("levels", 5),)
    ),
    "von_mises_fisher": Row(
        {"loc": MU, "concentration": [4.0]}, scipy.stats.vonmises_fisher(MU, 4.0).rvs(25, random_state=1),
        scipy.stats.vonmises_fisher(MU, 4.0).logpdf, (3,),
    ),
}  # fmt: skip


def test_every_family_has_a_row() -> None:
    assert {*TABLE, *FLOWS, CERTAIN} == set(FAMILIES)
    for name, row in TABLE.items():
        assert set(row.parameters) == {info.name for info in FAMILIES[name].parameters}


def made(name: str, row: Row) -> Distribution:
    tensors = {key: torch.as_tensor(np.array([value]), dtype=DOUBLE) for key, value in row.parameters.items()}
    variable = Variable("v", "latent", row.domain, row.shape, row.support)  # type: ignore[arg-type]
    return build(FAMILIES[name], dict(row.options), tensors, variable)


@pytest.mark.parametrize("name", TABLE)
def test_the_density_is_the_references(name: str) -> None:
    row = TABLE[name]
    points = torch.as_tensor(row.points, dtype=DOUBLE)
    found = made(name, row).log_prob(points)
    np.testing.assert_allclose(found, row.reference(row.points), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", TABLE)
def test_elements_add_up_and_rows_stand_alone(name: str) -> None:
    """Two elements with one value each are worth the sum of two scalars; vectors along the first axis likewise."""
    row, family = TABLE[name], FAMILIES[name]
    points = torch.as_tensor(row.points, dtype=DOUBLE)
    pair = torch.stack([points[0], points[1]], dim=-1).unsqueeze(0)
    twice = {}
    for info in family.parameters:
        value = torch.as_tensor(np.array(row.parameters[info.name]), dtype=DOUBLE)
        per_class = info.extent in ("class", "between_classes")
        twice[info.name] = torch.stack([value, value], dim=-2 if per_class else -1).unsqueeze(0)
    variable = Variable("v", "latent", row.domain, (*row.shape, 2), row.support)  # type: ignore[arg-type]
    both = build(family, dict(row.options), twice, variable).log_prob(pair)
    each = made(name, row).log_prob(points[:2])
    torch.testing.assert_close(both, each.sum().reshape(1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "alternative"), [(n, (i, a)) for n, f in FAMILIES.items() for i in f.parameters for a in i.alternatives]
)
def test_parameters_under_another_name(name: str, alternative: tuple[Any, str]) -> None:
    """`probs` for logits and `gate` for gate_logits: the same density."""
    info, other = alternative
    row = TABLE[name]
    logits = torch.as_tensor(np.array(row.parameters[info.name]), dtype=DOUBLE)
    probs = torch.softmax(logits, -1) if info.extent == "class" else torch.sigmoid(logits)
    found = from_alternative(info, other, probs, 1e-300)
    shift = torch.logsumexp(logits, -1, keepdim=True) if info.extent == "class" else 0.0
    torch.testing.assert_close(found, logits - shift, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flows_density_integrates_to_one(name: str) -> None:
    """Two dimensions, a context, weights away from the identity: a sum over a fine grid, without any formula of ours."""
    options = {"hidden": [6]} | ({"transforms": 1} if "transforms" in FAMILIES[name].options else {})
    flow = flow_blueprint(name, options, 2, 1, from_noise=False).build(Initializer(0, "q.z", DOUBLE))
    generator = torch.Generator().manual_seed(2)
    points_a_side = 81 if name.startswith("unconstrained") else 181  # integrals of networks are slow, and smooth
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator, dtype=DOUBLE))
        axis = torch.linspace(-9, 9, points_a_side, dtype=DOUBLE)
        points = torch.cartesian_prod(axis, axis)
        context = torch.full((1, 1), 0.4, dtype=DOUBLE)
        density = torch.cat([flow_log_prob(flow, context, part, (2,)) for part in points.split(4000)]).exp()
    step = (axis[1] - axis[0]).item()
    assert (density * step**2).sum().item() == pytest.approx(1, abs=2e-3)
