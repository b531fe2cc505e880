"""Training with two threads on a machine that has other work: how long threads wait before they sleep decides.

python -m benchmarks.busy --json results/busy.json

`graphspec train` of some steps of benchmarks/m2-relaxed.yaml, alone and with one busy process per core beside it, with
libgomp's own patience (GOMP_SPINCOUNT=300000) and with the command line's (`runtime.cli.SPINS`), in turns; the figure
is `examples_per_second` of the manifest. Needs MNIST in GRAPHSPEC_DATA.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor
from runtime.cli import SPINS

PATIENCE = {"libgomp's own": "300000", "the command line's": SPINS}
TRAIN = (
    *("-m", "runtime.cli", "train", "benchmarks/m2-relaxed.yaml", "--device", "cpu", "--no-figures", "--no-test"),
    *("--quiet", "--set", "training.epochs=1", "--set", "data.validation=45000"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("results/busy.json"))
    options = parser.parse_args(arguments)
    rows = measure(options.repeats)
    report = {
        "command": shlex.join(["python", "-m", "benchmarks.busy", "--repeats", str(options.repeats)]),
        "rows": rows,
        "machine": processor() | {"cores": os.cpu_count()},
        "versions": {"torch": version("torch")},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    table = Table("other work", "patience", "GOMP_SPINCOUNT", "examples/s, median", "range")
    for row in rows:
        low, high = row["range"]
        table.add_row(
            row["other work"], row["patience"], row["spins"], f"{row['median']:.0f}", f"{low:.0f} - {high:.0f}"
        )
    Console().print(table)
    return 0


def measure(repeats: int) -> list[dict[str, Any]]:
    """One row for each patience, alone and beside other work."""
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(repeats):
        for work, count in (("none", 0), ("a busy process per core", os.cpu_count() or 1)):
            with busy(count):
                for name, spins in PATIENCE.items():
                    rates.setdefault((work, name), []).append(examples_per_second(spins))
    return [
        {
            "other work": work,
            "patience": name,
            "spins": PATIENCE[name],
            "median": statistics.median(found),
            "range": [min(found), max(found)],
        }
        for (work, name), found in rates.items()
    ]


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but count."""
    workers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def examples_per_second(spins: str) -> float:
    """Of one training; SystemExit with what it printed where it fails."""
    environment = os.environ | {"GOMP_SPINCOUNT": spins, "OMP_NUM_THREADS": "2"}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        done = subprocess.run(
            [sys.executable, *TRAIN, "--out", str(run)], capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"training failed:\n{done.stderr}")
        return float(json.loads((run / "manifest.json").read_text())["examples_per_second"])


if __name__ == "__main__":
    sys.exit(main())
