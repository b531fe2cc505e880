"""Single-place faults (`experiments/mutants/`), and the first test that notices each.

    python -m experiments.mutations --json results/mutations.json

Every mutant is one replaced text in one file of a temporary copy of the source; the tests that it names run there, in
order, and stop at the first failure. A mutant that no test fails on has SURVIVED: it is equivalent to the source
(EQUIVALENT says why) or a test is missing. Tests that fail on the unchanged copy are left out and listed (`--skip`
names some without running any, `--trust` those of the file). `--only ID,ID` runs some mutants and keeps the other
results of the file.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.label_budgets import machine
from experiments.mutants import Mutant
from experiments.mutants.data import DATA_EQUIVALENT, DATA_MUTANTS
from experiments.mutants.objective import OBJECTIVE_EQUIVALENT, OBJECTIVE_MUTANTS
from experiments.mutants.plates import PLATE_EQUIVALENT, PLATE_MUTANTS
from experiments.mutants.reading import READING_EQUIVALENT, READING_MUTANTS

ROOT = Path(__file__).parent.parent
COPIED = ("graphspec", "compiler", "runtime", "tests", "specs", "pyproject.toml")

MUTANTS: tuple[Mutant, ...] = (*OBJECTIVE_MUTANTS, *READING_MUTANTS, *DATA_MUTANTS, *PLATE_MUTANTS)
EQUIVALENT = {**OBJECTIVE_EQUIVALENT, **READING_EQUIVALENT, **DATA_EQUIVALENT, **PLATE_EQUIVALENT}
"""Mutants that change no result, and why."""


def environment(folder: Path) -> dict[str, str]:
    """The copy is imported, not the installed tree."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def copy_source(folder: Path, *further: str) -> None:
    """Copy what is changed and what runs it into `folder`."""
    for part in (*COPIED, *further):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)


def run_tests(folder: Path, tests: Sequence[str], prefix: Sequence[str], limit: float) -> tuple[str | None, float]:
    """The first test that fails (None: all pass), and the seconds it took."""
    command = [*prefix, sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no", *tests]
    started = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return "no answer in time", round(time.perf_counter() - started, 1)
    seconds = round(time.perf_counter() - started, 1)
    if done.returncode == 0:
        return None, seconds
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return (found.group(1) if found else (done.stdout + done.stderr)[-300:]), seconds


def mutated(folder: Path, mutant: Mutant) -> tuple[Path, str]:
    """Writes the mutant; returns the file and its source to put back."""
    path = folder / mutant.file
    source = path.read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.id}: {mutant.old!r} occurs {source.count(mutant.old)} times in {mutant.file}")
    path.write_text(source.replace(mutant.old, mutant.new))
    return path, source


def left_out(failing: Sequence[str]) -> list[str]:
    return [f"--deselect={test}" for test in failing]


def one(
    folder: Path, mutant: Mutant, usable: frozenset[str], failing: Sequence[str], prefix: Sequence[str], limit: float
) -> dict[str, Any]:
    """Runs one mutant, and puts the source back."""
    path, source = mutated(folder, mutant)
    try:
        failed, seconds = run_tests(
            folder, [*(t for t in mutant.tests if t in usable), *left_out(failing)], prefix, limit
        )
    finally:
        path.write_text(source)
    return {
        "id": mutant.id,
        "file": mutant.file,
        "old": mutant.old,
        "new": mutant.new,
        "breaks": mutant.breaks,
        "killed_by": failed or "SURVIVED",
        "seconds": seconds,
        **({"equivalent": EQUIVALENT[mutant.id]} if not failed and mutant.id in EQUIVALENT else {}),
    }


def main() -> None:
    """Checks the unchanged copy, runs the mutants one after another, writes the file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--prefix", default="", help="a command to run each test process under")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds per mutant")
    parser.add_argument("--trust", action="store_true", help="what fails on the unchanged copy is as the file says")
    parser.add_argument("--skip", default="", help="tests to leave out; the unchanged copy is not tried then")
    options = parser.parse_args()
    prefix = options.prefix.split()
    kept = json.loads(options.json.read_text()) if options.json.exists() and options.only else {}
    rows: dict[str, dict[str, Any]] = {row["id"]: row for row in kept.get("mutants", ())}
    wanted = [m for m in MUTANTS if not options.only or m.id in options.only.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_source(folder)
        tests = [t for t in dict.fromkeys(t for m in wanted for t in m.tests) if (folder / t.split("::")[0]).exists()]
        failing = (
            options.skip.split(",")
            if options.skip
            else kept.get("failing_without_mutation", [])
            if options.trust
            else []
        )
        for test in () if options.skip or options.trust else tests:
            while failed := run_tests(folder, [test, *left_out(failing)], prefix, options.limit)[0]:
                failing.append(failed)
        usable = frozenset(tests)
        for mutant in wanted:
            rows[mutant.id] = one(folder, mutant, usable, failing, prefix, options.limit)
            print(f"{mutant.id:<26}{rows[mutant.id]['seconds']:>7} s  {rows[mutant.id]['killed_by']}", flush=True)
            ordered = [rows[m.id] for m in MUTANTS if m.id in rows]
            found = {
                "command": "python -m experiments.mutations --json results/mutations.json",
                "machine": machine(),
                "failing_without_mutation": failing,
                "killed": sum(row["killed_by"] != "SURVIVED" for row in ordered),
                "survived": [row["id"] for row in ordered if row["killed_by"] == "SURVIVED"],
                "mutants": ordered,
            }
            options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
