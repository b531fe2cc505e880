"""Densities at the ends of their supports and far from where they start: single against double precision, and scipy.

Values that a family moves inside its support (0 and 1 of a beta, 0 of a gamma) are moved by what the dtype can tell
apart, so there the two are not compared.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from compiler.families import ENTRIES, extras_of
from graphspec.graphs.graph import Variable
from graphspec.language.families import FAMILIES

SCALES = [1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6, 1e8]
PLACES = [-1e6, -1e3, -1.0, 0.0, 1e-3, 1.0, 1e3, 1e6]
SHARES = [0.0, 1e-30, 1e-7, 1e-3, 0.5, 1 - 1e-3, 1 - 6e-8, 1.0]
SIZES = [2e-38, 1e-20, 1e-6, 1.0, 1e6, 1e20]
COUNTS = [0.0, 1.0, 5.0, 100.0, 1e4, 1e6, 16777216.0, 1e8]
LOGITS = [-80.0, -20.0, -1.0, 0.0, 1e-3, 1.0, 20.0, 80.0]
GRIDS: dict[str, list[list[float]]] = {
    "normal": [PLACES, PLACES, SCALES],
    "laplace": [PLACES, PLACES, SCALES],
    "student_t": [PLACES, [1.01, 4.0, 100.0, 1e4, 1e6, 1e8], PLACES, SCALES],
    "lognormal": [SIZES, PLACES[1:-1], SCALES],
    "gamma": [SIZES, SCALES, SCALES],
    "beta": [SHARES[2:-1], SCALES, SCALES],
    "bernoulli": [[0.0, 0.3, 1.0], LOGITS],
    "continuous_bernoulli": [SHARES, LOGITS],
    "poisson": [COUNTS, SCALES],
    "negative_binomial": [COUNTS, SCALES, SCALES],
    "zero_inflated_poisson": [COUNTS, SCALES, LOGITS],
    "zero_inflated_negative_binomial": [COUNTS, SCALES, SCALES, LOGITS],
    "discretized_logistic": [SHARES, [-5.0, 0.0, 0.5, 1.0, 9.0], SCALES[1:5]],
}
"""Values, then each parameter."""


def densities(name: str, grid: Sequence[Tensor]) -> Tensor:
    """log densities of values under parameters, each [n]."""
    family = FAMILIES[name]
    variable = Variable("v", "observed", min(family.domains), ())
    return ENTRIES[name].each(grid[0], tuple(grid[1:]), extras_of(family, {}, variable))


def spread(grid: Sequence[Sequence[float]]) -> list[Tensor]:
    """Every combination, in single precision."""
    return [torch.tensor(column, dtype=torch.float32) for column in zip(*product(*grid), strict=True)]


@pytest.mark.parametrize("name", GRIDS)
def test_single_precision_is_right_at_every_extreme(name: str) -> None:
    single = spread(GRIDS[name])
    parameters = [column.requires_grad_() for column in single[1:]]
    found = densities(name, [single[0], *parameters])
    exact = densities(name, [column.detach().double() for column in single])
    assert exact.isfinite().all()
    assert (found.isfinite() | (exact.abs() > 1e37)).all()
    apart = ((found.double() - exact).abs() / (1 + exact.abs()))[found.isfinite()]
    assert apart.max() < 3e-5, single and [column[int(apart.argmax())].item() for column in single]
    gradients = torch.autograd.grad(found[found.abs() < 1e20].sum(), parameters, allow_unused=True)
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


SCIPY = {
    "student_t": ([0.3, -2.0], [[1.5, 4.0, 1e3, 1e7], [0.2], [1.3]],
                  lambda v, df, loc, scale: stats.t.logpdf(v, df, loc, scale)),
    "gamma": ([1e-3, 0.9, 40.0], [[0.2, 1.0, 30.0, 1e5], [0.5, 20.0]], lambda v, a, r: stats.gamma.logpdf(v, a, scale=1 / r)),
    "beta": ([1e-4, 0.3, 0.999], [[0.2, 1.0, 30.0, 1e5], [0.5, 20.0]], stats.beta.logpdf),
    "poisson": ([0.0, 3.0, 1e5], [[0.5, 1e5]], stats.poisson.logpmf),
    "negative_binomial": ([0.0, 3.0, 1e5], [[0.5, 1e5], [0.3, 50.0]], lambda v, m, d: stats.nbinom.logpmf(v, d, d / (d + m))),
}  # fmt: skip


@pytest.mark.parametrize("name", SCIPY)
def test_double_precision_is_scipys(name: str) -> None:
    values, parameters, reference = SCIPY[name]
    grid = [torch.tensor(c, dtype=torch.float64) for c in zip(*product(values, *parameters), strict=True)]
    np.testing.assert_allclose(densities(name, grid), reference(*(c.numpy() for c in grid)), rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0, 1e4, 1e7])
def test_dirichlets_of_every_size(scale: float) -> None:
    concentration = scale * torch.tensor([[0.5, 2.0, 1.5, 1.0]], dtype=torch.float64)
    x = torch.tensor([[0.1, 0.4, 0.3, 0.2], [0.125, 0.375, 0.25, 0.25]], dtype=torch.float64)
    log_prob = ENTRIES["dirichlet"].log_prob
    expected = stats.dirichlet.logpdf(x.T.numpy(), concentration[0].numpy())
    np.testing.assert_allclose(log_prob(x, concentration, -1)[:, 0], expected, rtol=1e-9, atol=1e-7)
    single = log_prob(x.float(), concentration.float(), -1)[:, 0]
    exact = log_prob(x.float().double(), concentration.float().double(), -1)[:, 0]
    np.testing.assert_allclose(single, exact, rtol=1e-5, atol=1e-5 + 2e-7 * 5 * scale)


def test_corners_of_a_simplex_have_a_finite_density() -> None:
    corner = torch.tensor([[1.0, 0.0, 0.0]])
    for scale in (1e-3, 1.0, 50.0):
        assert ENTRIES["dirichlet"].log_prob(corner, torch.full((1, 3), scale), -1).isfinite().all()
