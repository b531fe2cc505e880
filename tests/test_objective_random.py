"""Random pairs of DAGs, discrete and Gaussian, random patterns of labels: the objective against plain sums.

The twin (row_twin.py) computes every factor in every world; worlds are all joint values of the discrete variables under
each draw of the Gaussian ones, or, where an exact expectation is wanted, at the nodes of a Gauss-Hermite rule.
"""

import re
from itertools import chain, combinations, product

import numpy as np
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_specs import Drawn, compiled, rows_of, specs
from row_twin import twin_bound

from compiler.noise import Noise, RowNoise

plain = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


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
    """Chosen standard normal draws: {name: one number per sample}."""

    def __init__(self, chosen: dict[str, list[float]]) -> None:
        super().__init__(0, 1)
        self.chosen = chosen

    def normal(self, name, lead, event, dtype):
        return torch.tensor(self.chosen[name], dtype=dtype).reshape(*lead, 1, *event)


def exact_mean(model, row: dict[str, torch.Tensor], drawn: list[str], nodes: int) -> torch.Tensor:
    """The mean of the twin's bound over the noise of the Gaussian variables `drawn`, by a Gauss-Hermite rule per draw."""
    points, masses = np.polynomial.hermite_e.hermegauss(nodes)
    masses, samples = masses / masses.sum(), model.graphs.spec.objective.samples
    total = torch.zeros((), dtype=torch.float64)
    for chosen in product(range(nodes), repeat=samples * len(drawn)):
        eps = {n: [points[i] for i in chosen[k * samples : (k + 1) * samples]] for k, n in enumerate(drawn)}
        total = total + masses[list(chosen)].prod() * twin_bound(model, row, NodeNoise(eps), closed_forms=False)
    return total


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


@settings(plain, max_examples=8)
@given(st.data())
def test_draws_agree_in_mean_with_quadrature(data) -> None:
    """One Gaussian with S up to 2, or two with S = 1, beside discrete variables; every pattern of labels.

    The mean over 40 x 250 draws of bound and gradient against the expectation over the noise (weights of labels below a
    draw included: the S-sample estimate is what is averaged), to 5.5 standard errors for the largest of all entries.
    """
    drawn = data.draw(specs(most=3, samples=2, weights=False))
    pattern = data.draw(st.sampled_from(patterns_of(data.draw, drawn, 8)))
    model, row = compiled(drawn), rows_of(drawn, [pattern])
    gaussian = [n for n in drawn.names if not drawn.kinds[n] and n not in pattern]
    samples = model.graphs.spec.objective.samples
    assume(1 <= len(gaussian) * samples <= 2)
    exact = exact_mean(model, row, gaussian, 24 if len(gaussian) * samples == 1 else 14)
    assert_mean(means_over_noise(model, row, 40, 250), exact, model)
