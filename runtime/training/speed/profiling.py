"""`train --profile`: a few steps under torch's profiler, with one range per factor of the two graphs.

From: a model and its steps. To: a Chrome trace in the run folder (chrome://tracing, ui.perfetto.dev) and a table of
time per range. Ranges: `q z` and `p x` are a factor's networks; `log q z`, `log p x`, `KL z` its density or
divergence; everything else of a step is under `rest`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.autograd.profiler import record_function

from compiler.model.model import Model
from compiler.plan.joining import CALLS
from compiler.plan.plan import Line
from compiler.plan.run import watch

WAIT, WARM_UP, ACTIVE = 8, 2, 5
"""Steps before the profiler starts, steps that it throws away, steps that it keeps."""

REST = "rest"
"""What stands for operations outside every range: the objective's sums, the optimizer, the data."""

_BACKWARD = "autograd::engine::evaluate_function"
"""How the names begin of what the backward pass runs, one event per operation of the forward pass."""


@dataclass(frozen=True)
class RangeTime:
    """Milliseconds a step of one range: forward, and what the backward pass spent on its operations."""

    name: str
    forward: float
    backward: float


class Profile:
    """Profiles ACTIVE steps after WAIT + WARM_UP others, fewer in a short training: `start` before the first step, then
    `step` after each. Nothing is slower afterwards. `table` is there, and `file` written, once `step` was True."""

    def __init__(self, model: Model, file: Path, on_gpu: bool, total_steps: int) -> None:
        self.file = file
        self.table: list[RangeTime] = []
        self.steps = min(ACTIVE, max(1, total_steps - 1))
        spare = max(0, total_steps - self.steps)
        warm_up = min(WARM_UP, spare)
        self._left = min(WAIT, spare - warm_up) + warm_up + self.steps
        self._warm_up = warm_up
        self._on_gpu = on_gpu
        self._model = model
        self._profiler: Any = None
        self._ranges: Any = None

    def step(self) -> bool:
        """One more step is over; True if this was the last one that counts: the trace is written."""
        if self._left <= 0:
            return False
        self._left -= 1
        if self._left == self.steps + self._warm_up:
            self._start()
        if self._profiler is not None:
            self._profiler.step()
        if self._left == 0:
            self._finish()
            return True
        return False

    def start(self) -> None:
        """Before the first step."""
        if self._left <= self.steps + self._warm_up:
            self._start()

    def stop(self) -> None:
        """Training is over, perhaps before its time; nothing is written then."""
        self._left = 0
        if self._profiler is not None:
            self._profiler.stop()
            self._close()

    def _start(self) -> None:
        if self._profiler is not None:
            return
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its library writes two lines of its own on standard error
        from torch.profiler import ProfilerActivity, profile

        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self._on_gpu else [])]
        self._ranges = ranges(self._model)
        self._ranges.__enter__()
        self._profiler = profile(
            activities=activities,
            schedule=self._action,
            on_trace_ready=self._keep,
            acc_events=True,
        )
        self._profiler.start()

    def _action(self, step: int) -> Any:
        """What the profiler does in a step, counted from its start."""
        from torch.profiler import ProfilerAction

        last = self._warm_up + self.steps - 1
        if step < self._warm_up:
            return ProfilerAction.WARMUP
        if step < last:
            return ProfilerAction.RECORD
        return ProfilerAction.RECORD_AND_SAVE if step == last else ProfilerAction.NONE

    def _keep(self, profiler: Any) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(self.file))
        self.table = times_of_ranges(profiler.events(), range_names(self._model), self.steps)

    def _finish(self) -> None:
        self._profiler.stop()
        self._close()

    def _close(self) -> None:
        self._ranges.__exit__(None, None, None)
        self._profiler = self._ranges = None


def range_names(model: Model) -> tuple[str, ...]:
    """Every range that `ranges` may open for this model."""
    names = []
    for side, variable, _ in _factors(model):
        names += [f"{side} {variable}", f"log {side} {variable}", f"KL {variable}"]
    return tuple(dict.fromkeys(names))


@contextmanager
def ranges(model: Model) -> Iterator[None]:
    """Within the block every factor's networks and densities run inside a named range of torch's profiler."""
    token = watch.set(lambda line: record_function(_range_name(line)))
    try:
        yield
    finally:
        watch.reset(token)


def _range_name(line: Line) -> str:
    """What a line of a plan belongs to."""
    key = line.options.get("factor", line.options.get("q"))
    if key is None:
        return REST
    side, variable = key.split(".", 1)
    letter = "q" if side == "recognition" else "p"
    if line.op == "kl":
        return f"KL {variable}"
    return f"{letter} {variable}" if line.op in CALLS else f"log {letter} {variable}"


def _factors(model: Model) -> list[tuple[str, str, Any]]:
    """(q or p, variable, module) of every factor."""
    modules: list[Any] = list(model.factors.values())
    return [("q" if m.factor.side == "recognition" else "p", m.factor.variable, m) for m in modules]


def times_of_ranges(events: Sequence[Any], names: Sequence[str], steps: int) -> list[RangeTime]:
    """Milliseconds a step per range, largest first; nested ranges count their own operations only.

    events: a profiler's FunctionEvents. The backward pass carries the sequence numbers of the forward operations that
    it answers, which tells whose it is. Time is the device's where there is any, else the CPU's.
    """
    known = frozenset(names)
    on_device = any(_device_time(event) for event in events)
    owner = {event.sequence_nr: _range_of(event, known) for event in events if _is_forward(event)}
    total: dict[str, list[float]] = {}
    for event in events:
        if event.name in known or event.is_user_annotation:
            continue
        backward = _answered(event)
        name = _range_of(event, known) if backward is None else owner.get(backward, REST)
        time = _device_time(event) if on_device else event.self_cpu_time_total
        total.setdefault(name, [0.0, 0.0])[backward is not None] += time
    found = [RangeTime(name, *(value / 1000 / steps for value in both)) for name, both in total.items()]
    return sorted(found, key=lambda row: -(row.forward + row.backward))


def _is_forward(event: Any) -> bool:
    return event.sequence_nr >= 0 and _answered(event) is None


def _answered(event: Any) -> int | None:
    """The sequence number that a backward operation answers; None for anything else."""
    node = event
    while node is not None:
        if node.name.startswith(_BACKWARD):
            return int(node.sequence_nr)
        node = node.cpu_parent
    return None


def _range_of(event: Any, known: frozenset[str]) -> str:
    node = event
    while node is not None:
        if node.name in known:
            return str(node.name)
        node = node.cpu_parent
    return REST


def _device_time(event: Any) -> float:
    return float(getattr(event, "self_device_time_total", 0.0))


def describe_table(table: Sequence[RangeTime]) -> list[str]:
    """The table as lines of text."""
    whole = sum(row.forward + row.backward for row in table) or 1.0
    lines = [f"{'range':<24}{'forward ms':>12}{'backward ms':>13}{'share':>8}"]
    for row in table:
        share = 100 * (row.forward + row.backward) / whole
        lines.append(f"{row.name:<24}{row.forward:>12.3f}{row.backward:>13.3f}{share:>6.1f} %")
    return lines


__all__ = ["Profile", "RangeTime", "describe_table", "range_names", "ranges", "times_of_ranges"]
