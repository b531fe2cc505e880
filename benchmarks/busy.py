"""Threads that spin while they wait, and threads that soon sleep, on an idle and on a busy machine.

    python -m benchmarks.busy --json results/busy.json

Busy: on each core a process of its own multiplies matrices. The training runs with as many threads as there are cores.
See benchmarks/training.py for what is trained and measured, runtime/cli/thread_waiting.py for what follows from it.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.training import ALONE, Way, measure, report
from runtime.cli.thread_waiting import SPINS

SETTINGS = ("data.validation=45000",)
THREADS = str(os.cpu_count() or 1)
SPIN = {"OMP_NUM_THREADS": THREADS, "GOMP_SPINCOUNT": "300000"}
"""libgomp's own number of turns."""
SLEEP = {"OMP_NUM_THREADS": THREADS, "GOMP_SPINCOUNT": SPINS}
WORK = """
import os, torch
os.sched_setaffinity(0, {%d})
torch.set_num_threads(1)
square = torch.ones(500, 500)
while True:
    square @ square
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("results/busy.json"))
    options = parser.parse_args(arguments)
    rows = measure(ways("idle"), options.repeats, SETTINGS)
    with others_at_work():
        rows += measure(ways("busy"), options.repeats, SETTINGS)
    report(["benchmarks.busy", "--repeats", str(options.repeats)], SETTINGS, rows, options.json)
    return 0


def ways(machine: str) -> dict[str, Way]:
    """Both ways of waiting, named for the machine's state."""
    return {f"{machine}, spinning": (ALONE, SPIN), f"{machine}, sleeping": (ALONE, SLEEP)}


@contextmanager
def others_at_work() -> Iterator[None]:
    """A process that computes on every core, until the block ends."""
    others = [
        subprocess.Popen([sys.executable, "-c", WORK % core], start_new_session=True)
        for core in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    sys.exit(main())
