"""The command's end of a worker: a process, a line of JSON each way."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.settings import SETTINGS


class Failed(Exception):
    """A worker ended before it answered; the message is the last line it wrote to standard error."""


class Worker:
    """A process that holds one implementation of one graph's step."""

    def __init__(self, graph: str, name: str, threads: int, scratch: Path) -> None:
        self.name = name
        cache = tempfile.mkdtemp(dir=scratch)  # nothing is compiled yet: every process compiles what it needs itself
        self._errors = tempfile.TemporaryFile("w+", dir=scratch)  # noqa: SIM115
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
            "GRAPHSPEC_KERNELS": f"{cache}/kernels",
            **SETTINGS[graph].implementations[name].environment,
        }
        command = [sys.executable, "-m", "benchmarks.worker"]
        command += ["--graph", graph, "--implementation", name, "--threads", str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )
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

    def close(self) -> None:
        """End the process."""
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
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return lines[-1] if lines else f"ended with status {self._process.returncode}"
