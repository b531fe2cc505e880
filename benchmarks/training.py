"""Whole trainings timed: examples per second of `graphspec train` in processes of its own, ways taking turns.

The training is one epoch of specs/mnist-m2.yaml on the CPU; the figure is `examples_per_second` of its manifest (steady
state; set-up, saving and evaluation left out). Needs MNIST in GRAPHSPEC_DATA.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor

SETTINGS = (
    "training.epochs=1", "data.labels.y=1000", "training.batch_size=200", "training.labelled_batch_size=200",
)  # fmt: skip
TRAIN = ("train", "specs/mnist-m2.yaml", "--device", "cpu", "--no-figures", "--no-test", "--quiet")
ALONE = ("-m", "runtime.cli")
PAIR = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "runtime.cli")

Way = tuple[Sequence[str], Mapping[str, str]]
"""How Python is started, and the environment beside what there is."""


def measure(ways: Mapping[str, Way], repeats: int, settings: Sequence[str]) -> list[dict[str, Any]]:
    """One row per way, in the order they take turns; ratio: to the first one's median."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            rates[name].append(examples_per_second(way, settings))
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


def examples_per_second(way: Way, settings: Sequence[str]) -> float:
    """Of one training; SystemExit with what it printed where it fails."""
    start, environment = way
    sets = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, *start, *TRAIN, *sets, "--out", str(run)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{shlex.join(command[1:6])} failed:\n{done.stderr}")
        return float(json.loads((run / "manifest.json").read_text())["examples_per_second"])


def report(command: Sequence[str], settings: Sequence[str], rows: list[dict[str, Any]], file: Path) -> None:
    """Write the rows with what they were measured with, and show them."""
    told = {
        "command": shlex.join(["python", "-m", *command]),
        "overrides": [*SETTINGS, *settings],
        "rows": rows,
        "machine": processor() | {"load": os.getloadavg()},
        "versions": {name: version(name) for name in ("torch", "accelerate")},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, indent=1) + "\n")
    table = Table("", "examples/s, median", "range", "ratio")
    for row in rows:
        low, high = row["range"]
        table.add_row(row["way"], f"{row['median']:.0f}", f"{low:.0f} - {high:.0f}", f"{row['ratio']:.3f}")
    Console().print(table)
