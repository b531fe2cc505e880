"""activation(sum of parts that broadcast against each other), in one pass forward and one backward."""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compiler.broadcasting import broadcast_shape
from compiler.kernels.building import library
from compiler.kernels.calls import Operand, eligible, frame_of, operand_of

FUSED_ACTIVATIONS = frozenset({"identity", "relu", "leaky_relu", "elu", "softplus", "sigmoid", "tanh"})
"""Those whose derivative is a function of their output, so that the sum itself need not be kept."""


def sum_activate(parts: Sequence[Tensor], activation: str) -> Tensor | None:
    """activation(parts[0] + parts[1] + ...), each part [*lead, width] with lead sizes whole or 1: [*lead, width].

    None where there is no kernel for it: the caller then does it in torch.
    """
    if activation not in FUSED_ACTIVATIONS:
        return None
    *lead, width = broadcast_shape(*(part.shape for part in parts))
    if any(part.shape[-1] != width for part in parts) or not eligible(parts, lead, width):
        return None
    if library().functions is None:
        return None
    contiguous = [part if part.stride(-1) == 1 or width == 1 else part.contiguous() for part in parts]
    return _SumActivate.apply(activation, *contiguous)  # type: ignore[no-any-return, no-untyped-call]


class _SumActivate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, activation: str, *parts: Tensor) -> Tensor:
        shape = broadcast_shape(*(part.shape for part in parts))
        out = parts[0].new_empty(shape)
        frame = frame_of(shape[:-1], shape[-1])
        operands = _operands(parts, len(shape) - 1)
        _function(f"activate_{activation}")(
            ctypes.byref(frame), operands, ctypes.c_int64(len(parts)), ctypes.c_void_p(out.data_ptr())
        )
        ctx.activation = activation
        ctx.shapes = [part.shape for part in parts]
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (out,) = ctx.saved_tensors
        grad, shape = grad.contiguous(), out.shape
        wanted = ctx.needs_input_grad[1:]
        whole = out.new_empty(shape) if any(w and s == shape for w, s in zip(wanted, ctx.shapes, strict=True)) else None
        grads = [
            None if not want else whole if s == shape else out.new_zeros(s)
            for want, s in zip(wanted, ctx.shapes, strict=True)
        ]
        sums = [g for g in grads if g is not None and g is not whole]
        frame = frame_of(shape[:-1], shape[-1])
        _function(f"activate_backward_{ctx.activation}")(
            ctypes.byref(frame),
            ctypes.c_void_p(grad.data_ptr()),
            ctypes.c_void_p(out.data_ptr()),
            ctypes.c_void_p(0 if whole is None else whole.data_ptr()),
            _operands(sums, len(shape) - 1),
            ctypes.c_int64(len(sums)),
        )
        return (None, *grads)


def _operands(tensors: Sequence[Tensor], dims: int) -> "ctypes.Array[Operand]":
    """Tensors of fewer dimensions stand at the end, as in broadcasting."""
    found = []
    for tensor in tensors:
        aligned = tensor.reshape((1,) * (dims + 1 - tensor.dim()) + tensor.shape)
        operand = operand_of(aligned, dims)
        assert operand is not None, f"rows of {tuple(tensor.shape)} are not side by side"
        found.append(operand)
    return (Operand * max(len(found), 1))(*found)


def _function(name: str) -> Any:
    functions = library().functions
    assert functions is not None, "asked for a kernel that is not there"
    return getattr(functions, name)
