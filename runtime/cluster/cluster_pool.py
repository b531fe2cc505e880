"""Tasks on a Dask cluster, with the manners of `sweeping.run_pool.Pool`: as many at a time as the workers have threads.

A worker that dies costs its tasks a retry (the scheduler gives them to another one, three times at most); a command
that fails is not tried again. Needs a file system that all machines share.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from runtime.cluster.connecting import Cluster
from runtime.runs.run_lock import wait_until_free
from runtime.sweeping.run_pool import T, Watcher, log_of

if TYPE_CHECKING:
    from distributed import Future

_PAUSE = 0.2
_LONELY = 60.0
"""Seconds without any worker after which somebody is told."""
PATIENCE = 90.0
"""Seconds that a worker waits for a process of a dead one to have saved."""
LOST = -9
"""The exit code of a task whose workers died, one after another."""


@dataclass
class _Asked(Generic[T]):
    task: T
    future: "Future"
    began: float = field(default_factory=time.monotonic)


class ClusterPool(Generic[T]):
    """See the module. jobs: at most so many tasks at a time. tell: called when no worker is left."""

    def __init__(self, cluster: Cluster, watcher: Watcher[T], jobs: int | None, tell: Callable[[str], None]) -> None:
        self.cluster, self.watcher, self.jobs, self.tell = cluster, watcher, jobs, tell
        self._asked: list[_Asked[T]] = []
        self._seen, self._told = time.monotonic(), False

    def run(self, tasks: Iterator[T], done: Callable[[T, int], None]) -> None:
        """Run what `tasks` gives, asked for one more whenever there is room; `done` hears of each exit code.

        KeyboardInterrupt: every task is cancelled, which makes its process save and stop, and waited for; then it is
        raised again.
        """
        more = True
        try:
            while more or self._asked:
                while more and len(self._asked) < self._room():
                    task = next(tasks, None)
                    more = task is not None
                    if task is not None:
                        self._ask(task)
                self._gather(done)
                self.watcher.tick([asked.task for asked in self._asked])
                if more or self._asked:
                    time.sleep(_PAUSE)
        except BaseException:
            self._stop()
            raise

    def _room(self) -> int:
        threads = self.cluster.threads()
        if threads:
            self._seen, self._told = time.monotonic(), False
        elif not self._told and time.monotonic() - self._seen > _LONELY:
            self._told = True
            self.tell(f"no worker is left at {self.cluster.address}: waiting for one (dask worker ADDRESS)")
        return threads if self.jobs is None else min(threads, self.jobs)

    def _ask(self, task: T) -> None:
        from runtime.cluster.on_worker import carry_out

        arguments, folder = tuple(task.arguments), task.folder.resolve()
        key = f"{task.folder.name}-{time.time_ns()}"
        future = self.cluster.client.submit(carry_out, arguments, folder, Path.cwd(), PATIENCE, key=key, pure=False)
        self._asked.append(_Asked(task, future))
        self.watcher.started(task)

    def _gather(self, done: Callable[[T, int], None]) -> None:
        for asked in [each for each in self._asked if each.future.done()]:
            self._asked.remove(asked)
            code = self._code(asked)
            self.watcher.ended(asked.task, code, time.monotonic() - asked.began)
            done(asked.task, code)

    def _code(self, asked: _Asked[T]) -> int:
        """What the command said; of a task that came to no end, why stands in its log."""
        if asked.future.status == "finished":
            return int(asked.future.result())
        error = asked.future.exception() if asked.future.status == "error" else "cancelled by the scheduler"
        log = log_of(asked.task.folder)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"error: {error}\n")
        return LOST

    def _stop(self) -> None:
        """Until no process works any more, or a second Ctrl-C."""
        running = [asked.task for asked in self._asked]
        self.cluster.client.cancel([asked.future for asked in self._asked])
        self._asked.clear()
        with suppress(KeyboardInterrupt):
            wait_until_free([task.folder for task in running], PATIENCE)
