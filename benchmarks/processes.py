"""Two processes with a thread each beside one process with two threads: examples per second of the same training.

    python -m benchmarks.processes --json results/processes.json

See benchmarks/training.py for what is trained and measured.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.training import ALONE, PAIR, Way, measure, report

SETTINGS = ("data.validation=30000",)
WAYS: dict[str, Way] = {
    "one process, two threads": (ALONE, {"OMP_NUM_THREADS": "2"}),
    "two processes, one thread each": (PAIR, {"OMP_NUM_THREADS": "1"}),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("results/processes.json"))
    options = parser.parse_args(arguments)
    rows = measure(WAYS, options.repeats, SETTINGS)
    report(["benchmarks.processes", "--repeats", str(options.repeats)], SETTINGS, rows, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
