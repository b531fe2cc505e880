"""Sparse enumeration: unbiased in value and gradient, and less work than the full sum."""

import math
from pathlib import Path

import pytest
import torch
from test_objective_exact import build

from compiler.symbolic.cost import program_cost
from compiler.symbolic.lowering import lower
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from graphspec.loading import load

SPECS = Path(__file__).parent.parent / "specs"

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


def test_an_automatic_budget_is_taken_where_it_saves_work() -> None:
    """A deep decoder runs twice in place of ten times; where all the work is in front of y, every value is summed."""
    auto = "objective.estimators={y: {kind: enumerate, budget: auto}}"
    cheap = lower(load(str(SPECS / "mnist-m2.yaml"), (auto,)), Pattern(())).choices["y"]
    assert cheap.budget == 1 and "times less" in cheap.reason
    wide = (
        "generative.x.network={kind: mlp, hidden: [2]}",
        "recognition.z={parents: [h], network: {kind: linear}}",
        "recognition.h.network={kind: mlp, hidden: [4000, 4000]}",
    )
    full = lower(load(str(SPECS / "mnist-m2.yaml"), (auto, *wide)), Pattern(())).choices["y"]
    assert full.budget is None and full.estimator == "enumerate" and "the sum is exact" in full.reason
    twice = lower(
        load(str(SPECS / "mnist-m2.yaml"), (auto, "variables.y.classes=2", "data=null")), Pattern(())
    ).choices["y"]
    assert twice.budget is None and "saves nothing" in twice.reason


def test_the_work_an_automatic_budget_saves_is_the_cost_that_explain_prints() -> None:
    summed = load(str(SPECS / "mnist-m2.yaml"), ("objective.estimators={y: enumerate}",))
    full = program_cost(lower(summed, Pattern(()))).multiply_adds
    asked = "objective.estimators={y: {kind: enumerate, budget: auto}}"
    program = lower(load(str(SPECS / "mnist-m2.yaml"), (asked,)), Pattern(()))
    assert f"{full / program_cost(program).multiply_adds:.1f} times less" in program.choices["y"].reason
