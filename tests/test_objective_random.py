"""Random pairs of DAGs, discrete and Gaussian, random patterns of labels: the objective against plain sums.

The twin (row_twin.py) computes every factor in every world; worlds are all joint values of the discrete variables under
each draw of the Gaussian ones, or, where an exact expectation is wanted, at the nodes of a Gauss-Hermite rule.
"""

from itertools import chain, combinations

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_specs import Drawn, compiled, rows_of, specs
from row_twin import twin_bound

from compiler.noise import RowNoise

plain = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


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
