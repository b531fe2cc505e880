"""Float32 products by way of oneDNN against torch in double precision, and who goes that way."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from compiler.kernels import products as product_module
from compiler.kernels.products import onednn_is_faster, product

onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")


@pytest.fixture
def preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the processor, oneDNN is taken."""
    monkeypatch.setattr(product_module, "onednn_is_faster", lambda: True)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, preferred: None) -> Iterator[list[torch.Size]]:
    """Shapes that went to oneDNN."""
    seen: list[torch.Size] = []
    inner = product_module._onednn
    monkeypatch.setattr(product_module, "_onednn", lambda v, w, b=None: (seen.append(v.shape), inner(v, w, b))[1])
    yield seen


def _leaf(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@onednn
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("lead, inputs, outputs", [((300,), 60, 90), ((10, 20), 130, 33), ((1, 400), 33, 130)])
def test_values_and_gradients(
    calls: list[torch.Size], lead: tuple[int, ...], inputs: int, outputs: int, with_bias: bool
) -> None:
    ours = [_leaf(*lead, inputs, seed=0), _leaf(outputs, inputs, seed=1)]
    ours += [_leaf(outputs, seed=2)] if with_bias else []
    theirs = [leaf.detach().double().requires_grad_() for leaf in ours]
    found, expected = product(*ours), F.linear(*theirs)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(3))
    found.backward(weight)
    expected.backward(weight.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad is not None and mine.grad.shape == mine.shape
        torch.testing.assert_close(mine.grad.double(), other.grad, rtol=1e-5, atol=1e-4)
    assert len(calls) == 3, "forward, the units' gradient and the weight's"


@onednn
def test_operands_that_are_not_contiguous(calls: list[torch.Size]) -> None:
    value, weight = _leaf(90, 300, seed=0), _leaf(90, 70, seed=1)
    found = product(value.t(), weight.t())
    torch.testing.assert_close(found, value.t() @ weight, rtol=1e-5, atol=1e-4)
    gradient = torch.ones(1, 1).expand(300, 70)
    ours = torch.autograd.grad(found, (value, weight), gradient)
    theirs = torch.autograd.grad(value.t() @ weight, (value, weight), gradient)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)
    assert calls


@onednn
def test_only_what_is_asked_for_is_computed(calls: list[torch.Size]) -> None:
    value, weight = _leaf(300, 60, seed=0).detach(), _leaf(90, 60, seed=1)
    product(value, weight).sum().backward()
    assert len(calls) == 2, "data have no gradient"


@onednn
def test_everything_else_is_torchs_own_way(calls: list[torch.Size], monkeypatch: pytest.MonkeyPatch) -> None:
    value, weight = torch.ones(300, 60), torch.ones(90, 60)
    product(torch.ones(3, 60), weight)
    product(torch.ones(60, 600), torch.ones(900, 600))
    product(value.double(), weight.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert product(value, weight).dtype == torch.bfloat16
    with monkeypatch.context() as patch:
        patch.setattr(torch._C, "_get_mkldnn_enabled", lambda: False)
        product(value, weight)
    assert not calls
    product(value, weight)
    assert calls


def test_the_processor_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    onednn_is_faster.cache_clear()
    try:
        assert not onednn_is_faster()
    finally:
        onednn_is_faster.cache_clear()
