"""Densities against scipy and sums, draws against their moments, divergences against numeric integrals, gradients."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from distributions import Distribution, build, closed_kl
from row_noise import RowNoise
from torch import Tensor

from compiler.factors.parameters import constrain, start_value
from compiler.families import ENTRIES
from compiler.families.counts import poisson_quantile
from compiler.families.gammas import log_gamma_draw
from compiler.families.noise_kinds import PROPOSALS, gamma_noise
from compiler.families.numerics import inside_unit, langevin, log_sinhc, stirling_rest
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Variable
from graphspec.language import Domain
from graphspec.language.families import FAMILIES, ParameterInfo

Numbers = Mapping[str, Any]
DOUBLE = torch.float64


def variable(
    shape: tuple[int, ...] = (), domain: Domain = "real", support: int | None = None, minimum: int = 0
) -> Variable:
    return Variable("v", "latent", domain, shape, support, minimum)


def make(name: str, shape: tuple[int, ...] = (), **parameters: Any) -> Distribution:
    """A family with parameters as nested lists [B, *shape(, K)]."""
    family = FAMILIES[name]
    options = {k: parameters.pop(k) for k in tuple(parameters) if k in family.options}
    minimum, domain = parameters.pop("minimum", 0), parameters.pop("domain", "category")
    tensors = {k: torch.as_tensor(v, dtype=DOUBLE) for k, v in parameters.items()}
    return build(family, options, tensors, variable(shape, domain if "logits" in tensors else "real", None, minimum))


def one(name: str, **parameters: Any) -> Distribution:
    """A scalar variable, one row."""
    return make(name, (), **{k: v if k in ("levels", "minimum", "domain") else [v] for k, v in parameters.items()})


def logit(p: float) -> float:
    return math.log(p / (1 - p))


CONTINUOUS: dict[str, tuple[Numbers, Any]] = {
    "normal": ({"loc": 0.3, "scale": 1.7}, scipy.stats.norm(0.3, 1.7)),
    "laplace": ({"loc": -0.4, "scale": 0.6}, scipy.stats.laplace(-0.4, 0.6)),
    "student_t": ({"df": 5.5, "loc": 0.2, "scale": 0.8}, scipy.stats.t(5.5, 0.2, 0.8)),
    "lognormal": ({"loc": 0.3, "scale": 0.7}, scipy.stats.lognorm(0.7, scale=math.exp(0.3))),
    "gamma": ({"concentration": 2.3, "rate": 1.9}, scipy.stats.gamma(2.3, scale=1 / 1.9)),
    "beta": ({"concentration1": 2.2, "concentration0": 3.1}, scipy.stats.beta(2.2, 3.1)),
}
COUNTS: dict[str, tuple[Numbers, Callable[[Any], Any]]] = {
    "poisson": ({"rate": 3.7}, scipy.stats.poisson(3.7).logpmf),
    "negative_binomial": ({"mean": 3.7, "dispersion": 1.6}, scipy.stats.nbinom(1.6, 1.6 / (1.6 + 3.7)).logpmf),
    "zero_inflated_poisson": (
        {"rate": 3.7, "gate_logits": logit(0.3)},
        lambda k: np.log(0.3 * (k == 0) + 0.7 * scipy.stats.poisson(3.7).pmf(k)),
    ),
    "zero_inflated_negative_binomial": (
        {"mean": 3.7, "dispersion": 1.6, "gate_logits": logit(0.3)},
        lambda k: np.log(0.3 * (k == 0) + 0.7 * scipy.stats.nbinom(1.6, 1.6 / (1.6 + 3.7)).pmf(k)),
    ),
}


def test_every_family_has_an_entry_that_agrees_with_its_row() -> None:
    assert set(ENTRIES) == {name for name, family in FAMILIES.items() if not family.flow}
    for name, entry in ENTRIES.items():
        assert (entry.draw is not None) == FAMILIES[name].reparameterized
        assert set(entry.divergences) == FAMILIES[name].closed_kl


@pytest.mark.parametrize("name", CONTINUOUS)
def test_densities_of_continuous_families(name: str) -> None:
    parameters, reference = CONTINUOUS[name]
    points = reference.ppf(np.linspace(0.02, 0.98, 15))
    density = one(name, **parameters).log_prob(torch.as_tensor(points))
    np.testing.assert_allclose(density, reference.logpdf(points), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", COUNTS)
def test_probabilities_of_counts(name: str) -> None:
    parameters, reference = COUNTS[name]
    counts = np.arange(40)
    density = one(name, **parameters).log_prob(torch.as_tensor(counts))
    np.testing.assert_allclose(density, reference(counts), rtol=1e-11)


@pytest.mark.parametrize("logits", [0.0, 1e-9, -1e-4, 0.3, 0.999999, 1.0, -4.0, 60.0, -900.0])
def test_continuous_bernoulli_is_a_density_at_every_logit(logits: float) -> None:
    distribution = one("continuous_bernoulli", logits=logits)
    grid = np.concatenate([[0.0], np.geomspace(1e-9, 0.5, 4000)])
    grid = np.concatenate([grid, (1 - grid)[::-1]])
    density = distribution.log_prob(torch.as_tensor(grid)).exp().numpy()
    assert scipy.integrate.trapezoid(density, grid) == pytest.approx(1, abs=1e-5)
    mean = scipy.integrate.trapezoid(density * grid, grid)
    assert distribution.mean.item() == pytest.approx(mean, abs=1e-5)


def test_the_series_meet_the_closed_forms() -> None:
    h = torch.tensor([-0.4999999, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.3, 0.4999999, 0.5000001, 3.0], dtype=DOUBLE)
    exact = [0.0 if x == 0 else float(np.log(np.sinh(np.longdouble(x)) / np.longdouble(x))) for x in h.tolist()]
    torch.testing.assert_close(log_sinhc(h), torch.tensor(exact, dtype=DOUBLE), rtol=0, atol=3e-16)
    assert torch.autograd.gradcheck(log_sinhc, h.requires_grad_())
    (slope,) = torch.autograd.grad(log_sinhc(h).sum(), h)
    torch.testing.assert_close(slope, langevin(h.detach()), rtol=1e-13, atol=1e-15)


def test_single_precision_continuous_bernoulli_keeps_its_gradient() -> None:
    values = [-1e-2, -1e-4, -1e-6, 0.0, 1e-6, 1e-4, 1e-2, 0.05, 0.2, 30.0, 200.0]
    gradients = {}
    for dtype in (torch.float32, DOUBLE):
        logits = torch.tensor(values, dtype=dtype, requires_grad=True)
        distribution = build(FAMILIES["continuous_bernoulli"], {}, {"logits": logits}, variable())
        drawn = distribution.reparameterize(torch.full_like(logits, 0.3))
        gradients[dtype] = [
            torch.autograd.grad(total, logits, retain_graph=True)[0].double()
            for total in (distribution.log_prob(torch.full_like(logits, 0.7)).sum(), drawn.sum())
        ]
        assert drawn.isfinite().all()
    for single, double in zip(gradients[torch.float32], gradients[DOUBLE], strict=True):
        torch.testing.assert_close(single, double, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("levels", [2, 5, 256])
@pytest.mark.parametrize(("loc", "scale"), [(0.5, 0.1), (-0.3, 0.02), (1.4, 3.0), (0.99, 1e-4)])
def test_discretized_logistic_sums_to_one(levels: int, loc: float, scale: float) -> None:
    distribution = one("discretized_logistic", loc=loc, scale=scale, levels=levels)
    values = torch.arange(levels, dtype=DOUBLE) / (levels - 1)
    log_probs = distribution.log_prob(values)
    assert torch.logsumexp(log_probs, 0).item() == pytest.approx(0, abs=1e-12)
    half = 0.5 / (levels - 1)
    edges = scipy.stats.logistic(loc, scale)
    upper = np.where(values == 1, 1.0, edges.cdf(values + half))
    lower = np.where(values == 0, 0.0, edges.cdf(values - half))
    np.testing.assert_allclose(log_probs.exp(), upper - lower, atol=1e-12)
    assert distribution.mean.item() == pytest.approx((log_probs.exp() * values).sum().item(), abs=1e-12)
    assert distribution.log_prob(distribution.mode).item() == pytest.approx(log_probs.max().item(), abs=1e-12)


def test_discretized_logistic_stays_finite_in_single_precision() -> None:
    loc = torch.linspace(-5, 5, 21, requires_grad=True)
    scale = torch.full_like(loc, 1e-4, requires_grad=True)
    distribution = build(FAMILIES["discretized_logistic"], {"levels": 256}, {"loc": loc, "scale": scale}, variable())
    density = distribution.log_prob(torch.full_like(loc, 0.5))
    density.sum().backward()
    assert density.isfinite().all() and loc.grad is not None and loc.grad.isfinite().all()
    assert scale.grad is not None and scale.grad.isfinite().all()


def test_bernoulli_scores_pixels_between_zero_and_one_linearly() -> None:
    logits = torch.tensor([[-1000.0, -2.0, 0.0, 3.0, 1000.0]], dtype=DOUBLE)
    distribution = build(FAMILIES["bernoulli"], {}, {"logits": logits}, variable((5,), "binary", 2))
    value = torch.tensor([[0.0, 0.25, 0.5, 1.0, 1.0]], dtype=DOUBLE)
    p = torch.sigmoid(logits[0, 1:4])
    expected = (value[0, 1:4] * p.log() + (1 - value[0, 1:4]) * (1 - p).log()).sum()
    assert distribution.log_prob(value).item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.equal(distribution.log_prob(value), distribution.log_prob(value, relaxed=True))
    ends = distribution.log_probs()[0, [0, 4]]
    assert ends[0, 0] == ends[1, 1] == 0 and ends[0, 1] == ends[1, 0] == -1000


def test_categorical_indexes_counts_and_class_weights() -> None:
    logits = torch.randn(4, 3, 5, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    categorical = build(FAMILIES["categorical"], {}, {"logits": logits}, variable((3,), "category", 5))
    index = torch.tensor([[0, 1, 2], [4, 4, 4], [3, 2, 1], [0, 0, 0]])
    log_pi = torch.log_softmax(logits, -1)
    expected = torch.stack([sum(log_pi[b, n, index[b, n]] for n in range(3)) for b in range(4)])
    torch.testing.assert_close(categorical.log_prob(index), expected)
    one_hot = torch.nn.functional.one_hot(index, 5).to(DOUBLE)
    torch.testing.assert_close(categorical.log_prob(one_hot, relaxed=True), expected)
    weights = torch.softmax(torch.randn(4, 3, 5, dtype=DOUBLE), -1)
    torch.testing.assert_close(categorical.log_prob(weights, relaxed=True), (weights * log_pi).sum((-1, -2)))

    count = build(FAMILIES["categorical"], {}, {"logits": logits}, variable((3,), "count", 5, minimum=2))
    torch.testing.assert_close(count.log_prob(index.to(DOUBLE) + 2), expected)
    torch.testing.assert_close(count.mean, 2 + (log_pi.exp() * torch.arange(5, dtype=DOUBLE)).sum(-1))
    assert torch.equal(count.mode, 2.0 + logits.argmax(-1))
    assert torch.equal(categorical.mean, categorical.mode)


def test_ordered_logistic_is_a_difference_of_distribution_functions() -> None:
    cutpoints = [-2.0, -0.5, 0.1, 3.0]
    distribution = one("ordered_logistic", predictor=0.7, cutpoints=cutpoints)
    cumulative = np.concatenate([[0], scipy.special.expit(np.array(cutpoints) - 0.7), [1]])
    np.testing.assert_allclose(distribution.probabilities[0], np.diff(cumulative), rtol=1e-12)
    far = one("ordered_logistic", predictor=80.0, cutpoints=cutpoints)
    assert far.log_probs().isfinite().all()
    assert torch.logsumexp(far.log_probs(), -1).item() == pytest.approx(0, abs=1e-12)


def test_dirichlet_runs_along_the_first_axis() -> None:
    concentration = torch.tensor([[[0.7, 2.0], [1.5, 3.0], [2.5, 0.4]]], dtype=DOUBLE)
    distribution = build(FAMILIES["dirichlet"], {}, {"concentration": concentration}, variable((3, 2), "simplex"))
    value = torch.tensor([[[0.2, 0.1], [0.5, 0.6], [0.3, 0.3]]], dtype=DOUBLE)
    expected = sum(
        scipy.stats.dirichlet(concentration[0, :, i].numpy()).logpdf(value[0, :, i].numpy()) for i in range(2)
    )
    assert distribution.log_prob(value).item() == pytest.approx(expected, rel=1e-12)
    drawn = distribution.sample(Noise(0, 5000), "v")
    torch.testing.assert_close(drawn.sum(1), torch.ones(5000, 2, dtype=DOUBLE))
    torch.testing.assert_close(drawn.mean(0), distribution.mean[0], rtol=0, atol=0.02)


@pytest.mark.parametrize("name", ["beta", "dirichlet", "lognormal", "gamma", "continuous_bernoulli"])
def test_legal_data_at_the_ends_have_finite_densities(name: str) -> None:
    for dtype in (torch.float32, DOUBLE):
        for size in (0.3, 1.0, 4.0):
            family = FAMILIES[name]
            shape = (2,) if name == "dirichlet" else ()
            parameters = {
                p.name: torch.full((1, *shape), size, dtype=dtype, requires_grad=True) for p in family.parameters
            }
            distribution = build(family, {}, parameters, variable(shape))
            ends = torch.tensor([[0.0, 1.0]] if shape else [0.0, 1.0], dtype=dtype)
            density = distribution.log_prob(ends)
            density.sum().backward()
            assert density.isfinite().all()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())
    assert inside_unit(torch.tensor([0.0, 1.0])).tolist() == [2**-24, 1 - 2**-24]


SUPPORT = {
    "normal": (-30, 30),
    "laplace": (-30, 30),
    "student_t": (-90, 90),
    "lognormal": (1e-9, 60),
    "gamma": (1e-9, 60),
}
SPREAD: dict[str, Numbers] = {
    **{n: p for n, (p, _) in CONTINUOUS.items()},
    **{n: p for n, (p, _) in COUNTS.items()},
} | {
    "continuous_bernoulli": {"logits": -1.7},
    "discretized_logistic": {"loc": 0.4, "scale": 0.1, "levels": 11},
    "bernoulli": {"logits": 0.8},
    "categorical": {"logits": [0.1, -0.4, 1.0], "domain": "count", "minimum": 3},
    "ordered_logistic": {"predictor": 0.3, "cutpoints": [-1.0, 0.5]},
}


@pytest.mark.parametrize("name", sorted(SPREAD))
def test_draws_have_the_distribution_of_the_density(name: str) -> None:
    rows = 10000
    distribution = one(name, **SPREAD[name])
    drawn = distribution.sample(Noise(3, rows), "v").numpy()
    assert drawn.shape == (rows,)
    if name in CONTINUOUS or name == "continuous_bernoulli":
        points = np.quantile(drawn, np.linspace(0.1, 0.9, 9))
        grid = np.linspace(*SUPPORT.get(name, (1e-9, 1 - 1e-9)), 200001)
        density = distribution.log_prob(torch.as_tensor(grid)).exp().numpy()
        shares = [scipy.integrate.trapezoid(density[grid <= x], grid[grid <= x]) for x in points]
        np.testing.assert_allclose(shares, np.linspace(0.1, 0.9, 9), atol=4 * 0.5 / math.sqrt(rows))
        return
    for value in np.unique(drawn)[:12]:
        p = distribution.log_prob(torch.tensor(float(value), dtype=DOUBLE)).exp().item()
        share = float((drawn == value).mean())
        assert abs(share - p) < 4.5 * math.sqrt(p * (1 - p) / rows) + 1e-9, (value, share, p)


@pytest.mark.parametrize("name", sorted(SPREAD))
def test_mean_and_mode_agree_with_the_draws(name: str) -> None:
    distribution = one(name, **SPREAD[name])
    drawn = distribution.sample(Noise(5, 8000), "v")
    mode, near = distribution.mode, drawn[:200]
    at_mode = distribution.log_prob(mode)
    assert (at_mode >= distribution.log_prob(near) - 1e-9).all()
    if name == "ordered_logistic":  # a category: no mean
        return
    error = 5 * drawn.std().item() / math.sqrt(8000)
    assert distribution.mean.item() == pytest.approx(drawn.mean().item(), abs=error)


@pytest.mark.parametrize(
    "name", ["lognormal", "laplace", "student_t", "normal", "continuous_bernoulli", "gamma", "beta"]
)
def test_pathwise_gradients_differentiate_the_mean_of_a_function(name: str) -> None:
    """d/dtheta E[f(x)] against the integral of f times the density's derivative."""
    rows = 20000
    parameters = {k: torch.full((rows,), v, dtype=DOUBLE, requires_grad=True) for k, v in SPREAD[name].items()}
    drawn = build(FAMILIES[name], {}, parameters, variable()).rsample(Noise(11, rows), "v")
    pathwise = dict(
        zip(parameters, torch.autograd.grad(torch.sin(drawn).sum(), list(parameters.values())), strict=True)
    )
    numbers = {k: torch.tensor([v], dtype=DOUBLE, requires_grad=True) for k, v in SPREAD[name].items()}
    grid = torch.linspace(*SUPPORT.get(name, (1e-9, 1 - 1e-9)), 200001, dtype=DOUBLE)
    density = build(FAMILIES[name], {}, numbers, variable()).log_prob(grid).exp()
    exact = torch.autograd.grad(torch.trapezoid(torch.sin(grid) * density, grid), list(numbers.values()))
    for key, derivative in zip(numbers, exact, strict=True):
        error = pathwise[key].std().item() / math.sqrt(rows)
        assert pathwise[key].mean().item() == pytest.approx(derivative.item(), abs=4 * error + 1e-4), key


@pytest.mark.parametrize("concentration", [0.05, 0.6, 1.0, 30.0])
def test_gamma_draws_of_every_size(concentration: float) -> None:
    rows = 30000
    a = torch.full((rows,), concentration, dtype=DOUBLE, requires_grad=True)
    log_drawn = log_gamma_draw(a, gamma_noise(Noise(2, rows), "v", (), (), a))
    assert scipy.stats.kstest(np.exp(log_drawn.detach().numpy()), scipy.stats.gamma(concentration).cdf).pvalue > 1e-3
    (slope,) = torch.autograd.grad(log_drawn.sum(), a)
    exact = scipy.special.polygamma(1, concentration)
    assert slope.mean().item() == pytest.approx(exact, abs=6 * slope.std().item() / math.sqrt(rows))
    assert gamma_noise(Noise(0, 3), "v", (2,), (4,), a).shape == (2, 3, 4, 2 * PROPOSALS + 1)


KL_PAIRS: list[tuple[str, Numbers, str, Numbers]] = [
    ("normal", {"loc": 0.3, "scale": 0.7}, "normal", {"loc": -1.0, "scale": 1.4}),
    ("laplace", {"loc": 0.3, "scale": 0.7}, "laplace", {"loc": -1.0, "scale": 1.4}),
    ("laplace", {"loc": 0.3, "scale": 0.7}, "normal", {"loc": -1.0, "scale": 1.4}),
    ("lognormal", {"loc": 0.3, "scale": 0.7}, "lognormal", {"loc": -0.2, "scale": 1.4}),
    ("gamma", {"concentration": 2.3, "rate": 1.1}, "gamma", {"concentration": 1.4, "rate": 0.6}),
    ("beta", {"concentration1": 2.3, "concentration0": 1.6}, "beta", {"concentration1": 1.4, "concentration0": 3.0}),
    ("continuous_bernoulli", {"logits": 1.3}, "continuous_bernoulli", {"logits": 0.0}),
    ("continuous_bernoulli", {"logits": -3e-4}, "continuous_bernoulli", {"logits": 2.0}),
    ("bernoulli", {"logits": 1.3}, "bernoulli", {"logits": -0.4}),
    ("categorical", {"logits": [0.3, -1.0, 0.2]}, "categorical", {"logits": [0.0, 0.4, 2.0]}),
    ("categorical", {"logits": [0.3, -1.0, 0.2]}, "ordered_logistic", {"predictor": 0.3, "cutpoints": [-0.5, 0.8]}),
    ("ordered_logistic", {"predictor": 0.3, "cutpoints": [-0.5, 0.8]}, "categorical", {"logits": [0.3, -1.0, 0.2]}),
    ("poisson", {"rate": 2.2}, "poisson", {"rate": 3.9}),
]


@pytest.mark.parametrize(("q_name", "q_numbers", "p_name", "p_numbers"), KL_PAIRS)
def test_divergences_against_sums_and_integrals(
    q_name: str, q_numbers: Numbers, p_name: str, p_numbers: Numbers
) -> None:
    assert p_name in FAMILIES[q_name].closed_kl
    q, p = one(q_name, **q_numbers), one(p_name, **p_numbers)
    if FAMILIES[q_name].discrete:
        values = torch.arange(80 if q_name == "poisson" else q.log_probs().shape[-1], dtype=DOUBLE)
        log_q, log_p = q.log_prob(values), p.log_prob(values)
        exact = (log_q.exp() * (log_q - log_p)).sum().item()
    else:
        low, high = (-40.0, 40.0) if q_name in ("normal", "laplace") else (1e-10, 80.0)
        low, high = (1e-10, 1 - 1e-10) if q_name in ("beta", "continuous_bernoulli") else (low, high)
        grid = torch.linspace(low, high, 200_001, dtype=DOUBLE)
        log_q, log_p = q.log_prob(grid), p.log_prob(grid)
        exact = torch.trapezoid(log_q.exp() * (log_q - log_p), grid).item()
    assert closed_kl(q, p).item() == pytest.approx(exact, rel=1e-6, abs=1e-7)
    assert closed_kl(q, q).item() == pytest.approx(0, abs=1e-12)


def test_dirichlet_divergence_and_every_listed_pair() -> None:
    q = make("dirichlet", (2, 3), concentration=[[[1.0, 2.0, 0.5], [3.0, 0.7, 1.1]]])
    p = make("dirichlet", (2, 3), concentration=[[[2.0, 2.0, 0.9], [1.0, 1.7, 2.1]]])
    betas = [[d.parameters["concentration"][:, i] for i in (0, 1)] for d in (q, p)]
    as_beta = [
        build(FAMILIES["beta"], {}, {"concentration1": a, "concentration0": b}, variable((3,))) for a, b in betas
    ]
    torch.testing.assert_close(closed_kl(q, p), closed_kl(*as_beta))
    flat = make("dirichlet", (3,), concentration=[[1.0, 2.0, 0.5]])
    assert closed_kl(flat, flat).shape == (1,)
    tested = {(q_name, p_name) for q_name, _, p_name, _ in KL_PAIRS} | {("dirichlet", "dirichlet")}
    tested |= {("von_mises_fisher", "von_mises_fisher")}  # in test_direction
    listed = {(name, other) for name, f in FAMILIES.items() for other in f.closed_kl}
    assert listed - tested == {("ordered_logistic", "ordered_logistic")}
    with pytest.raises(NotImplementedError, match="from laplace to lognormal"):
        closed_kl(one("laplace", loc=0.0, scale=1.0), one("lognormal", loc=0.0, scale=1.0))


def test_divergence_counts_every_element_of_shared_parameters() -> None:
    q = make("normal", (2, 3), loc=np.zeros((4, 1, 1)), scale=np.full((1, 1, 1), 2.0))
    p = make("normal", (2, 3), loc=np.ones((1, 2, 3)), scale=np.ones((1, 1, 1)))
    single = closed_kl(one("normal", loc=0.0, scale=2.0), one("normal", loc=1.0, scale=1.0))
    torch.testing.assert_close(closed_kl(q, p), 6 * single.expand(4))
    assert q.lead == (4,) and q.mean.shape == (4, 2, 3)
    assert q.log_prob(torch.zeros(1, 2, 3, dtype=DOUBLE)).shape == (4,)


def test_leading_axes_are_placed_by_name() -> None:
    scale = torch.rand(3, 5, 2, dtype=DOUBLE) + 0.5
    normal = build(FAMILIES["normal"], {}, {"loc": torch.zeros(1, 1, 2, dtype=DOUBLE), "scale": scale}, variable((2,)))
    placed = normal.on(("y",), ("samples", "a", "y"))
    assert placed.lead == (1, 1, 3, 5) and placed.parameters["scale"].shape == (1, 1, 3, 5, 2)
    value = torch.randn(7, 1, 1, 5, 2, dtype=DOUBLE)
    assert placed.log_prob(value).shape == (7, 1, 3, 5)
    torch.testing.assert_close(placed.log_prob(value)[4, 0, 2], normal.log_prob(value[4, 0, 0])[2])
    logits = torch.randn(3, 5, 2, 4, dtype=DOUBLE)
    categorical = build(FAMILIES["categorical"], {}, {"logits": logits}, variable((2,), "category", 4))
    assert categorical.on(("y",), ("a", "y")).parameters["logits"].shape == (1, 3, 5, 2, 4)
    assert not categorical.rebuilt(lambda t: t.clone().requires_grad_()).detached().like.requires_grad


@pytest.mark.parametrize("name", sorted(SPREAD))
def test_noise_is_shared_along_axes_and_belongs_to_rows(name: str) -> None:
    """The draw for one row and one parameter value does not depend on which others are drawn beside it."""
    lead = 2
    base = one(name, **SPREAD[name])
    both = base.rebuilt(lambda t: torch.stack([t * 1.01, t]))  # [axis, B = 1, ...]
    noise = both.standard_noise(RowNoise(7, [3, 1, 2]), "v", (lead,))
    drawn = both.draw(noise.unsqueeze(1))
    assert drawn.shape == (lead, 2, 3)
    alone = base.draw(base.standard_noise(RowNoise(7, [1]), "v", (lead,)))
    torch.testing.assert_close(drawn[:, 1, 1:2], alone)


def test_concrete_draws() -> None:
    logits = torch.tensor([[0.3, -0.5, 1.0]], dtype=DOUBLE, requires_grad=True)
    categorical = build(FAMILIES["categorical"], {}, {"logits": logits}, variable((), "category", 3))
    noise = categorical.standard_noise(Noise(0, 50), "y", (4,))
    soft = categorical.relaxed(noise, 0.5)
    torch.testing.assert_close(soft.sum(-1), torch.ones(4, 50, dtype=DOUBLE))
    assert torch.equal(soft.argmax(-1).to(DOUBLE), categorical.draw(noise))
    cold = categorical.relaxed(noise, 1e-4)
    assert (cold.max(-1).values > 1 - 1e-6).double().mean() > 0.99
    hard = categorical.relaxed(noise, 0.5, straight_through=True)
    assert ((hard - 0).abs() < 1e-12).logical_or((hard - 1).abs() < 1e-12).all()
    weight = torch.randn(3, dtype=DOUBLE)
    slopes = [torch.autograd.grad((d * weight).sum(), logits, retain_graph=True)[0] for d in (soft, hard)]
    torch.testing.assert_close(*slopes)

    bernoulli = build(FAMILIES["bernoulli"], {}, {"logits": logits[..., 0]}, variable((), "binary", 2))
    uniform = bernoulli.standard_noise(Noise(0, 60), "b")
    soft = bernoulli.relaxed(uniform, torch.tensor(0.7, dtype=DOUBLE))
    assert torch.equal((soft > 0.5).to(DOUBLE), bernoulli.draw(uniform))
    assert torch.equal(bernoulli.relaxed(uniform, 0.7, straight_through=True).round(), bernoulli.draw(uniform))


def test_linear_scoring_keeps_the_gradient_of_the_entropy() -> None:
    """E[v . log pi] of a relaxed draw has the gradient of the negative entropy as the temperature falls; the pmf of
    the argmax has none (paper, 2.4)."""
    logits = torch.tensor([1.2, -0.3, 0.1], dtype=DOUBLE, requires_grad=True)
    categorical = build(FAMILIES["categorical"], {}, {"logits": logits.unsqueeze(0)}, variable((), "category", 3))
    noise = categorical.standard_noise(Noise(1, 100_000), "y")
    relaxed = categorical.relaxed(noise, 0.05)
    (estimated,) = torch.autograd.grad(categorical.log_prob(relaxed, relaxed=True).mean(), logits)
    log_pi = torch.log_softmax(logits, 0)
    (exact,) = torch.autograd.grad((log_pi.exp() * log_pi).sum(), logits)
    torch.testing.assert_close(estimated, exact, rtol=0, atol=0.04)


GRADIENT_FAMILIES = sorted(set(SPREAD) - {"categorical"})


@pytest.mark.parametrize("name", GRADIENT_FAMILIES)
def test_gradients_of_log_prob(name: str) -> None:
    numbers = {k: v for k, v in SPREAD[name].items() if k != "levels"}
    names = list(numbers)
    tensors = [torch.tensor([numbers[k]], dtype=DOUBLE, requires_grad=True) for k in names]
    value = one(name, **SPREAD[name]).sample(Noise(1, 6), "v")

    def density(*parameters: Tensor) -> Tensor:
        family = FAMILIES[name]
        distribution = build(family, {}, dict(zip(names, parameters, strict=True)), variable())
        return distribution.log_prob(value)

    assert torch.autograd.gradcheck(density, tensors)


def test_counts_keep_their_digits_in_single_precision() -> None:
    """Up to 1e8, where k log(rate) - rate - log k! would be off by a hundred nats; against scipy in double."""
    counts = np.array([0, 1, 2, 7, 16, 50, 4000, 1e6, 1e8])[:, None]
    rates = (counts + np.sqrt(counts) * np.array([-0.5, 0.0, 1.0, 3.0])).clip(0.3)
    rates = np.concatenate([rates, 0.4 * rates, 3 * rates], axis=1).astype(np.float32).astype(float)
    exact = scipy.stats.poisson(rates).logpmf(counts)
    for dtype, relative in ((DOUBLE, 1e-12), (torch.float32, 1e-6)):
        given, rate = (torch.as_tensor(a, dtype=dtype) for a in (counts, rates))
        found = build(FAMILIES["poisson"], {}, {"rate": rate}, variable()).log_prob(given)
        rounding = 4e-16 * counts * np.log(counts + 2)  # of scipy's own difference
        error = relative * (5 + np.abs(exact) + np.abs(counts - rates) / 2)
        assert (np.abs(found.double().numpy() - exact) < error + rounding).all()


@pytest.mark.parametrize("theta", [0.01, 0.7, 15.0, 17.0, 300.0, 1e6, 1e12])
def test_overdispersed_counts_keep_their_digits_in_single_precision(theta: float) -> None:
    """Against the formula in 50 digits."""
    counts = np.array([0, 1, 7, 50, 4000, 1e6, 1e8])[:, None]
    means = (counts + np.sqrt(counts + counts**2 / theta) * np.array([-0.5, 0.0, 1.0])).clip(0.3)
    means, theta = means.astype(np.float32).astype(float), float(np.float32(theta))

    @np.vectorize
    def exact(k: float, mean: float) -> float:
        with mpmath.workdps(50):
            ways = mpmath.loggamma(k + mpmath.mpf(theta)) - mpmath.loggamma(theta) - mpmath.loggamma(k + 1)
            whole = mpmath.log(theta + mpmath.mpf(mean))
            return float(ways + theta * (mpmath.log(theta) - whole) + k * (mpmath.log(mean) - whole))

    for dtype, relative in ((DOUBLE, 1e-12), (torch.float32, 1e-6)):
        parameters = {"mean": torch.as_tensor(means, dtype=dtype), "dispersion": torch.full((1, 1), theta, dtype=dtype)}
        found = build(FAMILIES["negative_binomial"], {}, parameters, variable()).log_prob(
            torch.as_tensor(counts, dtype=dtype)
        )
        wanted = exact(counts, means)
        error = relative * (10 + np.abs(wanted) + np.abs(counts - means) / 2)
        assert (np.abs(found.double().numpy() - wanted) < error).all()


def test_gradients_of_counts_are_finite_everywhere() -> None:
    for dtype in (torch.float32, DOUBLE):
        rate, theta = (torch.tensor([1e-4, 1.0, 1e6], dtype=dtype, requires_grad=True) for _ in range(2))
        counts = torch.tensor([0.0, 1.0, 30.0, 1e8], dtype=dtype).unsqueeze(1)
        for name, parameters in (
            ("poisson", {"rate": rate}),
            ("negative_binomial", {"mean": rate, "dispersion": theta}),
        ):
            build(FAMILIES[name], {}, parameters, variable()).log_prob(counts).sum().backward()
        assert rate.grad is not None and theta.grad is not None
        assert rate.grad.isfinite().all() and theta.grad.isfinite().all()
    x = torch.tensor([0.0, 0.5, 1.0, 63.9, 64.1, 1e3], dtype=DOUBLE)
    torch.testing.assert_close(stirling_rest(x), torch.lgamma(x + 1) - torch.xlogy(x, x) + x, rtol=1e-12, atol=1e-12)


def test_poisson_quantiles() -> None:
    u = torch.tensor([1e-12, 0.2, 0.5, 0.9, 0.9999], dtype=DOUBLE)
    for rate in (1e-3, 0.7, 12.0, 5e4):
        expected = scipy.stats.poisson(rate).ppf(u.numpy())
        np.testing.assert_array_equal(poisson_quantile(torch.tensor(rate, dtype=DOUBLE), u), expected)


def test_bernoulli_and_dirichlet_against_scipy() -> None:
    for p in (0.02, 0.5, 0.9):
        bernoulli, reference = one("bernoulli", logits=logit(p)), scipy.stats.bernoulli(p)
        ends = torch.tensor([0.0, 1.0], dtype=DOUBLE)
        np.testing.assert_allclose(bernoulli.log_prob(ends), reference.logpmf([0, 1]), rtol=1e-12)
        np.testing.assert_allclose(bernoulli.probabilities[0], [1 - p, p], rtol=1e-12)
        assert bernoulli.mean.item() == pytest.approx(p) and bernoulli.mode.item() == (p > 0.5)
    concentration = [2.5, 1.4, 4.0]
    dirichlet, reference = make("dirichlet", (3,), concentration=[concentration]), scipy.stats.dirichlet(concentration)
    np.testing.assert_allclose(dirichlet.mean[0], reference.mean(), rtol=1e-12)
    mode = dirichlet.mode
    near = torch.softmax(mode.log() + 0.01 * torch.randn(50, 3, dtype=DOUBLE), dim=-1)
    assert (dirichlet.log_prob(mode) > dirichlet.log_prob(near)).all()
    corner = make("dirichlet", (3,), concentration=[[0.5, 3.0, 0.9]]).mode
    assert corner.tolist() == [[0, 1, 0]]
    drawn = make("dirichlet", (3,), concentration=[concentration] * 8000).sample(Noise(4, 8000), "v").numpy()
    for place, a in enumerate(concentration):
        marginal = scipy.stats.beta(a, sum(concentration) - a)
        assert scipy.stats.kstest(drawn[:, place], marginal.cdf).pvalue > 1e-3


def test_a_dirichlets_draws_are_differentiable() -> None:
    """d E[f] / d concentration against the beta marginal's numeric derivative."""
    rows, numbers = 20000, [1.3, 2.2]
    each = torch.tensor(numbers, dtype=DOUBLE).expand(rows, 2).clone().requires_grad_()
    drawn = build(FAMILIES["dirichlet"], {}, {"concentration": each}, variable((2,))).rsample(Noise(6, rows), "v")
    (slopes,) = torch.autograd.grad(torch.sin(3 * drawn[:, 0]).sum(), each)

    def expectation(a: float, b: float) -> float:
        return scipy.stats.beta(a, b).expect(lambda x: np.sin(3 * x))

    step = 1e-4
    exact = [(expectation(1.3 + step, 2.2) - expectation(1.3 - step, 2.2)) / (2 * step),
             (expectation(1.3, 2.2 + step) - expectation(1.3, 2.2 - step)) / (2 * step)]  # fmt: skip
    error = 4.5 * slopes.std(0) / math.sqrt(rows)
    assert ((slopes.mean(0) - torch.tensor(exact, dtype=DOUBLE)).abs() < error).all()


@pytest.mark.parametrize(("name", "info"), [(n, info) for n, f in FAMILIES.items() for info in f.parameters])
def test_every_link_of_the_catalogue(name: str, info: ParameterInfo) -> None:
    """Against the link's formula; strictly increasing where it is one number; inside the parameter's range."""
    raw = torch.linspace(-30, 30, 61, dtype=DOUBLE)
    if info.link == "ordered":
        gaps = [[0.0, 2.0, -1.0], [3.0, -4.0, 0.5]]
        cutpoints = constrain(info, torch.tensor(gaps, dtype=DOUBLE))
        quarter = math.log(3)
        expected = [[-quarter, *np.cumsum([softplus(g + inverse_softplus(quarter - 1e-4)) + 1e-4 for g in row[1:]]) - quarter]
                    for row in gaps]  # fmt: skip
        expected[1] = [value + 3.0 for value in expected[1]]
        np.testing.assert_allclose(cutpoints, expected, rtol=1e-10, atol=1e-12)
        return
    if info.link == "normalize":
        vectors = torch.randn(4, 3, 2, dtype=DOUBLE)
        shifted = vectors + torch.tensor([1.0, 0.0, 0.0], dtype=DOUBLE)[:, None]
        torch.testing.assert_close(constrain(info, vectors, -2), shifted / shifted.norm(dim=1, keepdim=True))
        return
    found = constrain(info, raw).numpy()
    start = start_value(info)
    assert info.link in ("identity", "softplus") and found[30] == pytest.approx(start, rel=1e-12, abs=1e-12)
    if info.link == "identity":
        np.testing.assert_allclose(found, raw + info.standard, rtol=1e-14)
    else:
        expected = [softplus(r + inverse_softplus(start - info.floor)) + info.floor for r in raw.tolist()]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)
        assert (found > info.floor).all() and info.minimum is not None and info.floor >= info.minimum
    assert (np.diff(found) > 0).all()


def softplus(x: float) -> float:
    return float(np.logaddexp(0, x))


def inverse_softplus(y: float) -> float:
    return math.log(math.expm1(y))
