"""From running workers to rows: first steps, then interleaved repeats."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from benchmarks.pipes import Worker
from benchmarks.settings import Implementation, Setting
from benchmarks.work import step_flop

WARM_STEPS = 3
"""Steps before the first repeat, timed apart: whatever compiles itself does so here."""


@dataclass
class Measured:
    """One worker and what was measured of it so far; memory is the peak of resident memory up to then."""

    worker: Worker
    setup_s: float = math.nan
    setup_mib: float = math.nan
    first_step_s: float = math.nan
    warm_s: float = math.nan
    peak_mib: float = math.nan
    seconds_per_step: list[float] = field(default_factory=list)
    work_per_step: list[float] = field(default_factory=list)


def start(worker: Worker) -> Measured:
    """Set training up and take its first steps. Raises Failed."""
    ready = worker.ask(train=True)
    first, others = worker.run(), worker.run(steps=WARM_STEPS - 1)
    return Measured(
        worker,
        setup_s=worker.built["built"] + ready["ready"],
        setup_mib=ready["peak_mib"],
        first_step_s=first["seconds"],
        warm_s=first["seconds"] + others["seconds"],
    )


def repeat(measured: Sequence[Measured], repeats: int, seconds: float) -> None:
    """A B C ... A B C ...: whatever else the machine does hits all of them alike. Raises Failed."""
    for _ in range(repeats):
        for each in measured:
            answer = each.worker.run(seconds=seconds)
            each.seconds_per_step.append(answer["seconds"] / answer["steps"])
            each.work_per_step.append(answer["processor_seconds"] / answer["steps"])
            each.peak_mib = answer["peak_mib"]


def rows(
    graph: str, setting: Setting, measured: Sequence[Measured], peak: float, fastest: float
) -> list[dict[str, Any]]:
    """One JSON row per implementation. peak: rate of torch.mm in float32, fastest: of the fastest way, GFLOP/s.

    examples_per_second: unlabelled and labelled rows, at the median of the repeats' seconds per step; lowest, highest:
    over repeats. ratio: to the first implementation's. processor_ms_per_step: median time on processors,
    all threads. share_of_roofline: the work of `step_flop` per second, over the
    peak; share_of_fastest: over the fastest. setup_s: from the process's start to before the first step, imports and
    data included; compile_s: what the first steps took beyond their steady time. peak_mib: resident memory of the
    process, setup_mib: before any step.
    """
    reference = statistics.median(measured[0].seconds_per_step)
    return [_row(graph, setting, each, (peak, fastest), reference) for each in measured]


def _row(graph: str, setting: Setting, each: Measured, peaks: tuple[float, float], reference: float) -> dict[str, Any]:
    step = statistics.median(each.seconds_per_step)
    flop = step_flop(graph, setting, setting.implementations[each.worker.name])
    return {
        "implementation": each.worker.name,
        "examples_per_second": round(setting.examples / step, 1),
        "ratio": round(reference / step, 4),
        "share_of_roofline": round(flop / step / 1e9 / peaks[0], 4),
        "share_of_fastest": round(flop / step / 1e9 / peaks[1], 4),
        "peak_mib": round(each.peak_mib, 1),
        "setup_s": round(each.setup_s, 3),
        "lowest": round(setting.examples / max(each.seconds_per_step), 1),
        "highest": round(setting.examples / min(each.seconds_per_step), 1),
        "repeats": len(each.seconds_per_step),
        "ms_per_step": round(1000 * step, 3),
        "processor_ms_per_step": round(1000 * statistics.median(each.work_per_step), 3),
        "gflop_per_step": round(flop / 1e9, 3),
        "setup_mib": round(each.setup_mib, 1),
        "first_step_s": round(each.first_step_s, 3),
        "compile_s": round(max(0.0, each.warm_s - WARM_STEPS * step), 3),
    }


def unavailable(implementation: Implementation, bf16: bool) -> str | None:
    """Why this implementation cannot be measured here; None where it can."""
    if implementation.bf16 and not bf16:
        return "the processor has no bfloat16 products of its own (emulated ones take minutes)"
    if implementation.needs and find_spec(implementation.needs) is None:
        return f"{implementation.needs} is not installed: pip install 'graphspec[bench]'"
    return None
