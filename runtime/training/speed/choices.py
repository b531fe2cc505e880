"""What `auto` means for `compile`, `precision` and threads, decided before the first step, with the reason in words.

Both follow from the spec, the size of the data and the kind of machine, never from a stopwatch: the same training
decides the same way every time, and a resumed one goes on in the arithmetic it began with.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from compiler.kernels import library
from compiler.model.model import Model
from compiler.symbolic.cost import program_cost
from compiler.symbolic.lowering import one_program_for_all
from compiler.symbolic.program import Pattern
from graphspec.language import TrainingSection

COMPILE_SECONDS = 30.0
"""What torch.compile takes before the first compiled step (measured: 20 to 30 s for the M2 graph on two cores)."""

COMPILE_GAIN = 0.15
"""Part of a step's time that compiled networks save on a CPU: a guess below the 19 % that compiling a hand-written M2
step saved, since here only the networks are compiled."""

PAYS_BACK = 2.0
"""Compiling is worth it when it saves this many times what it costs: both numbers are rough."""

GFLOP_PER_SECOND = 40.0
"""What one CPU core does in a training step (measured: 35 to 39 on mnist-m2 with AVX2, uncompiled)."""

BF16_GFLOP = 0.5
"""A step below this many GFLOP gains nothing from bfloat16 on a CPU: converting costs what multiplying saves."""

EMULATED_BF16 = 25.0
"""How many times longer a bfloat16 product takes than a float32 one where it is emulated, at least. Measured with AVX2:
25 to 28 for matrices of M2's sizes and for a convolution; whole trainings took hundreds of times as long."""

SHARED_GFLOP = 1.0
"""A step below this many GFLOP runs in one thread: its products are over sooner than threads can meet (digits, 0.66
GFLOP, has 18,600 examples a second with one thread and 10,500 with two, on an idle EPYC with AVX-512), and where other
work wants the cores, threads that wait for each other make single epochs many times slower."""

BF16_NOTE = (
    "networks multiply with 8 bits of precision, weights and densities stay float32: gradients of a batch differ by up "
    "to 3 % (convolutions with batch normalization 9 %), its objective by less than 0.05 %"
)
"""Measured: results/bf16-numerics.json."""


@dataclass(frozen=True)
class Decision:
    """What was decided, and why."""

    on: bool
    reason: str


def rows_per_step(training: TrainingSection, unlabelled: int, labelled: int) -> tuple[int, int]:
    """Unlabelled and labelled rows of one step, given how many there are in all."""
    wanted = training.labelled_batch_size or training.batch_size
    return min(training.batch_size, unlabelled), min(wanted, labelled)


def step_gflop(model: Model, unlabelled: int, labelled: int) -> float:
    """Predicted GFLOP of one training step of so many rows, by the cost model that `explain` prints."""
    graphs = model.graphs
    if one_program_for_all(graphs):
        whole = model.program(Pattern((), tuple(graphs.supervised)))[0]
        return program_cost(whole).training_flop * (unlabelled + labelled) / 1e9
    flop = 0
    for rows, labels in ((unlabelled, ()), (labelled, tuple(graphs.supervised))):
        if rows:
            flop += program_cost(model.program(Pattern(labels))[0]).training_flop * rows
    return flop / 1e9


def choose_precision(
    asked: str, device: torch.device, dtype: torch.dtype, gflop: float, before: Mapping[str, Any] | None
) -> Decision:
    """bf16 (True) or fp32. before: the manifest of the run that is resumed."""
    if asked != "auto":
        return _decided(asked == "bf16", "as asked", device)
    if before is not None and before.get("precision") in ("fp32", "bf16"):
        return _decided(before["precision"] == "bf16", "as before the resume", device)
    if dtype != torch.float32:
        return Decision(False, f"weights are {str(dtype).removeprefix('torch.')}")
    native = native_bf16(device)
    if not native:
        return Decision(False, "no bfloat16 products in this processor")
    if device.type == "cpu" and gflop < BF16_GFLOP:
        return Decision(False, f"a step of {gflop:.2g} GFLOP is too small to gain from bfloat16")
    return Decision(True, f"{native}; {BF16_NOTE}")


def _decided(on: bool, why: str, device: torch.device) -> Decision:
    slow = emulated_bf16(device) if on else ""
    return Decision(on, f"{why}, but {slow}" if slow else why)


def emulated_bf16(device: torch.device) -> str:
    """What bfloat16 costs where a processor only emulates it; empty where it does not."""
    if native_bf16(device):
        return ""
    return (
        f"this processor has no bfloat16 products and emulates each: {EMULATED_BF16:.0f} times slower than float32 and "
        "more; --precision auto takes what is faster"
    )


def native_bf16(device: torch.device) -> str:
    """What multiplies bfloat16 numbers on `device`, in words; empty where they would be emulated."""
    if device.type == "cuda":
        return "CUDA" if torch.cuda.is_bf16_supported(including_emulation=False) else ""
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX-512 with bfloat16" if torch.cpu._is_avx512_bf16_supported() else ""


def choose_compile(
    training: TrainingSection,
    device: torch.device,
    dtype: torch.dtype,
    steps: int,
    gflop: float,
    before: Mapping[str, Any] | None,
) -> Decision:
    """Whether networks run through torch.compile. steps: of the whole training; gflop: of one step."""
    if training.compile != "auto":
        return Decision(bool(training.compile), "as asked")
    if before is not None and "compiled" in before:
        return Decision(bool(before["compiled"]), "as before the resume")
    if device.type != "cpu":
        return Decision(False, "its gain on a GPU was never measured; try --compile")
    if fused_kernels(device, dtype):
        return Decision(False, "fused kernels run instead; compiled networks had 0.6 of their speed on mnist-m2")
    if not has_compiler():
        return Decision(False, "there is no C++ compiler")
    seconds = steps * gflop / (GFLOP_PER_SECOND * torch.get_num_threads())
    saved = COMPILE_GAIN * seconds
    told = (
        f"{steps} steps of {gflop:.2g} GFLOP take {_duration(seconds)} by estimate; compiling saves {_duration(saved)} "
        f"and costs {COMPILE_SECONDS:.0f} s"
    )
    return Decision(saved > PAYS_BACK * COMPILE_SECONDS, told)


def choose_one_thread(device: torch.device, gflop: float) -> Decision:
    """Whether the step runs in one thread, where the user has not said how many (OMP_NUM_THREADS)."""
    if device.type != "cpu" or torch.get_num_threads() == 1:
        return Decision(False, "there is one thread, or the work is not the processor's")
    if os.environ.get("OMP_NUM_THREADS"):
        return Decision(False, "OMP_NUM_THREADS says how many")
    return Decision(
        gflop < SHARED_GFLOP,
        f"a step of {gflop:.2g} GFLOP is {'too small' if gflop < SHARED_GFLOP else 'large enough'} to share",
    )


@contextmanager
def threads(one: bool) -> Iterator[None]:
    """One thread inside, as many as before afterwards."""
    before = torch.get_num_threads()
    if one:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if one:
            torch.set_num_threads(before)


def fused_kernels(device: torch.device, dtype: torch.dtype) -> bool:
    """The compiler's own row kernels serve this training: they are built on first use, if at all."""
    return device.type == "cpu" and dtype == torch.float32 and library().functions is not None


def has_compiler() -> bool:
    """There is a C++ compiler where torch.compile looks for one."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)


def describe_choices(precision: Decision, compiled: Decision, one_thread: Decision) -> list[str]:
    """The opening lines: what the step runs in, and why."""
    told = [f"one thread ({one_thread.reason}; OMP_NUM_THREADS decides otherwise)"] if one_thread.on else []
    return [
        *told,
        f"{'bfloat16' if precision.on else 'float32'} products ({precision.reason})",
        f"networks {'compiled' if compiled.on else 'not compiled'} ({compiled.reason})",
    ]


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than 1 s"
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"
