"""The command's end of a worker: a process, a line of JSON each way."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.settings import implementations_on


class Failed(Exception):
    """A worker ended before it answered; the message is the last line it wrote to standard error."""


class Worker:
    """A process that holds one implementation of one graph's step.

    until: `time.monotonic` at which the process is ended if it was not `in_time` before.
    """

    def __init__(
        self, graph: str, name: str, threads: int, scratch: Path, *, device: str = "cpu",
        worktree: Path | None = None, until: float | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        implementation = implementations_on(graph, device)[name]
        # on the CPU nothing is compiled yet: every process compiles what it needs itself
        cache = tempfile.mkdtemp(dir=scratch) if device == "cpu" else str(scratch)
        self._errors = tempfile.TemporaryFile("w+", dir=scratch)  # noqa: SIM115
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
            "GRAPHSPEC_KERNELS": f"{cache}/kernels",
            **implementation.environment,
        }
        command = [sys.executable, "-m", "benchmarks.worker"]
        command += ["--graph", graph, "--implementation", name, "--threads", str(threads), "--device", device]
        if implementation.elsewhere:
            command += ["--worktree", str(worktree)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )
        self._out_of_time = False
        self._timer: threading.Timer | None = None
        if until is not None:
            self._timer = threading.Timer(max(0.0, until - time.monotonic()), self._end)
            self._timer.daemon = True
            self._timer.start()
        try:
            self.built = self.answer()
        except Failed:
            self.close()
            raise

    def ask(self, **command: Any) -> Mapping[str, Any]:
        """Send a command and wait for its answer. Raises Failed."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the answer will say why
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        return self.answer()

    def run(self, *, steps: int = 1, seconds: float = 0.0) -> Mapping[str, Any]:
        """Train for at least so many steps and seconds: {"steps", "seconds", "peak_mib"}."""
        return self.ask(run={"steps": steps, "seconds": seconds})

    def answer(self) -> Mapping[str, Any]:
        """The next line. Raises Failed."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{self.name}: {self._last_words()}")
        found: Mapping[str, Any] = json.loads(line)
        return found

    def _end(self) -> None:
        self._out_of_time = True
        self._process.kill()

    def in_time(self) -> None:
        """From here on the process may take as long as it likes."""
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """End the process."""
        self.in_time()
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _last_words(self) -> str:
        self._process.wait()
        if self._out_of_time:
            return "no time was left for it"
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return lines[-1] if lines else f"ended with status {self._process.returncode}"
