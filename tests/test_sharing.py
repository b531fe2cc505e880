"""What depends on observed variables alone is computed once for all groups of a batch, and comes to the same."""

import pytest
import torch
from torch import Tensor, nn

from compiler.module import Model
from compiler.noise import Noise
from compiler.weights import ObjectiveWeights
from graphspec.loading import load

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 6}
  y: {role: supervised, domain: category, classes: 3}
  t: {role: supervised, domain: real, size: 2}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, t: {}, z: {}, x: {parents: [y, t, z]}}
recognition: {y: {parents: [x], network: one}, t: {parents: [x, y]}, z: {parents: [x, y]}}
networks: {one: {kind: mlp, hidden: [8]OPTIONS}}
"""
ROWS = 12


def _model(options: str = "") -> Model:
    return Model(load("spec.yaml", text=SPEC.replace("OPTIONS", options)), seed=1, dtype=torch.float64)


def _rows() -> dict[str, Tensor]:
    """All four patterns of labels, mixed."""
    generator = torch.Generator().manual_seed(0)
    rows = {
        "x": torch.randn(ROWS, 6, generator=generator, dtype=torch.float64),
        "y": torch.randint(3, (ROWS,), generator=generator),
        "t": torch.randn(ROWS, 2, generator=generator, dtype=torch.float64),
    }
    rows["y"][::2] = -1
    rows["t"][::3] = torch.nan
    return rows


def _bound(model: Model, rows: dict[str, Tensor]) -> Tensor:
    weights = ObjectiveWeights.at(model.graphs, None, 0.0)
    return model.evaluate(rows, weights=weights, noise=Noise(5, len(rows["x"]))).bound


def _calls(module: nn.Module) -> list[int]:
    seen: list[int] = []
    forward = module.forward
    module.forward = lambda *given: (seen.append(1), forward(*given))[1]
    return seen


def test_one_evaluation_serves_every_pattern_with_the_same_value_and_gradient() -> None:
    shared, apart = _model(), _model()
    assert shared.shareable == {"recognition.y"}
    apart.shareable = frozenset()
    calls, others = _calls(shared.factors["recognition--y"]), _calls(apart.factors["recognition--y"])
    ours, theirs = _bound(shared, _rows()), _bound(apart, _rows())
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert (len(calls), len(others)) == (1, 4)
    ours.sum().backward()
    theirs.sum().backward()
    for (name, mine), other in zip(shared.named_parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-10, atol=1e-10, msg=name)


@pytest.mark.parametrize("option", ["dropout: 0.2", "normalization: batch", "input_noise: 0.1", "input_dropout: 0.1"])
def test_what_looks_at_other_rows_or_draws_stays_with_its_group(option: str) -> None:
    assert not _model(f", {option}").shareable


def test_layer_normalization_is_of_one_row() -> None:
    assert _model(", normalization: layer").shareable
