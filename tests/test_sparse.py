"""Sparse enumeration: unbiased in value and gradient, and less work than the full sum."""

import math

import pytest
import torch
from test_objective_exact import build

from compiler.noise import Noise

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 2}
  a: {role: latent, domain: category, classes: 5}
  b: {role: latent, domain: category, classes: 3}
generative:
  b: {parameters: {logits: learned}}
  a: {parents: [b]}
  x: {parents: [a, b]}
recognition:
  a: {parents: [x]}
  b: {parents: [x, a]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {estimators: {a: ESTIMATOR}}
"""
CHUNKS, ROWS = 100, 60


def values_and_gradients(estimator: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean bound of one repeated row, and its gradient by every parameter of q(a | x), per chunk of draws."""
    model = build(SPEC.replace("ESTIMATOR", estimator))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    parameters = [p for n, p in model.named_parameters() if n.startswith("factors.recognition--a")]
    rows = {"x": torch.tensor([[0.0, 1.0]]).double().expand(ROWS, 2)}
    bounds, gradients = [], []
    for chunk in range(CHUNKS):
        bound = model.bound(rows, noise=Noise(chunk, ROWS)).mean()
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(bound, parameters)]))
        bounds.append(bound.detach())
    return torch.stack(bounds), torch.stack(gradients)


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_value_and_gradient_are_unbiased(budget: int) -> None:
    exact, exact_gradient = values_and_gradients("enumerate")
    assert exact.std() < 1e-12
    moving = exact_gradient[0].abs() > 1e-12
    assert moving.sum() > 5
    found, gradient = values_and_gradients(f"{{kind: enumerate, budget: {budget}}}")
    pairs = zip(gradient.T[moving], exact_gradient[0][moving], strict=True)
    for draws, truth in ((found, exact[0]), *pairs):
        error = draws.std() / math.sqrt(CHUNKS)
        assert error > 0, "the rest is drawn, so draws differ"
        assert abs(draws.mean() - truth) < 4 * error


def test_a_budget_that_saves_nothing_is_the_full_sum() -> None:
    exact, _ = values_and_gradients("enumerate")
    found, _ = values_and_gradients("{kind: enumerate, budget: 4}")
    torch.testing.assert_close(found, exact, atol=0, rtol=0)
