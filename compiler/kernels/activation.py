"""activation(sum of parts that broadcast against each other), in one pass forward and one backward."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compiler.kernels.building_kernels import kernel, library
from compiler.kernels.calls import eligible, frame_of, operands
from compiler.tensors.broadcasting import broadcast_shape

FUSED_ACTIVATIONS = frozenset({"softplus"})
"""Whose derivative is a function of its output, so that the sum itself need not be kept. ReLU and other cheap ones are
faster in torch (results/kernels.json)."""


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
    job = _Job(activation, stored_as(contiguous))
    return _SumActivate.apply(job, *contiguous)  # type: ignore[no-any-return, no-untyped-call]


def softplus_above(raw: Tensor, shift: float, floor: float) -> Tensor | None:
    """softplus(raw + shift) + floor in float32, raw [..., width] perhaps bfloat16; None where there is no kernel."""
    *lead, width = raw.shape
    if not eligible([raw], lead, width) or library().functions is None:
        return None
    rows = raw if raw.stride(-1) == 1 or width == 1 else raw.contiguous()
    job = _Job("softplus", torch.float32, shift, floor)
    return _SumActivate.apply(job, rows)  # type: ignore[no-any-return, no-untyped-call]


@dataclass(frozen=True)
class _Job:
    """activation(sum + shift) + floor, kept in `dtype`."""

    activation: str
    dtype: torch.dtype
    shift: float = 0.0
    floor: float = 0.0


def stored_as(parts: Sequence[Tensor]) -> torch.dtype:
    """Of the result: bfloat16 under autocast to it, else what torch's promotion gives.

    Under autocast also where all parts are float32 (a looked-up row and a bias): the next product would round to
    bfloat16 anyway, in a pass of its own.
    """
    if torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16:
        return torch.bfloat16
    return torch.bfloat16 if all(part.dtype == torch.bfloat16 for part in parts) else torch.float32


class _SumActivate(torch.autograd.Function):
    """Slopes are functions of the output as it was rounded: of bfloat16's own error (2^-8 of the largest slope)."""

    @staticmethod
    def forward(ctx: Any, job: _Job, *parts: Tensor) -> Tensor:
        shape = broadcast_shape(*(part.shape for part in parts))
        dims = len(shape) - 1
        out = parts[0].new_empty(shape, dtype=job.dtype)
        frame = frame_of(shape[:-1], shape[-1])
        kernel(f"activate_{job.activation}")(
            ctypes.byref(frame),
            operands(parts, dims),
            ctypes.c_int64(len(parts)),
            ctypes.c_float(job.shift),
            ctypes.c_float(job.floor),
            operands([out], dims),
        )
        ctx.job = job
        ctx.parts = [(part.shape, part.dtype) for part in parts]
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Each part's gradient in the part's own precision; those of parts that broadcast are added up in float32."""
        (out,) = ctx.saved_tensors
        grad, shape, dims = grad.contiguous(), out.shape, out.dim() - 1
        wanted = [part if want else None for part, want in zip(ctx.parts, ctx.needs_input_grad[1:], strict=True)]
        precisions = {p[1] for p in wanted if p is not None and p[0] == shape}
        finest = torch.float32 if torch.float32 in precisions else torch.bfloat16
        whole = out.new_empty(shape, dtype=finest) if precisions else None
        sums = [out.new_zeros(p[0], dtype=torch.float32) for p in wanted if p is not None and p[0] != shape]
        frame = frame_of(shape[:-1], shape[-1])
        kernel(f"activate_backward_{ctx.job.activation}")(
            ctypes.byref(frame),
            operands([grad], dims),
            operands([out], dims),
            ctypes.c_float(ctx.job.floor),
            operands([whole], dims),
            operands(sums, dims),
            ctypes.c_int64(len(sums)),
        )
        added = iter(sums)
        found = (None if p is None else (whole if p[0] == shape else next(added)) for p in wanted)
        return (None, *(None if g is None else g.to(p[1]) for g, p in zip(found, ctx.parts, strict=True)))
