"""Sweeps of the tiny spec within this process: what the tests of sweeps share."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

from runtime.cli.app import app
from runtime.sweeping.run_pool import log_of


def graphspec(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def sweep_tiny(*arguments: str) -> Result:
    return graphspec("sweep", "tiny.yaml", "--device", "cpu", "--set", "training.epochs=1", *arguments)


def summary(folder: Path | str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    return found


class InlinePool:
    """A `Pool` without processes: one run after the other, here. `trained` lists the runs it was given."""

    trained: ClassVar[list[Any]] = []
    interrupt_after: ClassVar[int | None] = None

    def __init__(self, jobs: int, threads: int, watcher: Any, keep: int | None = None) -> None:
        self.watcher = watcher

    def run(self, tasks: Iterator[Any], done: Callable[[Any, int], None]) -> None:
        for count, task in enumerate(tasks):
            if count == self.interrupt_after:
                raise KeyboardInterrupt
            task.folder.parent.mkdir(parents=True, exist_ok=True)
            self.watcher.started(task)
            self.watcher.tick([task])
            result = graphspec(*task.arguments)
            log_of(task.folder).write_text(result.output, encoding="utf-8")
            InlinePool.trained.append(task)
            self.watcher.ended(task, result.exit_code, 0.0)
            done(task, result.exit_code)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Sequence[Any]:
    """Sweeps run in this process; gives the list of what they train."""
    InlinePool.trained.clear()
    InlinePool.interrupt_after = None
    monkeypatch.setattr("runtime.cli.sweep_run.Pool", InlinePool)
    return InlinePool.trained
