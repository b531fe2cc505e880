"""How long a user waits before anything happens: commands without torch, and training up to its first step.

python -m benchmarks.startup --json results/startup.json

Wall seconds of whole processes, interleaved, median and range. `train` is timed from the start of its process to the
end of its first update, beside a bare script that imports torch and takes one Adam step. Import caches are warm.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import processor

FIRST_STEP = """
import os, sys
import runtime.training.step.stepping as stepping
from runtime.cli.app import app
take = stepping.Stepper.take
def first(self, *arguments):
    take(self, *arguments)
    os._exit(0)
stepping.Stepper.take = first
sys.argv = ["graphspec", "train", *sys.argv[1:]]
app()
"""
BARE = """
import os, torch
layer = torch.nn.Linear(64, 10)
optimizer = torch.optim.Adam(layer.parameters())
layer(torch.rand(100, 64)).square().mean().backward()
optimizer.step()
os._exit(0)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default="specs/digits.yaml")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("results/startup.json"))
    options = parser.parse_args(arguments)
    rows = measure(options.spec, options.repeats)
    report = {
        "command": shlex.join(["python", "-m", "benchmarks.startup", "--repeats", str(options.repeats)]),
        "spec": options.spec,
        "rows": rows,
        "machine": processor() | {"load": os.getloadavg()},
        "versions": {name: version(name) for name in ("torch", "typer", "pydantic")},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    table = Table("until", "median s", "range s")
    for row in rows:
        table.add_row(row["until"], f"{row['median_s']:.2f}", f"{row['range_s'][0]:.2f} - {row['range_s'][1]:.2f}")
    Console().print(table)
    return 0


def measure(spec: str, repeats: int) -> list[dict[str, Any]]:
    """One row per command, in the order they take turns."""
    commands = {
        "check has ended": ("-m", "runtime.cli", "check", spec),
        "graph has ended": ("-m", "runtime.cli", "graph", spec),
        "explain has ended": ("-m", "runtime.cli", "explain", spec),
        "a bare script has taken one Adam step": ("-c", BARE),
        "train has taken its first step": ("-c", FIRST_STEP, spec, "--no-figures", "--quiet"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            seconds[name].append(_seconds(command, train=name.startswith("train")))
    return [
        {"until": name, "median_s": statistics.median(taken), "range_s": [min(taken), max(taken)], "repeats": repeats}
        for name, taken in seconds.items()
    ]


def _seconds(command: tuple[str, ...], train: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        out = ("--out", str(Path(folder) / "run")) if train else ()
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *command, *out], capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}
        )
        taken = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command[:3])} failed:\n{done.stderr}")
    return taken


if __name__ == "__main__":
    sys.exit(main())
