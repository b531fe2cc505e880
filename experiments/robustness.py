"""Random specs, kills, full disks and damage, in numbers that leave no doubt.

    OMP_NUM_THREADS=1 nice python -m experiments.robustness --json results/robustness.json

Random specs of the whole language go through everything (`tests/language_walk.py`). A tiny training is killed at file
operations and at random moments, in turns with `--resume`, and finds its disk full at every file operation. Run folders
and data files are damaged at random. Counts are options; the numbers of cases and pieces are seeds. The file is written
after every piece, and the same command goes on from it; `--only KIND,KIND` does some kinds and keeps the others, which
another process may do.

    python -m experiments.robustness --broken --json results/robustness-broken.json

breaks one place of a copy of the source after the other (`experiments/mutants/robustness.py`: a file written in its
place, a state without its optimizer, a shape that is not checked, ...), and looks whether any count notices.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from experiments.harm import damage, forked, kills, walks
from experiments.harm.tally import Tally
from experiments.label_budgets import machine
from experiments.mutants.robustness import MUTANTS_OF_KIND
from experiments.mutations import copy_source, environment, mutated

SPECS, OPERATIONS, MOMENTS = "random specs", "kills at file operations", "kills at random moments"
FULL, DATA, RUNS = "full disks", "damaged data files", "damaged run folders"
COUNTS = {SPECS: 1000, OPERATIONS: 300, MOMENTS: 100, FULL: 10_000, DATA: 5000, RUNS: 5000}
PIECES = {SPECS: 20, OPERATIONS: 20, MOMENTS: 10, FULL: 10, DATA: 500, RUNS: 250}
"""How much is done between two writings of the file."""


@dataclass(frozen=True)
class Scene:
    """A training that nothing happened to, and what it came to. seconds: it took; operations: on files."""

    folder: Path
    expected: dict[str, bytes]
    operations: int
    seconds: float

    @staticmethod
    def set(folder: Path) -> "Scene":
        """Train once, keep the run as `whole`, and write data to damage."""
        kills.write_example(folder)
        scene = Scene(folder, *kills.whole(folder))
        shutil.copytree(folder / "run", folder / "whole")
        damage.write_data(folder / "data", kills.SPEC)
        return scene


def main() -> None:
    """Do what the options say and write it down, piece by piece."""
    options = _options()
    found: dict[str, Any] = {}
    if options.json is not None and options.json.exists():
        found = json.loads(options.json.read_text())
    if options.broken:
        _broken(options, found)
        return
    with tempfile.TemporaryDirectory() as temporary:
        forked.load()
        scene = Scene.set(Path(temporary))
        for kind in options.only:
            _pieces(kind, scene, options, found)
            print(f"{kind}: {json.dumps(found[kind])[:2000]}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, count in COUNTS.items():
        parser.add_argument(_option(kind), type=int, default=count, metavar="N", help=f"how many {kind} (at most)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(COUNTS), metavar="KIND,KIND")
    parser.add_argument("--broken", action="store_true", help="whether broken sources are noticed")
    parser.add_argument("--json", type=Path, default=None)
    return parser.parse_args()


def _option(kind: str) -> str:
    return f"--{kind.replace(' ', '-')}"


def _count(options: argparse.Namespace, kind: str) -> int:
    count: int = getattr(options, kind.replace(" ", "_"))
    return count


def _pieces(kind: str, scene: Scene, options: argparse.Namespace, found: dict[str, Any]) -> None:
    """What is still to be done of a kind, and the file after each piece."""
    asked = {"count": _count(options, kind), "seed": options.seed}
    before = found.get(kind, {})
    if before.get("asked", asked) != asked:
        raise SystemExit(f"{options.json} has {kind} of {before['asked']}, not of {asked}: name another file")
    tally, minutes = Tally(**before.get("found", {})), before.get("minutes", 0.0)
    piece = before.get("pieces", 0)
    count = min(asked["count"], scene.operations) if kind == FULL else asked["count"]
    while tally.done < count:
        began = time.monotonic()
        _HARMS[kind](scene, f"{options.seed} {kind} {piece}", min(PIECES[kind], count - tally.done), tally)
        piece, minutes = piece + 1, minutes + (time.monotonic() - began) / 60
        found[kind] = {"asked": asked, "pieces": piece, "minutes": round(minutes, 2), "found": vars(tally)}
        found[kind] |= {"operations of one training": scene.operations} if kind == OPERATIONS else {}
        _write(options.json, kind, found[kind])
        print(f"  {kind}: {tally.done} of {count}, {len(tally.wrong)} wrong", flush=True)


def _write(file: Path | None, name: str, found: dict[str, Any]) -> None:
    """One entry of the file; another process may write the others."""
    if file is None:
        return
    command = "python -m experiments." + " ".join(["robustness", *sys.argv[1:]])
    before = json.loads(file.read_text()) if file.exists() else {}
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(before | {name: found | {"command": command}, "machine": machine()}, indent=1) + "\n")
    part.replace(file)


def _at_operations(scene: Scene, seed: str, count: int, tally: Tally) -> None:
    """Every operation once, in the middle of what it writes; then any of them, before it or in the middle."""
    draw = random.Random(seed)

    def harm() -> dict[str, float]:
        if tally.done < scene.operations:
            return {"die_at": tally.done + 1, "torn": True}
        return {"die_at": draw.randint(1, scene.operations), "torn": draw.random() < 0.5}

    harms: Iterator[dict[str, float]] = iter(harm, {})
    kills.killed(scene.folder, scene.expected, harms, count, tally)


def _at_moments(scene: Scene, seed: str, count: int, tally: Tally) -> None:
    draw = random.Random(seed)
    harms: Iterator[dict[str, float]] = iter(lambda: {"kill_after": draw.uniform(0, scene.seconds)}, {})
    kills.killed(scene.folder, scene.expected, harms, count, tally)


def _full(scene: Scene, seed: str, count: int, tally: Tally) -> None:
    kills.full_at_operations(scene.folder, scene.expected, range(tally.done + 1, tally.done + count + 1), tally)


def _cases(judge: damage.Judge, scene: Scene, seed: str, count: int, tally: Tally) -> None:
    """Cases are numbered from the seed on."""
    first = int(seed.split()[0]) * 1_000_000 + tally.cases
    damage.in_batches(judge, scene.folder, first, count, tally)


_HARMS: dict[str, Callable[[Scene, str, int, Tally], None]] = {
    SPECS: partial(_cases, walks.judge_spec),
    OPERATIONS: _at_operations,
    MOMENTS: _at_moments,
    FULL: _full,
    DATA: partial(_cases, damage.judge_data),
    RUNS: partial(_cases, damage.judge_run),
}


# --- broken sources ---------------------------------------------------------------------------------------------------

ENOUGH = {SPECS: 60, OPERATIONS: 80, MOMENTS: 20, FULL: 10_000, DATA: 500, RUNS: 500}
"""How much is tried on a broken source."""


def _broken(options: argparse.Namespace, found: dict[str, Any]) -> None:
    """What each mutant's kind of harm says of it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_source(folder, "experiments")
        for kind, mutants in MUTANTS_OF_KIND.items():
            for mutant in mutants:
                if mutant.id in found:
                    continue
                path, source = mutated(folder, mutant)
                wrong, minutes = _noticed(folder, kind, temporary)
                path.write_text(source)
                found[mutant.id] = {"breaks": mutant.breaks, "kind": kind, "minutes": minutes}
                found[mutant.id] |= {"noticed": bool(wrong), "wrong": len(wrong), "first": wrong[0] if wrong else None}
                print(f"{mutant.id}: {'noticed' if wrong else 'NOT NOTICED'}", flush=True)
                _write(options.json, mutant.id, found[mutant.id])


def _noticed(folder: Path, kind: str, temporary: str) -> tuple[list[str], float]:
    began, out = time.monotonic(), Path(temporary) / "found.json"
    out.unlink(missing_ok=True)
    counts = [_option(kind), str(ENOUGH[kind]), "--only", kind, "--json", str(out)]
    command = [sys.executable, "-m", "experiments.robustness", *counts]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    wrong = json.loads(out.read_text())[kind]["found"]["wrong"] if out.exists() else [done.stderr[-400:]]
    return wrong, round((time.monotonic() - began) / 60, 2)


if __name__ == "__main__":
    main()
