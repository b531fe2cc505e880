"""What the numbers were measured on: processor, instruction sets, and the best rates of matrix products."""

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8", "sve", "bf16")
_SIDES = (1024, 2048)
_SECONDS = 1.0


def processor() -> dict[str, Any]:
    """Name of the processor and those of its instruction sets that matter here (Linux; elsewhere the name only)."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return {"processor": platform.processor() or platform.machine(), "instruction_sets": []}
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return {
        "processor": facts.get("model name", platform.machine()),
        "instruction_sets": [name for name in _SETS if name in flags],
    }


def native_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where not, a product takes a hundred times as long."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(processor()["instruction_sets"]))


def gemm_peak(dtype: torch.dtype, seconds: float = _SECONDS) -> float:
    """The best rate of `torch.mm` on square matrices within `seconds`, GFLOP/s."""
    return _best(_mm, dtype, seconds)


def onednn_peak(seconds: float = _SECONDS) -> float:
    """The same in float32 by way of oneDNN, which some processors do twice as fast; 0 where torch has none."""
    return _best(_onednn, torch.float32, seconds) if torch.backends.mkldnn.is_available() else 0.0


def _mm(left: Tensor, right: Tensor) -> None:
    torch.mm(left, right)


def _onednn(left: Tensor, right: Tensor) -> None:
    torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


def _best(multiply: Callable[[Tensor, Tensor], None], dtype: torch.dtype, seconds: float) -> float:
    return max(_rate(multiply, side, dtype, seconds / len(_SIDES)) for side in _SIDES)


def _rate(multiply: Callable[[Tensor, Tensor], None], side: int, dtype: torch.dtype, seconds: float) -> float:
    left, right = torch.randn(side, side).to(dtype), torch.randn(side, side).to(dtype)
    multiply(left, right)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        multiply(left, right)
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best / 1e9
