"""A sum over the event of a family's log density (or of a divergence), in one pass forward and one backward."""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compiler.kernels.building_kernels import kernel, library
from compiler.kernels.calls import eligible, frame_of, operand_of, operands
from compiler.tensors.broadcasting import broadcast_shape


def fused_density(name: str, inputs: Sequence[Tensor], rank: int) -> Tensor | None:
    """Sum over the last `rank` dimensions of the density `name` of rows.cpp at `inputs`: [*lead], nats.

    inputs: parameters and (of a density) the value, in the order that rows.cpp names; each [*lead, *event], with
    leading sizes whole or 1. None where there is no kernel for it: the caller then does it in torch.
    """
    shape = broadcast_shape(*(tensor.shape for tensor in inputs))
    if not rank or any(tensor.shape[-rank:] != shape[-rank:] for tensor in inputs):
        return None
    lead, event = shape[:-rank], shape[-rank:]
    if not eligible(inputs, lead, event.numel()):
        return None
    aligned = [t if t.dim() == len(shape) else t.reshape((1,) * (len(shape) - t.dim()) + t.shape) for t in inputs]
    unreadable = (not t.is_contiguous() and operand_of(t, len(lead)) is None for t in aligned)
    if any(unreadable) or library().functions is None:
        return None
    return _RowSums.apply(name, rank, *aligned)  # type: ignore[no-any-return, no-untyped-call]


class _RowSums(torch.autograd.Function):
    """Inputs are saved, not their densities: what the backward pass needs of those is cheaper computed again."""

    @staticmethod
    def forward(ctx: Any, name: str, rank: int, *inputs: Tensor) -> Tensor:
        shape = broadcast_shape(*(tensor.shape for tensor in inputs))
        lead = shape[:-rank]
        out = inputs[0].new_empty(lead, dtype=torch.float32)
        frame = frame_of(lead, shape[-rank:].numel())
        kernel(f"density_{name}")(ctypes.byref(frame), operands(inputs, len(lead)), ctypes.c_void_p(out.data_ptr()))
        ctx.name, ctx.rank = name, rank
        ctx.save_for_backward(*inputs)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Each input's gradient in the input's own precision; of one that broadcasts it is added up in float32."""
        inputs: tuple[Tensor, ...] = ctx.saved_tensors
        shape = broadcast_shape(*(tensor.shape for tensor in inputs))
        lead = shape[: -ctx.rank]
        grad = grad.contiguous()
        grads = [
            i.new_empty(shape, dtype=i.dtype if i.shape == shape else torch.float32) if want else None
            for i, want in zip(inputs, ctx.needs_input_grad[2:], strict=True)
        ]
        frame = frame_of(lead, shape[-ctx.rank :].numel())
        kernel(f"density_backward_{ctx.name}")(
            ctypes.byref(frame),
            operands(inputs, len(lead)),
            ctypes.c_void_p(grad.data_ptr()),
            operands(grads, len(lead)),
        )
        found = (None if g is None else g.sum_to_size(i.shape).to(i.dtype) for g, i in zip(grads, inputs, strict=True))
        return (None, None, *found)
