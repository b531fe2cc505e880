"""The row kernels on bfloat16, alone and beside float32, against torch in double precision on the same numbers."""

import pytest
import torch
from distributions import closed_kl
from kernel_cases import DENSITIES, IN_TORCH, INPUTS, SameNoise, close, distribution, draw, inputs_of
from torch import Tensor

from compiler import kernels
from compiler.kernels import (
    FUSED_ACTIVATIONS,
    building_kernels,
    fused_density,
    softplus_above,
    sum_activate,
)
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load

built = pytest.mark.skipif(kernels.library().functions is None, reason=kernels.library().note)
HALF = torch.bfloat16
ROUNDING = 2.0**-8
"""What rounding to bfloat16 changes at most, relative to the number."""


SLOPE = 2
"""How many roundings of the output its slope may be off, relative to the largest slope."""


def _twins(parts: list[Tensor], halves: tuple[int, ...]) -> tuple[list[Tensor], list[Tensor]]:
    """Leaves with those at `halves` in bfloat16, and the same numbers in double precision."""
    ours = [part.to(HALF) if i in halves else part for i, part in enumerate(parts)]
    return [part.requires_grad_() for part in ours], [part.detach().double().requires_grad_() for part in ours]


def _autocast(on: bool = True) -> torch.autocast:
    return torch.autocast("cpu", HALF, enabled=on)


BROADCASTING = [
    [(300, 50)],
    [(1, 500), (40, 500)],
    [(1, 1, 70), (10, 1, 70), (1, 33, 70), (10, 33, 70)],
    [(10, 33, 77), (10, 33, 77), (1, 77)],
    [(1, 1, 1, 130), (3, 1, 20, 130), (1, 4, 20, 130), (1, 4, 1, 130), (3, 4, 1, 130)],
]


@built
@pytest.mark.parametrize("name", sorted(FUSED_ACTIVATIONS))
@pytest.mark.parametrize("shapes", BROADCASTING)
@pytest.mark.parametrize("halves", [(), (0,), (1, 3), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("autocast", [False, True])
def test_sums_and_activations(
    name: str, shapes: list[tuple[int, ...]], halves: tuple[int, ...], autocast: bool
) -> None:
    parts, twins = _twins([draw(*shape, seed=i) for i, shape in enumerate(shapes)], halves)
    with _autocast(autocast):
        out = sum_activate(parts, name)
    expected = IN_TORCH[name](sum(twins))
    assert out is not None and out.shape == expected.shape
    assert out.dtype == (HALF if autocast or all(part.dtype == HALF for part in parts) else torch.float32)
    in_half = out.dtype == HALF
    torch.testing.assert_close(out.double(), expected, rtol=ROUNDING if in_half else 1e-5, atol=1e-5)
    weight = draw(*out.shape, seed=99).to(out.dtype)
    out.backward(weight)
    expected.backward(weight.double())
    for mine, other in zip(parts, twins, strict=True):
        assert mine.grad is not None and other.grad is not None and mine.grad.dtype == mine.dtype
        close(mine.grad, other.grad, SLOPE * ROUNDING if in_half else ROUNDING if mine.dtype == HALF else 1e-5)


@built
def test_small_slopes_keep_bfloat16s_own_digits() -> None:
    """softplus' = 1 - exp(-softplus), of a rounded softplus, rounded: relative to each slope, not to the largest."""
    x = torch.linspace(-30, 5, 5000).to(HALF).reshape(1, -1).requires_grad_()
    out = sum_activate([x], "softplus")
    assert out is not None
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad.double(), torch.sigmoid(x.detach().double()), rtol=2 * ROUNDING, atol=0)


@built
@pytest.mark.parametrize("name", sorted(FUSED_ACTIVATIONS))
def test_ends_of_the_range(name: str) -> None:
    inf = float("inf")
    ends = torch.tensor([inf, -inf, float("nan"), 0.0, 1e-20, 90.0, -90.0, 3e38, -3e38, -1e-6, 1.003]).to(HALF)
    found = sum_activate([ends.repeat(500, 1)], name)
    assert found is not None
    expected = IN_TORCH[name](ends.double()).float().to(HALF)
    torch.testing.assert_close(found[0], expected, rtol=ROUNDING, atol=1e-37, equal_nan=True)


@built
@pytest.mark.parametrize("dtype", [torch.float32, HALF])
def test_the_link_of_a_scale(dtype: torch.dtype) -> None:
    """In float32 also under autocast, from one head's columns of a wider product."""
    both = draw(10, 33, 90, seed=0).to(dtype).requires_grad_()
    raw, twin = both[..., 20:70], both.detach().double()[..., 20:70].requires_grad_()
    with _autocast():
        found = softplus_above(raw, 0.54, 1e-4)
    assert found is not None and found.dtype == torch.float32
    expected = torch.nn.functional.softplus(twin + 0.54) + 1e-4
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)
    found.log().sum().backward()
    expected.log().sum().backward()
    assert both.grad is not None and twin.grad is not None
    close(both.grad[..., 20:70], twin.grad, ROUNDING if dtype == HALF else 1e-5)


@built
def test_rounding_is_torchs_own() -> None:
    """Ties to even, overflow to infinity, NaN with any payload, on both sides of 64 numbers."""
    bits = torch.randint(-(2**31), 2**31, (100, 99), generator=torch.Generator().manual_seed(0), dtype=torch.int64)
    bits[:, :40] = bits[:, :40] & ~0xFFFF | 0x8000
    bits[0, :3] = torch.tensor([0x7F7FFFFF, 0x7F800001, -1])
    x = (bits & 0x7FFFFFFF).to(torch.int32).view(torch.float32)
    x = torch.where(x < 32, x + 32, x)  # where softplus changes nothing
    with _autocast():
        found = sum_activate([x], "softplus")
    assert found is not None
    torch.testing.assert_close(found, x.to(HALF), rtol=0, atol=0, equal_nan=True)


@built
@pytest.mark.parametrize("name", sorted(DENSITIES))
@pytest.mark.parametrize("halves", [(0,), (1,), (0, 1, 2, 3)])
@pytest.mark.parametrize("event", [(70,), (3, 7), (128,)])
def test_densities(name: str, halves: tuple[int, ...], event: tuple[int, ...]) -> None:
    leads = [(5, 60), (5, 60), (1, 60), (1, 1)]
    ours, theirs = _twins(inputs_of([(*lead, *event) for lead in leads[: INPUTS[name]]]), halves)
    out, expected = fused_density(name, ours, len(event)), DENSITIES[name](*theirs).flatten(2).sum(-1)
    assert out is not None and out.dtype == torch.float32
    close(out, expected, 1e-5)
    weight = draw(*out.shape, seed=7)
    out.backward(weight)
    expected.backward(weight.double())
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad is not None and other.grad is not None and mine.grad.dtype == mine.dtype
        close(mine.grad, other.grad, ROUNDING if mine.dtype == HALF else 1e-5)


@built
def test_what_stays_with_torch() -> None:
    part = torch.ones(100, 100, dtype=HALF)
    assert sum_activate([part] * 16, "softplus") is not None and sum_activate([part] * 17, "softplus") is None
    assert sum_activate([part, part.double()], "softplus") is None and sum_activate([part.half()], "softplus") is None
    assert softplus_above(torch.ones(2, 3, dtype=HALF), 0.0, 0.0) is None
    assert fused_density("bernoulli", [part, part.double()], 1) is None
    assert fused_density("bernoulli", [part[:2, :3], part[:2, :3]], 1) is None


@built
def test_logits_that_are_not_numbers_are_told() -> None:
    logits, value = draw(100, 99, seed=1).to(HALF), torch.ones(100, 99)
    logits[1, 98], logits[2, 3], logits[3, 0] = float("nan"), 1e38, -1e38
    value[2, 3], value[3, 0] = 0.0, 1.0
    found = fused_density("bernoulli", [logits, value], 1)
    assert found is not None
    expected = DENSITIES["bernoulli"](logits.double(), value.double()).sum(-1)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0, equal_nan=True)


@pytest.mark.parametrize("kernel", [True, False])
def test_families_compute_in_single_precision(kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the kernel takes bfloat16 parameters or torch computes with them, nothing is rounded on the way."""
    if not kernel:
        monkeypatch.setattr("compiler.families.entry.fused_density", lambda *_: None)
    loc, scale, value = draw(100, 80, seed=1).to(HALF), draw(100, 80, seed=2).abs() + 0.2, draw(100, 80, seed=3)
    for family, parameters in [
        ("bernoulli", {"logits": loc}),
        *((f, {"loc": loc, "scale": scale}) for f in ("normal", "laplace")),
    ]:
        p = distribution(family, (80,), **parameters)
        exact = distribution(family, (80,), **{name: given.double() for name, given in parameters.items()})
        x = (value > 0).float() if family == "bernoulli" else value
        close(p.log_prob(x), exact.log_prob(x.double()), 1e-5)
        close(p.log_prob_each(x), exact.log_prob_each(x.double()), 1e-5)
        close(p.mean, exact.mean, 1e-6)
        close(closed_kl(p, p.rebuilt(lambda t: 2 * t)), closed_kl(exact, exact.rebuilt(lambda t: 2 * t)), 1e-5)
        assert {
            t.dtype for t in (p.like, p.mean, p.mode, p.log_prob(x), p.draw(p.standard_noise(Noise(0, 100), "x")))
        } == {torch.float32}


def test_families_without_a_kernel_keep_no_bfloat16() -> None:
    half = torch.ones(4, 3, dtype=HALF)
    assert distribution("lognormal", (3,), loc=half, scale=half).stored["loc"].dtype == torch.float32
    assert distribution("categorical", (), logits=half).stored["logits"].dtype == torch.float32
    assert distribution("bernoulli", (3,), logits=half).stored["logits"].dtype == HALF


def test_a_conversion_made_without_gradients_is_not_kept() -> None:
    logits = torch.zeros(4, 3, dtype=HALF, requires_grad=True)
    p = distribution("bernoulli", (3,), logits=logits)
    p.draw(torch.full((4, 3), 0.3))
    with torch.no_grad():
        assert not p.mean.requires_grad
    p.log_prob_each(torch.ones(4, 3)).sum().backward()
    assert logits.grad is not None and logits.grad.dtype == HALF


SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [784]}
  y: {role: supervised, domain: category, classes: 10}
  z: {role: latent, domain: real, size: 50}
  h: {role: deterministic}
generative: {y: {}, z: {}, x: {parents: [y, z], distribution: bernoulli}}
recognition: {h: {parents: [x]}, y: {parents: [h]}, z: {parents: [h, y]}}
networks: {default: {kind: mlp, hidden: [128, 128], activation: softplus}}
objective: {alpha: 50}
"""


def _objective(bf16: bool) -> tuple[Tensor, Tensor]:
    """M2's bound, nats a row, half of 128 rows labelled; the gradient as one vector."""
    model = Model(load("spec.yaml", text=SPEC), seed=3)
    rows = {"x": torch.rand(128, 784, generator=torch.Generator().manual_seed(0)), "y": torch.arange(128) % 10}
    rows["y"][::2] = -1
    weights = ObjectiveWeights.at(model.graphs, model.rates, 0.0)
    with _autocast(bf16):
        bound = model.evaluate(rows, weights=weights, noise=SameNoise(5, 128)).bound
    assert bound.dtype == torch.float32
    bound.mean().backward()
    return bound.mean().detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@built
def test_the_objective_in_bfloat16() -> None:
    """What `runtime.training.speed.choices.BF16_NOTE` tells: here the value agrees to 0.02 %, the gradient to 1 %."""
    value, gradient = _objective(bf16=True)
    exact_value, exact_gradient = _objective(bf16=False)
    assert abs(float(value / exact_value) - 1) < 2e-4
    assert abs(float(gradient.norm() / exact_gradient.norm()) - 1) < 3e-3
    assert float((gradient - exact_gradient).norm() / exact_gradient.norm()) < 1e-2


@built
def test_without_kernels_bfloat16_products_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    value, gradient = _objective(bf16=True)
    building_kernels.library.cache_clear()
    try:
        monkeypatch.setenv(building_kernels.SWITCH, "off")
        other_value, other_gradient = _objective(bf16=True)
    finally:
        building_kernels.library.cache_clear()
    assert abs(float(value / other_value) - 1) < 1e-4
    assert float((gradient - other_gradient).norm() / other_gradient.norm()) < 1e-2
