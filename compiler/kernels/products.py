"""Float32 matrix products through oneDNN, where torch's own way to MKL leaves half of the processor idle.

MKL runs AVX-512 code on its maker's processors only; oneDNN, which torch uses for convolutions and bfloat16 anyway,
asks what the processor can do. On an AMD EPYC with AVX-512 the products of a training step are twice as fast.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 2**18
"""Multiplications below which the longer way to oneDNN costs more than it saves."""

FEWEST_ROWS = 64
"""oneDNN lays the weights out anew at every call, which takes as long as multiplying some thirty rows."""


def product(value: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """value [..., inputs] times the transpose of weight [outputs, inputs], plus bias [outputs]: [..., outputs]."""
    if not _eligible(value, weight):
        return F.linear(value, weight, bias)
    return _Product.apply(value, weight, bias)  # type: ignore[no-any-return, no-untyped-call]


def _eligible(value: Tensor, weight: Tensor) -> bool:
    return (
        value.numel() * weight.shape[0] >= SMALLEST
        and value.numel() >= FEWEST_ROWS * value.shape[-1]
        and value.dtype == weight.dtype == torch.float32
        and value.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and onednn_is_faster()
        and torch._C._get_mkldnn_enabled()
    )


@cache
def onednn_is_faster() -> bool:
    """Whether the processor has AVX-512 but is not one for which MKL uses it."""
    if not torch.backends.mkldnn.is_available() or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith("vendor_id") and line.split()[-1] == "AuthenticAMD" for line in lines)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(value, weight)
        return _onednn(value, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        value, weight = ctx.saved_tensors
        for_value, for_weight, for_bias = ctx.needs_input_grad
        rows, units = grad.reshape(-1, grad.shape[-1]), value.reshape(-1, value.shape[-1])
        return (
            _onednn(grad, weight.t()) if for_value else None,
            _outer(rows, units) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """The transpose of left [rows, n] times right [rows, m]: [n, m]."""
    # oneDNN likes many columns better than many rows
    if left.shape[1] <= right.shape[1]:
        return _onednn(left.t(), right.t())
    return _onednn(right.t(), left.t()).t()


def _onednn(value: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What torch.compile, too, makes of a linear layer on a CPU."""
    return torch.ops.mkldnn._linear_pointwise(value, weight, bias, "none", [], "")  # type: ignore[no-any-return]
