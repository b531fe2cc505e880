"""Several trainings at a time, each a process of its own with its share of the cores and its log in its folder.

From: tasks (a command and a folder). To: how each one ended. Not here: what a training leaves behind, and how it is
shown; a `Watcher` is told what happens.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Generic, Protocol, TypeVar

import runtime

_ROOT = Path(runtime.__file__).resolve().parents[1]
_PAUSE = 0.2
_PATIENCE = 60.0
_BLAS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

T = TypeVar("T", bound="Task")
W = TypeVar("W", bound="Task", contravariant=True)


class Task(Protocol):
    """Something to run: `folder` is where it works (and logs), `arguments` follow `graphspec`."""

    @property
    def folder(self) -> Path: ...

    @property
    def arguments(self) -> Sequence[str]: ...


class Runs(Protocol[T]):
    """Something that carries out tasks."""

    def run(self, tasks: Iterator[T], done: Callable[[T, int], None]) -> None:
        """Run what `tasks` gives; `done` hears of each exit code."""


class Watcher(Protocol[W]):
    """Told what happens; it may raise KeyboardInterrupt, which stops everything."""

    def started(self, task: W) -> None:
        """A process was started."""

    def ended(self, task: W, code: int, seconds: float) -> None:
        """It has ended."""

    def tick(self, running: Sequence[W]) -> None:
        """A few times a second."""


@dataclass
class _Process(Generic[T]):
    task: T
    popen: subprocess.Popen[bytes]
    log: IO[bytes]
    began: float = field(default_factory=time.monotonic)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def log_of(folder: Path) -> Path:
    """Beside the run folder, which `train` wants empty."""
    return folder.with_name(f"{folder.name}.log")


def started(
    arguments: Sequence[str], folder: Path, threads: int, keep: int | None = None, where: Path | None = None
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """`graphspec ARGUMENTS` as a process of its own, which ends when this one does, and the log that it writes.

    where: its working folder, by default this one's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = log_of(folder).open("ab")
    path = os.pathsep.join(part for part in (str(_ROOT), os.environ.get("PYTHONPATH", "")) if part)
    options = {} if keep is None else {"pass_fds": (keep,)}
    popen = subprocess.Popen(
        [sys.executable, "-P", "-m", "runtime.cli.watchdog", *arguments],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **dict.fromkeys(_BLAS, str(threads)), "PYTHONPATH": path},
        cwd=where,
        start_new_session=True,  # Ctrl-C in the terminal reaches the sweep alone, which passes it on
        **options,  # type: ignore[call-overload]
    )
    return popen, log


def asked_to_end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask all to save and stop; those that do not within a minute, or at a second Ctrl-C, are ended."""
    try:
        for process in processes:
            process.send_signal(signal.SIGTERM)  # SIGINT is ignored below nohup and the like
        end = time.monotonic() + _PATIENCE
        for process in processes:
            process.wait(max(0.1, end - time.monotonic()))
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        pass
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


class Pool(Generic[T]):
    """At most `jobs` processes at a time, `threads` threads each. `keep`: a file descriptor that they hold open."""

    def __init__(self, jobs: int, threads: int, watcher: Watcher[T], keep: int | None = None) -> None:
        self.jobs, self.threads, self.watcher, self.keep = jobs, threads, watcher, keep
        self._running: list[_Process[T]] = []

    def run(self, tasks: Iterator[T], done: Callable[[T, int], None]) -> None:
        """Run what `tasks` gives, asked for one more whenever there is room; `done` hears of each exit code.

        KeyboardInterrupt: every process is asked to save and stop, and waited for; then it is raised again.
        """
        more = True
        try:
            while more or self._running:
                while more and len(self._running) < self.jobs:
                    task = next(tasks, None)
                    more = task is not None
                    if task is not None:
                        self._start(task)
                self._reap(done)
                self.watcher.tick([process.task for process in self._running])
                if self._running:
                    time.sleep(_PAUSE)
        except BaseException:
            self._stop()
            raise

    def _start(self, task: T) -> None:
        popen, log = started(task.arguments, task.folder, self.threads, self.keep)
        self._running.append(_Process(task, popen, log))
        self.watcher.started(task)

    def _reap(self, done: Callable[[T, int], None]) -> None:
        for process in [p for p in self._running if p.popen.poll() is not None]:
            self._running.remove(process)
            _close(process)
            self.watcher.ended(process.task, process.popen.returncode, time.monotonic() - process.began)
            done(process.task, process.popen.returncode)

    def _stop(self) -> None:
        asked_to_end([process.popen for process in self._running])
        for process in self._running:
            _close(process)


def _close(process: "_Process[T]") -> None:
    process.log.close()
    if process.popen.stdin is not None:
        process.popen.stdin.close()
