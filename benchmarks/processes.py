"""Two processes with a thread each beside one process with two threads: examples per second of the same training.

python -m benchmarks.processes --json results/processes.json

Each run is a `graphspec train` of one epoch of specs/mnist-m2.yaml on the CPU in processes of its own, in turns; the
figure is `examples_per_second` of its manifest (steady state; set-up, saving and evaluation left out). Needs MNIST in
GRAPHSPEC_DATA.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor

SETTINGS = (
    "training.epochs=1", "data.validation=30000", "data.labels.y=1000", "training.batch_size=200",
    "training.labelled_batch_size=200",
)  # fmt: skip
TRAIN = ("train", "specs/mnist-m2.yaml", "--device", "cpu", "--no-figures", "--no-test", "--quiet")
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "runtime.cli")
WAYS: dict[str, tuple[tuple[str, ...], int]] = {
    "one process, two threads": (("-m", "runtime.cli"), 2),
    "two processes, one thread each": (LAUNCHER, 1),
}
"""Name -> how Python is started, threads of each process."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("results/processes.json"))
    options = parser.parse_args(arguments)
    rows = measure(options.repeats)
    report = {
        "command": shlex.join(["python", "-m", "benchmarks.processes", "--repeats", str(options.repeats)]),
        "overrides": SETTINGS,
        "rows": rows,
        "machine": processor() | {"load": os.getloadavg()},
        "versions": {name: version(name) for name in ("torch", "accelerate")},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    table = Table("", "examples/s, median", "range", "ratio")
    for row in rows:
        low, high = row["range"]
        table.add_row(row["way"], f"{row['median']:.0f}", f"{low:.0f} - {high:.0f}", f"{row['ratio']:.3f}")
    Console().print(table)
    return 0


def measure(repeats: int) -> list[dict[str, Any]]:
    """One row per way, in the order they take turns; ratio: to the first one's median."""
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            rates[way].append(examples_per_second(way))
    first = statistics.median(next(iter(rates.values())))
    return [
        {
            "way": way,
            "median": statistics.median(found),
            "range": [min(found), max(found)],
            "ratio": round(statistics.median(found) / first, 4),
            "repeats": repeats,
        }
        for way, found in rates.items()
    ]


def examples_per_second(way: str) -> float:
    """Of one training; SystemExit with what it printed where it fails."""
    start, threads = WAYS[way]
    sets = [part for setting in SETTINGS for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, *start, *TRAIN, *sets, "--out", str(run)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"{shlex.join(command[1:6])} failed:\n{done.stderr}")
        return float(json.loads((run / "manifest.json").read_text())["examples_per_second"])


if __name__ == "__main__":
    sys.exit(main())
