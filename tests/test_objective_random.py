"""Random pairs of DAGs, discrete and Gaussian, random patterns of labels: the objective against plain sums.

The twin (row_twin.py) computes every factor in every world; worlds are all joint values of the discrete variables under
each draw of the Gaussian ones, or, where an exact expectation is wanted, at the nodes of a Gauss-Hermite rule.
"""

import re
from itertools import chain, combinations

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from random_specs import Drawn, compiled, rows_of, specs
from row_twin import twin_bound

from compiler.noise import Noise, RowNoise

plain = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
slow = settings(plain, phases=[Phase.generate])
"""For what takes seconds an example: fails with the first case found instead of searching for the smallest."""


def patterns_of(draw, drawn: Drawn, most: int) -> list[tuple[str, ...]]:
    """No labels, all labels, and others in between: at most `most`."""
    names = drawn.supervised
    subsets = list(chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))
    if len(subsets) <= most:
        return subsets
    return [subsets[0], subsets[-1], *draw(st.lists(st.sampled_from(subsets[1:-1]), min_size=1, max_size=most - 2))]


def gradients(value: torch.Tensor, model) -> torch.Tensor:
    """All gradients in one vector."""
    parameters = list(model.parameters())
    found = torch.autograd.grad(value, parameters, allow_unused=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, found, strict=True)])


@settings(plain, max_examples=40)
@given(st.data())
def test_value_and_gradient_equal_the_sum_over_all_worlds(data) -> None:
    """Any two DAGs of up to six variables, alpha, beta and free bits per variable, both label bounds, S up to 3."""
    drawn = data.draw(specs())
    patterns = patterns_of(data.draw, drawn, 4)
    model, rows = compiled(drawn), rows_of(drawn, patterns)
    found = model.bound(rows, noise=RowNoise(3, range(len(patterns))))
    expected = torch.stack([
        twin_bound(model, {n: v[row : row + 1] for n, v in rows.items()}, RowNoise(3, [row]))
        for row in range(len(patterns))
    ])  # fmt: skip
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-12)
    row_weights = torch.arange(1, len(patterns) + 1, dtype=torch.float64)
    mine, theirs = gradients(found @ row_weights, model), gradients(expected @ row_weights, model)
    torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=1e-9)


class NodeNoise(Noise):
    """One chosen standard normal draw for the only variable that is drawn."""

    def __init__(self, value: float) -> None:
        super().__init__(0, 1)
        self.value = value

    def normal(self, name, lead, event, dtype):
        return torch.full((*lead, 1, *event), self.value, dtype=dtype)


def exact_mean(model, row: dict[str, torch.Tensor], nodes: int = 81, reach: float = 7.0) -> torch.Tensor:
    """The mean of the twin's bound over one standard normal draw: the trapezoid rule, which converges exponentially for
    smooth functions (81 and 161 nodes differ by less than 1e-9 here). No closed form is used."""
    points = np.linspace(-reach, reach, nodes)
    masses = np.exp(-0.5 * points**2)
    bounds = [twin_bound(model, row, NodeNoise(float(point)), closed_forms=False) for point in points]
    return torch.stack(bounds) @ torch.tensor(masses / masses.sum())


def means_over_noise(model, row: dict[str, torch.Tensor], batches: int, size: int) -> torch.Tensor:
    """Value and gradient of `batches` means over `size` draws of the bound of one row: [batches, 1 + parameters]."""
    many = {name: value.expand(size, *value.shape[1:]) for name, value in row.items()}
    found = []
    for batch in range(batches):
        value = model.bound(many, noise=Noise(1000 + batch, size)).mean()
        found.append(torch.cat([value.detach().reshape(1), gradients(value, model)]))
    return torch.stack(found)


def assert_mean(found: torch.Tensor, exact: torch.Tensor, model, *, errors: float = 5.5) -> None:
    """Value and every entry of the gradient within `errors` standard errors of the exact ones."""
    expected = torch.cat([exact.detach().reshape(1), gradients(exact, model)])
    standard_error = found.std(0) / len(found) ** 0.5
    off = (found.mean(0) - expected).abs() - errors * standard_error
    worst = int(off.argmax())
    said = f"entry {worst}: {found.mean(0)[worst]:.5f} against {expected[worst]:.5f}, error {standard_error[worst]:.5f}"
    assert off[worst] < 1e-5, said


@settings(slow, max_examples=6)
@given(st.data())
def test_draws_agree_in_mean_with_quadrature(data) -> None:
    """One Gaussian beside discrete variables, any pattern of labels, upstream of labels or not (then S = 1 is averaged).

    Mean over 40 x 250 draws of bound and gradient against the integral over the noise, within 5.5 standard errors.
    """
    drawn = data.draw(specs(most=4, samples=1, weights=False))
    pattern = data.draw(st.sampled_from(patterns_of(data.draw, drawn, 8)))
    assume(sum(not drawn.kinds[n] and n not in pattern for n in drawn.names) == 1)
    model, row = compiled(drawn), rows_of(drawn, [pattern])
    assert_mean(means_over_noise(model, row, 40, 250), exact_mean(model, row), model)
