"""Every spec in specs/ and tests/specs/steps against the naive twin: value and gradient of each row's bound, for every
pattern of labels."""

from itertools import chain, combinations
from pathlib import Path

import pytest
import torch
from plate_twin import PlateTwin
from row_noise import RowNoise
from row_twin import twin_bounds
from test_golden_steps import SMALL_SPECS
from test_specs import SPECS, made_up

from compiler import compile_spec
from compiler.tensors.presence import uncounted
from graphspec.loading import load

PATTERNS = 6
"""At most this many patterns of labels for one spec."""


def build(path: Path):
    """A float64 model in eval mode, its weights moved so that nothing stands where it was initialised."""
    model = compile_spec(load(path), dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model.eval()


def some_rows(graphs) -> dict[str, torch.Tensor]:
    """One row for each pattern: whole labels present or not, then vectors with blanks inside; blanks in what may be."""
    names = graphs.supervised
    subsets = list(chain.from_iterable(combinations(names, size) for size in range(len(names), -1, -1)))
    chosen = subsets[: PATTERNS - 1] + subsets[-1:] if len(subsets) > PATTERNS else subsets
    vectors = any(graphs.variables[n].shape for n in names)
    blanks = any(graphs.variables[n].missing for n in graphs.observed)
    count = len(chosen) * (2 if vectors or blanks else 1)
    generator = torch.Generator().manual_seed(0)
    rows = {n: made_up(graphs.variables[n], generator)[:count] for n in (*graphs.observed, *names)}
    for name in (*names, *(n for n in graphs.observed if graphs.variables[n].missing)):
        value = rows[name] if graphs.variables[name].domain == "category" else rows[name].double()
        if graphs.variables[name].domain == "direction":
            value = value / value.norm(dim=1, keepdim=True)
        gone = torch.zeros_like(value, dtype=torch.bool)
        for row in range(count):
            if name in names and name not in chosen[row % len(chosen)]:
                gone[row] = True
            elif row >= len(chosen):
                gone[row] = torch.rand(value[row].shape, generator=generator) < 0.5
        value[gone] = -1 if graphs.variables[name].discrete else torch.nan
        rows[name] = value
    for name in names:  # a label of an element implies the count
        if (found := uncounted(graphs, rows, name)) is not None:
            rows[name][found[1]] = -1 if graphs.variables[name].discrete else torch.nan
    return rows


def expected_bounds(model, rows: dict[str, torch.Tensor], count: int) -> torch.Tensor:
    noises = [RowNoise(7, [row]) for row in range(count)]
    if not model.graphs.plates:
        return twin_bounds(model, rows, noises)
    alone = ({name: value[row : row + 1] for name, value in rows.items()} for row in range(count))
    return torch.stack([PlateTwin(model, row, noise).bound() for row, noise in zip(alone, noises, strict=True)])


def sums_exactly(path: Path) -> bool:
    """`tests/test_exact.py` sums over paths of such specs, of sizes at which all of them can be walked."""
    return ": exact" in path.read_text()


TOO_LARGE = {"multi-mnist", "multi-mnist-nested"}
"""The twin's list of worlds takes minutes and gigabytes: tests/test_hidden_counts.py has such graphs of other sizes."""
CASES = [
    pytest.param(path, id=path.stem)
    for path in (*SPECS, *SMALL_SPECS)
    if not sums_exactly(path) and path.stem not in TOO_LARGE
]


@pytest.mark.parametrize("path", CASES)
def test_bound_equals_the_naive_twin(path: Path) -> None:
    model = build(path)
    rows = some_rows(model.graphs)
    count = len(next(iter(rows.values())))
    found = model.bound(rows, noise=RowNoise(7, range(count)))
    expected = expected_bounds(model, rows, count)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-13)
    if gradients_differ(model):
        return
    parameters = list(model.parameters())
    mine = torch.autograd.grad(found.sum(), parameters, allow_unused=True)
    theirs = torch.autograd.grad(expected.sum(), parameters, allow_unused=True)
    for (name, _), left, right in zip(model.named_parameters(), mine, theirs, strict=True):
        assert (left is None) == (right is None), name
        if left is not None:
            torch.testing.assert_close(left, right, atol=1e-9, rtol=1e-9, msg=name)


def gradients_differ(model) -> bool:
    """Doubly reparameterised draws and budgets have another gradient than the plain one, equal to it in the mean only
    (test_objective_random.py)."""
    objective = model.graphs.spec.objective
    budgets = any(estimator.budget is not None for estimator in objective.estimators.values())
    return objective.bound == "importance_weighted" or budgets
