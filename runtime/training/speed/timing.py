"""How fast training goes once it runs: examples a second, and which part of a step takes how much of the time.

The first steps are left out (allocation, compilation, caches), and so is everything between steps that is no training:
saving, validation. Nothing here waits for the device within an epoch.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

PHASES = ("data", "forward", "backward", "optimizer", "other")
"""data: choosing and fetching rows, augmentation; backward includes adding gradients up over processes; other: what
the log keeps, the progress bar, the loop."""

FIRST_STEPS = 10
"""Steps that are left out; half of them all where a training is that short."""

PROFILED_STEPS = 16
"""Steps after which the profiler is off again."""

_MARKS = 4096
"""Most marks kept on a GPU's stream: enough for hundreds of steps, after which the shares are known."""


@dataclass(frozen=True)
class Speed:
    """examples_per_second: rows of all processes, labelled and unlabelled alike; None where too few steps were taken.

    steps: how many were measured. time_shares: part of the time by phase, adding up to 1.
    """

    examples_per_second: float | None = None
    steps: int = 0
    time_shares: dict[str, float] | None = None

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        rate, shares = self.examples_per_second, self.time_shares
        return {
            "examples_per_second": None if rate is None else round(rate, 2),
            "measured_steps": self.steps,
            "time_shares": None if shares is None else {phase: round(share, 4) for phase, share in shares.items()},
        }


class StepTimes:
    """Told when a phase ends and when a step is over; `pause` before anything that is no training, then `go_on`."""

    def __init__(self, device: torch.device, left_out: int) -> None:
        self._left_out = left_out
        self._on_gpu = device.type == "cuda"
        self._device = device
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._steps = self._rows = 0
        self._last: float | None = None
        self._open: list[tuple[str, Any]] = []
        self._gpu_seconds = dict.fromkeys(PHASES, 0.0)
        self._kept = 0

    @property
    def measuring(self) -> bool:
        """The first steps are over."""
        return self._left_out <= 0

    def mark(self, phase: str) -> None:
        """What ran since the last mark belongs to `phase`."""
        if self._left_out > 0:
            return
        now = time.perf_counter()
        if self._last is not None:
            self._seconds[phase] += now - self._last
        self._last = now
        if self._on_gpu and self._kept < _MARKS:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._open.append((phase, event))
            self._kept += 1

    def step_over(self, rows: int) -> None:
        """One step of `rows` examples (of all processes) is done."""
        self.mark("other")
        if self._left_out > 0:
            self._left_out -= 1
            if self._left_out == 0:
                self._wait()
                self.mark("other")
        else:
            self._steps += 1
            self._rows += rows

    def go_on(self) -> None:
        """Steps follow."""
        self.mark("other")

    def pause(self) -> None:
        """Leave out what happens until `go_on`; on a GPU, wait first for the steps under way."""
        if self._left_out > 0:
            return
        self._wait()
        self.mark("other")
        self._last = None
        self._add_up()

    def speed(self) -> Speed:
        """What was measured so far."""
        total = sum(self._seconds.values())
        if not self._steps or not total:
            return Speed()
        shares = self._gpu_seconds if sum(self._gpu_seconds.values()) else self._seconds
        whole = sum(shares.values())
        return Speed(self._rows / total, self._steps, {phase: shares[phase] / whole for phase in PHASES})

    def _wait(self) -> None:
        if self._on_gpu:
            torch.cuda.synchronize(self._device)

    def _add_up(self) -> None:
        """Time between the marks on the GPU's own stream: the host runs ahead, its clock cannot tell the phases."""
        for (_, before), (phase, after) in zip(self._open, self._open[1:], strict=False):
            self._gpu_seconds[phase] += before.elapsed_time(after) / 1000
        self._open = []


def first_steps(total: int, compiled_epoch: int = 0, profiled: bool = False) -> int:
    """How many of `total` steps to leave out. compiled_epoch: steps of the first epoch where networks are compiled,
    since they meet new batch sizes up to its end; profiled: steps under the profiler are slow."""
    wanted = max(FIRST_STEPS, compiled_epoch, PROFILED_STEPS if profiled else 0)
    return max(1, min(wanted, total // 2))


def describe_speed(rate: float | None, shares: Mapping[str, float] | None) -> str:
    """`5120 examples/s  (data 3 %, forward 41 %, ...)`."""
    if rate is None or shares is None:
        return "too few steps to measure examples/s"
    parts = ", ".join(f"{phase} {100 * share:.0f} %" for phase, share in shares.items())
    return f"{rate:.3g} examples/s ({parts})" if rate < 1000 else f"{rate:.0f} examples/s ({parts})"
