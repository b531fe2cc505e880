"""A grid from start to end: what is left to train is trained, figures are gathered, files are written."""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import RunError
from runtime.runs.atomic_files import write_text
from runtime.sweeping.folds import over_folds
from runtime.sweeping.results import Failure, rows_of
from runtime.sweeping.run_commands import RunCommand, SweepOptions, failure_of, to_train
from runtime.sweeping.run_pool import Runs, cores
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import SweepPlan
from runtime.sweeping.sweep_tables import SweepTable, as_markdown, as_text, build_table

_NOTED_EVERY = 30.0


@dataclass(frozen=True)
class Outcome:
    """`summary` is what summary.json holds; `failures` by run name."""

    summary: dict[str, Any]
    table: SweepTable
    failures: Mapping[str, Failure]


class Clockwork:
    """Minutes a sweep has taken in all its sessions, noted in its folder now and then."""

    def __init__(self, folder: SweepFolder, before: float) -> None:
        self.folder, self.before = folder, before
        self._began = self._noted = time.monotonic()

    @property
    def minutes(self) -> float:
        """Up to now."""
        return self.before + (time.monotonic() - self._began) / 60

    def note(self, now: bool = False) -> None:
        """Write it down if it is time."""
        if now or time.monotonic() - self._noted > _NOTED_EVERY:
            self._noted = time.monotonic()
            self.folder.spent(self.minutes)


def share_cores(jobs: int | None, runs: int, device: str) -> tuple[int, int]:
    """(processes at a time, threads of each).

    Left open: one process a core where nothing else is said (small networks gain more from a second run than from a
    second thread), cores / OMP_NUM_THREADS where that is set, one on a GPU. They depend on the number of runs of the
    whole plan and not on what is left, so that a resumed sweep computes with as many threads as before.
    """
    available = cores()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(asked) if asked.isdecimal() and int(asked) else 0
    if jobs is None:
        jobs = 1 if device.startswith("cuda") else max(1, available // (threads or 1))
    jobs = min(jobs, max(runs, 1))
    return jobs, threads or max(1, available // jobs)


def check_spec_file(plan: SweepPlan) -> None:
    """RunError if the spec's file has changed since the plan was made from it: later runs would train another one."""
    from graphspec.reading.spec_files import read_text

    if read_text(plan.spec) != plan.text:
        raise RunError(f"{plan.spec} was changed while the sweep ran", "finished runs are kept; name another --out")


def train_plan(
    plan: SweepPlan,
    folder: SweepFolder,
    options: SweepOptions,
    pool: Runs[RunCommand],
    clock: Clockwork,
    failures: dict[str, Failure],
) -> None:
    """Train what is not finished; `failures` gets, by run name, what did not end well.

    KeyboardInterrupt: every run has saved what it had.
    """
    trainings = to_train(plan, folder, options)

    def done(training: RunCommand, code: int) -> None:
        if code != 0:
            failures[training.name] = failure_of(training, code)
        clock.note()

    def checked() -> Any:
        for training in trainings:
            check_spec_file(plan)
            yield training

    try:
        pool.run(checked(), done)
    finally:
        clock.note(now=True)


def conclude(
    plan: SweepPlan,
    folder: SweepFolder,
    failures: Mapping[str, Failure],
    splits: Sequence[str],
    minutes: float,
    command: str,
    machine: Mapping[str, Any],
) -> Outcome:
    """Gather the figures and write summary.json, the tables, the plot and the curves."""
    from runtime.sweeping.error_curves import curves_of, draw_curves
    from runtime.sweeping.plot import draw_plot
    from runtime.training.loop.manifest import versions

    rows = rows_of(plan, folder, failures, splits)
    table = build_table(plan, rows, splits)
    summary = {
        "spec": plan.spec,
        "command": command,
        "minutes": round(minutes, 2),
        "versions": versions(),
        "machine": dict(machine),
        "rows": rows,
    }
    if folds := over_folds(plan, rows):
        summary["folds"] = folds
    write_text(folder.path / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    write_text(folder.path / "table.txt", as_text(table))
    write_text(folder.path / "table.md", as_markdown(table))
    draw_plot(plan, rows, splits[0], folder.path / "plot.png")
    curves = curves_of(plan, folder)
    write_text(folder.path / "curves.json", json.dumps(curves) + "\n")
    draw_curves(plan, curves, folder.path / "curves.png")
    return Outcome(summary, table, failures)


def machine_facts(jobs: int, threads: int) -> dict[str, Any]:
    """What the minutes were measured on."""
    return {"processor": processor_name(), "cores": cores(), "jobs": jobs, "threads": threads}


def processor_name() -> str:
    """What this machine computes with, as its system calls it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
