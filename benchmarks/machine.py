"""What the numbers were measured on: processor, instruction sets, and the best rates of matrix products."""

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8", "sve", "bf16")
_SIDES, _SIDES_ON_CUDA = (1024, 2048), (4096, 8192)
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


def cuda_processor() -> dict[str, Any]:
    """Name and memory of the graphics processor."""
    facts = torch.cuda.get_device_properties(0)
    return {"gpu": facts.name, "gpu_gib": round(facts.total_memory / 2**30, 1), "cuda": torch.version.cuda}


def native_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where not, a product takes a hundred times as long."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(processor()["instruction_sets"]))


def gemm_peak(dtype: torch.dtype, seconds: float = _SECONDS, device: str = "cpu") -> float:
    """The best rate of `torch.mm` on square matrices within `seconds`, GFLOP/s."""
    return _best(_mm if device == "cpu" else _mm_on_cuda, dtype, seconds, device)


def onednn_peak(seconds: float = _SECONDS) -> float:
    """The same in float32 by way of oneDNN, which some processors do twice as fast; 0 where torch has none."""
    return _best(_onednn, torch.float32, seconds) if torch.backends.mkldnn.is_available() else 0.0


def _mm(left: Tensor, right: Tensor) -> None:
    torch.mm(left, right)


def _mm_on_cuda(left: Tensor, right: Tensor) -> None:
    torch.mm(left, right)
    torch.cuda.synchronize()


def _onednn(left: Tensor, right: Tensor) -> None:
    torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


def _best(multiply: Callable[[Tensor, Tensor], None], dtype: torch.dtype, seconds: float, device: str = "cpu") -> float:
    sides = _SIDES if device == "cpu" else _SIDES_ON_CUDA
    return max(_rate(multiply, torch.randn(2, side, side).to(device, dtype), seconds / len(sides)) for side in sides)


def _rate(multiply: Callable[[Tensor, Tensor], None], factors: Tensor, seconds: float) -> float:
    left, right = factors.unbind()
    side = len(left)
    multiply(left, right)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        multiply(left, right)
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best / 1e9
