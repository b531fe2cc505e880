"""The fused row kernels against torch in double precision, and what happens where there are none."""

import os
from pathlib import Path

import pytest
import torch
from kernel_cases import DENSITIES, DOUBLE, IN_TORCH, INPUTS, SPEC, SameNoise, close, distribution, draw, inputs_of

from compiler import kernels
from compiler.kernels import FUSED_ACTIVATIONS, building_kernels, fused_density, sum_activate
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from graphspec.loading import load

built = pytest.mark.skipif(kernels.library().functions is None, reason=kernels.library().note)


@built
@pytest.mark.parametrize("name", sorted(FUSED_ACTIVATIONS))
@pytest.mark.parametrize(
    "shapes",
    [
        [(300, 50)],
        [(1, 500), (40, 500)],
        [(1, 1, 70), (10, 1, 70), (1, 33, 70), (10, 33, 70)],
        [(1, 1, 1, 130), (3, 1, 20, 130), (1, 4, 20, 130), (1, 4, 1, 130), (3, 4, 1, 130)],
    ],
)
def test_sums_and_activations(name: str, shapes: list[tuple[int, ...]]) -> None:
    ours = [draw(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]
    theirs = [part.detach().double().requires_grad_() for part in ours]
    out, expected = sum_activate(ours, name), IN_TORCH[name](sum(theirs))
    assert out is not None and out.shape == expected.shape
    close(out, expected)
    weight = draw(*out.shape, seed=99)
    out.backward(weight)
    expected.backward(weight.double())
    for mine, other in zip(ours, theirs, strict=True):
        close(mine.grad, other.grad, 1e-5)


@built
@pytest.mark.parametrize("name", sorted(FUSED_ACTIVATIONS))
def test_ends_of_the_range(name: str) -> None:
    ends = torch.tensor([float("inf"), -float("inf"), float("nan"), 0.0, 1e-20, 90.0, -90.0, 3e38, -3e38, -1e-6])
    found, expected = sum_activate([ends.repeat(500, 1)], name)[0], IN_TORCH[name](ends.double()).float()
    torch.testing.assert_close(found, expected, rtol=3e-6, atol=1e-37, equal_nan=True)


@built
def test_small_slopes_keep_their_digits() -> None:
    """softplus' = 1 - exp(-softplus) would lose every digit far below zero."""
    x = torch.linspace(-30, 5, 5000).reshape(1, -1).requires_grad_()
    sum_activate([x], "softplus").sum().backward()
    torch.testing.assert_close(x.grad, torch.sigmoid(x.detach().double()).float(), rtol=3e-6, atol=0)


@built
@pytest.mark.parametrize("name", sorted(DENSITIES))
@pytest.mark.parametrize("narrow", [0, 1, 2])
def test_densities(name: str, narrow: int) -> None:
    """narrow: which input is shared by all rows (a learned parameter, a constant)."""
    narrow = min(narrow, INPUTS[name] - 1)
    shapes = [(5, 12, 3, 70) if i in (0, 1) else (1, 12, 3, 70) for i in range(INPUTS[name])]
    shapes[narrow] = (1, 1, 3, 70)
    ours = [data.requires_grad_() for data in inputs_of(shapes)]
    theirs = [t.detach().double().requires_grad_() for t in ours]
    out, expected = fused_density(name, ours, 2), DENSITIES[name](*theirs).sum((-2, -1))
    assert out is not None and out.shape == expected.shape
    close(out, expected)
    weight = draw(*out.shape, seed=7)
    out.backward(weight)
    expected.backward(weight.double())
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad.shape == other.grad.shape
        close(mine.grad, other.grad, 1e-5)


@built
def test_one_number_for_a_whole_event() -> None:
    logits = torch.tensor([[0.7]], requires_grad=True)
    twin = logits.detach().double().requires_grad_()
    value = (draw(200, 60, seed=2) > 0).float()
    found = fused_density("bernoulli", [logits.expand(1, 60), value], 1)
    expected = DENSITIES["bernoulli"](twin, value.double()).sum(-1)
    assert found is not None
    close(found, expected)
    found.sum().backward()
    expected.sum().backward()
    close(logits.grad, twin.grad, 1e-5)


@built
def test_the_family_agrees_with_its_elementwise_density() -> None:
    p = distribution("bernoulli", (80,), logits=draw(100, 80, seed=1))
    value = (draw(100, 80, seed=3) > 0).float()
    close(p.log_prob(value), p.log_prob_each(value).double().sum(-1))


def _gradients(text: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    model = Model(load("spec.yaml", text=text), seed=3, dtype=DOUBLE).to(dtype)
    model.dtype = dtype
    x = (torch.rand(64, 60, generator=torch.Generator().manual_seed(0)) > 0.5).to(dtype)
    y = torch.arange(64) % 7
    y[::2] = -1
    noise = SameNoise(5, 64)
    bound = model.evaluate(
        {"x": x, "y": y}, weights=ObjectiveWeights.at(model.graphs, model.rates, 0.0), noise=noise
    ).bound
    bound.sum().backward()
    return bound.detach().double(), torch.cat([p.grad.double().flatten() for p in model.parameters()])


@built
@pytest.mark.parametrize("activation", ["softplus", "tanh", "relu", "gelu"])
def test_a_model_with_kernels_equals_double_precision(activation: str) -> None:
    text = SPEC.replace("ACTIVATION", activation)
    bound, gradient = _gradients(text, torch.float32)
    expected_bound, expected_gradient = _gradients(text, DOUBLE)
    close(bound, expected_bound)
    close(gradient, expected_gradient, 2e-5)


def test_without_a_compiler_torch_does_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    building_kernels.library.cache_clear()
    try:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv(building_kernels.SWITCH, str(tmp_path / "kept"))
        assert "no C++ compiler" in kernels.status()
        assert sum_activate([torch.ones(100, 100)], "softplus") is None
        bound, _ = _gradients(SPEC.replace("ACTIVATION", "softplus"), torch.float32)
        assert bound.isfinite().all()
    finally:
        building_kernels.library.cache_clear()


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for the compiler")
def test_a_failing_compiler_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "c++"
    fake.write_text("#!/bin/sh\necho 'rows.cpp: cannot do that' >&2\nexit 1\n")
    fake.chmod(0o755)
    building_kernels.library.cache_clear()
    try:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv(building_kernels.SWITCH, str(tmp_path / "kept"))
        assert "failed: rows.cpp: cannot do that" in kernels.status()
        assert not list((tmp_path / "kept").glob("*.so"))
    finally:
        building_kernels.library.cache_clear()


def test_they_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    building_kernels.library.cache_clear()
    try:
        monkeypatch.setenv(building_kernels.SWITCH, "off")
        assert kernels.status() == "no fused kernels: turned off by GRAPHSPEC_KERNELS"
    finally:
        building_kernels.library.cache_clear()


@built
def test_other_precisions_and_small_work_stay_with_torch() -> None:
    assert sum_activate([torch.ones(100, 100, dtype=DOUBLE)], "softplus") is None
    assert sum_activate([torch.ones(2, 3)], "softplus") is None
    assert sum_activate([torch.ones(100, 100)], "gelu") is None
    assert (
        fused_density("bernoulli", [torch.ones(100, 100, dtype=DOUBLE), torch.ones(100, 100, dtype=DOUBLE)], 1) is None
    )
