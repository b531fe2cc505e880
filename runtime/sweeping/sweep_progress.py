"""What a person sees while a sweep runs: live bars on a terminal, one line per start and end anywhere else."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from runtime.runs.run_folder import Run as TrainedRun
from runtime.sweeping.run_commands import RunCommand
from runtime.sweeping.run_pool import log_of
from runtime.training.loop.progress import describe_validation

_INTERVAL = 1.0


class SilentDisplay:
    """Shows nothing."""

    def __enter__(self) -> "SilentDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def started(self, task: RunCommand) -> None:
        pass

    def ended(self, task: RunCommand, code: int, seconds: float) -> None:
        pass

    def tick(self, running: Sequence[RunCommand]) -> None:
        pass


class LineDisplay(SilentDisplay):
    """A line when a run starts and when it ends, for logs and pipes."""

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total, self.done = console, total, 0

    def started(self, task: RunCommand) -> None:
        self._say(f"start  {task.label}")

    def ended(self, task: RunCommand, code: int, seconds: float) -> None:
        self.done += 1
        self._say(f"{self.done:>{len(str(self.total))}}/{self.total}  {describe_end(task, code, seconds)}")

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class LiveDisplay(LineDisplay):
    """A bar of all runs, and one of epochs for each that is running; ended ones scroll by above."""

    def __init__(self, console: Console, total: int) -> None:
        super().__init__(console, total)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._all = Progress(*columns, console=console)
        self._each = Progress(*columns, TextColumn("{task.fields[figures]}"), console=console)
        self._overall = self._all.add_task("runs", total=total)
        self._bars: dict[str, TaskID] = {}
        self._live = Live(Group(self._each, Text(), self._all), console=console, refresh_per_second=2)
        self._looked = 0.0

    def __enter__(self) -> "LiveDisplay":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def started(self, task: RunCommand) -> None:
        self._bars[task.name] = self._each.add_task(task.label, total=task.epochs, figures="")

    def ended(self, task: RunCommand, code: int, seconds: float) -> None:
        self._each.remove_task(self._bars.pop(task.name))
        self._all.advance(self._overall)
        super().ended(task, code, seconds)

    def tick(self, running: Sequence[RunCommand]) -> None:
        if time.monotonic() - self._looked < _INTERVAL:
            return
        self._looked = time.monotonic()
        for task in running:
            records = TrainedRun(task.folder).metrics()
            if records:
                figures = describe_validation(records[-1].get("validation"))
                self._each.update(self._bars[task.name], completed=records[-1]["epoch"], figures=figures)


def choose_display(console: Console | None, total: int) -> SilentDisplay:
    """Bars on a terminal, lines elsewhere, nothing without a console."""
    if console is None:
        return SilentDisplay()
    return LiveDisplay(console, total) if console.is_terminal else LineDisplay(console, total)


def describe_end(task: RunCommand, code: int, seconds: float) -> str:
    """One line about a run that has ended."""
    if code != 0:
        return f"failed {task.label} (exit {code}): {log_of(task.folder)}"
    records: list[dict[str, Any]] = TrainedRun(task.folder).metrics()
    figures = describe_validation(records[-1].get("validation")) if records else ""
    return "  ".join(part for part in (f"done   {task.label}", figures, f"{seconds:.0f} s") if part)
