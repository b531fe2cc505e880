"""Kills, full disks and damage, in numbers that leave no doubt.

    nice python -m experiments.robustness --json results/robustness.json

A tiny training is killed at file operations and at random moments, in turns with `--resume`, and finds its disk full at
every file operation; run folders and data files are damaged at random. Counts are options; case numbers are seeds.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.harm import damage, forked, kills
from experiments.label_budgets import machine


def main() -> None:
    """Do what the options say and write it down, also in parts where it takes long."""
    options = _options()
    os.environ["OMP_NUM_THREADS"] = "1"
    began, found = time.monotonic(), dict[str, Any]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        forked.load()
        for kind, counted in _harms(folder, options):
            found[kind] = counted | {"minutes": round((time.monotonic() - began) / 60, 1)}
            print(f"{kind}: {json.dumps(found[kind])[:2000]}", flush=True)
            _write(options.json, found | {"machine": machine(), "command": " ".join(sys.argv[1:])})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=300, help="kills at file operations")
    parser.add_argument("--moments", type=int, default=100, help="kills at random moments")
    parser.add_argument("--full", type=int, default=10_000, help="file operations at which the disk is full, at most")
    parser.add_argument("--damaged", type=int, default=10_000, help="damaged run folders (half) and data files (half)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None)
    return parser.parse_args()


def _harms(folder: Path, options: argparse.Namespace) -> Any:
    draw = random.Random(options.seed)
    kills.write_example(folder)
    expected, operations, seconds = kills.whole(folder)
    for kind in ("kills at file operations", "kills at random moments", "full disks"):
        tally = kills.Tally()
        if kind == "kills at file operations":
            at_operations = ({"die_at": float(draw.randint(1, operations))} for _ in itertools.count())
            kills.killed(folder, expected, at_operations, options.operations, tally)
        elif kind == "kills at random moments":
            at_moments = ({"kill_after": draw.uniform(0, seconds)} for _ in itertools.count())
            kills.killed(folder, expected, at_moments, options.moments, tally)
        else:
            places = range(1, operations + 1)
            chosen = places if options.full >= operations else sorted(draw.sample(places, options.full))
            kills.full_at_operations(folder, expected, chosen, tally)
        yield kind, vars(tally) | {"operations of one training": operations}
    (folder / "run").rename(folder / "whole")
    damage.write_data(folder / "data", kills.SPEC)
    yield "damaged data files", vars(_damaged(damage.judge_data, folder, options))
    yield "damaged run folders", vars(_damaged(damage.judge_run, folder, options))
    shutil.rmtree(folder / "whole")


def _damaged(judge: Any, folder: Path, options: argparse.Namespace) -> damage.Judged:
    return damage.in_batches(judge, folder, options.seed, options.damaged // 2)


def _write(file: Path | None, found: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
