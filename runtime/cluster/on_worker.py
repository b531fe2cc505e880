"""What a worker does: it says what it is, and carries out commands, each in a process of its own.

A worker that dies closes its end of that process's standard input, which then saves and stops (`runtime.cli.watchdog`);
so does a task that was cancelled. Either way the command goes on where it is carried out next.
"""

import hashlib
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from distributed import get_worker

import runtime
from runtime.runs.run_folder import Run
from runtime.runs.run_lock import wait_until_free
from runtime.sweeping.grid import processor_name
from runtime.sweeping.run_pool import asked_to_end, started

THREADS = 1
"""Of each command, on every machine: the same bits whatever the cluster's shape."""
_PAUSE = 0.2
_AT_WORK = ("executing", "long-running")


def seen(marker: Path, where: Path) -> dict[str, Any]:
    """What must be the same everywhere. marker: a file that the asker has just written; where: its folder."""
    return {
        "host": platform.node(),
        "processor": processor_name(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "graphspec": source_digest()},
        "sees": marker.is_file(),
        "where": where.is_dir(),
    }


def source_digest() -> str:
    """SHA-256 of the product's source files, in short: the same commit, the same digest."""
    root, found = Path(runtime.__file__).resolve().parents[1], hashlib.sha256()
    for package in ("graphspec", "compiler", "runtime"):
        for path in sorted((root / package).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def carry_out(arguments: Sequence[str], folder: Path, where: Path, patience: float) -> int:
    """`graphspec ARGUMENTS` in the folder `where`; returns its exit code. The log lies beside `folder`.

    patience: seconds to wait for a process that still saves there, of a worker that died.
    """
    wait_until_free([folder], patience)
    run = Run(folder)
    resumes = arguments[0] == "train" and run.manifest_file.exists() and run.state_file.exists()
    again = ("--resume",) if resumes and "--resume" not in arguments else ()
    process, log = started((*arguments, *again), folder, THREADS, where=where)
    try:
        while process.poll() is None:
            if not _wanted():
                asked_to_end([process])
            time.sleep(_PAUSE)
    finally:
        log.close()
        if process.stdin is not None:
            process.stdin.close()
    return process.returncode


def _wanted() -> bool:
    """False once the asker cancelled this task, or is gone."""
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state in _AT_WORK
