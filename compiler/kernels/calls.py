"""Tensors as the C functions see them: a frame of leading dimensions, and per operand where its rows start."""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

MAX_DIMS = 6
MAX_PARTS = 16
SMALLEST = 4096
"""Numbers below which a call costs more than it saves."""

PRECISIONS = (torch.float32, torch.bfloat16)
"""What numbers may be stored in, mixed in one call; the arithmetic is float32."""

_Sizes = ctypes.c_int64 * MAX_DIMS


class Frame(ctypes.Structure):
    """Leading sizes that all operands broadcast to, and the width of a row."""

    _fields_ = (("dims", ctypes.c_int64), ("sizes", _Sizes), ("width", ctypes.c_int64))


class Operand(ctypes.Structure):
    """Address, offset of a row per leading dimension (0: does not vary), 1 or 0 for a single number per row, 1 for
    bfloat16. Without an address: nobody asks for it."""

    _fields_ = (("data", ctypes.c_void_p), ("strides", _Sizes), ("step", ctypes.c_int64), ("half", ctypes.c_int64))


def frame_of(lead: Sequence[int], width: int) -> Frame:
    """The frame for rows of `width` numbers over the sizes `lead`."""
    return Frame(len(lead), _Sizes(*lead), width)


def operand_of(tensor: Tensor, dims: int) -> Operand | None:
    """How to read `tensor` [*lead, *event] (`dims` leading dimensions, each whole or 1) row by row.

    None where a row's numbers do not lie side by side and are not all one number.
    """
    found = Operand()
    return found if _describe(found, tensor, dims, dims) else None


def operands(tensors: Sequence[Tensor | None], dims: int) -> "ctypes.Array[Operand]":
    """All of them, for a C function; tensors of fewer dimensions stand at the end, as in broadcasting."""
    found = (Operand * max(len(tensors), 1))()
    for operand, tensor in zip(found, tensors, strict=False):
        if tensor is not None:
            described = _describe(operand, tensor, min(dims, tensor.dim() - 1), dims)
            assert described, f"rows of {tuple(tensor.shape)} are not side by side"
    return found


def _describe(operand: Operand, tensor: Tensor, own: int, dims: int) -> bool:
    """Fill `operand` in; `own` of the `dims` leading dimensions are the tensor's. False where it cannot be read."""
    sizes, strides = tensor.shape, tensor.stride()
    step = 1 if tensor.is_contiguous() else _step(sizes, strides, own)
    if step is None:
        return False
    operand.data, operand.step, operand.half = tensor.data_ptr(), step, tensor.dtype == torch.bfloat16
    for d in range(own):
        if sizes[d] != 1:
            operand.strides[dims - own + d] = strides[d]
    return True


def _step(sizes: Sequence[int], strides: Sequence[int], dims: int) -> int | None:
    expected, event = 1, range(dims, len(sizes))
    if all(sizes[d] == 1 or strides[d] == 0 for d in event):
        return 0 if any(sizes[d] > 1 for d in event) else 1
    for d in reversed(event):
        if sizes[d] != 1 and strides[d] != expected:
            return None
        expected *= sizes[d]
    return 1


def eligible(tensors: Sequence[Tensor], lead: Sequence[int], width: int) -> bool:
    """All are float32 or bfloat16, on the CPU, and enough work; not while torch traces."""
    rows = 1
    for size in lead:
        rows *= size
    return (
        rows * width >= SMALLEST
        and len(lead) <= MAX_DIMS
        and len(tensors) <= MAX_PARTS
        and all(t.dtype in PRECISIONS and t.device.type == "cpu" for t in tensors)
        and not torch.compiler.is_compiling()
    )
