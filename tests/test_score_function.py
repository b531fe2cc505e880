"""The score function against exact enumeration: unbiased gradients, with and without a label below."""

import math

import pytest
import torch
from discrete_specs import discrete_spec
from test_objective_exact import build

from compiler.tensors.noise import Noise

CHUNKS, ROWS = 150, 100
GENERATIVE = {"a": [], "b": ["a"], "x": ["a", "b"]}


def gradients(estimators: str, recognition: dict[str, list[str]], label: int, samples: int) -> torch.Tensor:
    """[CHUNKS, parameters] gradients of the mean bound by q's parameters."""
    objective = f"{{alpha: 1.5, samples: {samples}, label_bound: jensen, estimators: {estimators}}}"
    model = build(discrete_spec({"a": 3, "b": 2}, ["b"], GENERATIVE, recognition, objective))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    parameters = [p for n, p in model.named_parameters() if n.startswith("factors.recognition")]
    rows = {"x": torch.tensor([[0.0, 1.0]]).double().expand(ROWS, 2), "b": torch.full((ROWS,), label)}
    found = []
    for chunk in range(CHUNKS):
        bound = model.bound(rows, noise=Noise(chunk, ROWS)).mean()
        parts = torch.autograd.grad(bound, parameters, allow_unused=True)
        found.append(
            torch.cat(
                [(torch.zeros_like(p) if g is None else g).flatten() for g, p in zip(parts, parameters, strict=True)]
            )
        )
    return torch.stack(found)


@pytest.mark.parametrize("samples", [1, 3])
def test_unlabelled_gradients_are_unbiased(samples: int) -> None:
    recognition = {"a": ["x"], "b": ["x", "a"]}
    exact = gradients("{}", recognition, -1, 1)[0]
    draws = gradients("{a: score_function, b: score_function}", recognition, -1, samples)
    compare(draws, exact)


def compare(draws: torch.Tensor, exact: torch.Tensor) -> None:
    moving = draws.std(0) > 1e-10
    assert moving.sum() > 10
    error = draws.std(0)[moving] / math.sqrt(CHUNKS)
    deviation = ((draws.mean(0)[moving] - exact[moving]) / error).abs()
    assert deviation.max() < 4.5, f"largest deviation {deviation.max():.1f} standard errors of {int(moving.sum())}"
    torch.testing.assert_close(draws.mean(0)[~moving], exact[~moving], atol=1e-8, rtol=0)


def test_a_baseline_lowers_the_variance() -> None:
    recognition = {"a": ["x"], "b": ["x", "a"]}
    one = gradients("{a: score_function, b: score_function}", recognition, -1, 1)
    four = gradients("{a: score_function, b: score_function}", recognition, -1, 4)
    assert four.var(0).sum() < one.var(0).sum() / 8, "four samples alone would give a quarter"


def test_what_is_upstream_of_a_draw_is_drawn_too() -> None:
    text = discrete_spec(
        {"a": 3, "b": 2}, ["b"], GENERATIVE, {"a": ["x"], "b": ["x", "a"]}, "{estimators: {b: score_function}}"
    )
    from compiler.symbolic.lowering import lower
    from compiler.symbolic.program import Pattern
    from graphspec.loading import load

    assert lower(load("-", text=text), Pattern(())).scored == ("a", "b")
