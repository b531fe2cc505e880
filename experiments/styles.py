"""A spec's styles over several seeds: is the digit that is set the digit that is seen, and does z tell it?

    python -m experiments.styles specs/mnist-styles.yaml --seeds 0,1,2 --out results/mnist-styles

For each seed (which sets data and training alike) `graphspec train` and `graphspec evaluate --interventions` on the
test rows, then a summary of both; with the first seed's run also the pictures. Trained runs stay in --runs, and what is
there already is not trained again.
"""

import argparse
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from experiments.label_budgets import machine

PICTURES = {
    "analogies.png": ("analogies",),
    "traverse.png": ("traverse", "--vary", "z[0]", "--vary", "z[1]", "--set", "y=9"),
}


def graphspec(*arguments: str) -> str:
    """What `graphspec` prints; SystemExit where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"graphspec {' '.join(arguments)} failed")
    return done.stdout


def one(spec: str, seed: int, run: Path) -> dict[str, Any]:
    """Train where there is no run yet, then measure on the test rows."""
    seeds = (f"data.seed={seed}", f"training.seed={seed}")
    if not (run / "manifest.json").exists():
        sets = [part for override in seeds for part in ("--set", override)]
        graphspec("train", spec, *sets, "--out", str(run), "--no-figures", "--no-test", "--quiet")
    found = json.loads(graphspec("evaluate", str(run), "--interventions", "--metrics", "none", "--json"))
    ((name, intervened),), ((_, leaks),) = found["interventions"].items(), found["leakage"].items()
    ((_, leak),) = leaks.items()
    return {
        "seed": seed,
        "minutes": json.loads((run / "manifest.json").read_text())["wall_seconds"] / 60,
        "split": found["split"],
        "elbo": found["elbo"],
        "error": 100 * found["variables"][name]["error"],
        "interventions": 100 * intervened["accuracy"],
        "interventions_inferred": 100 * intervened["inferred"]["accuracy"],
        "instrument_error": 100 * intervened["instrument_error"],
        "leakage": 100 * leak["accuracy"],
        "leakage_draws": 100 * leak["draws"]["accuracy"],
        "chance": 100 * leak["chance"],
    }


def spread(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean, standard deviation (of a sample) and count of every figure, in per cent but for elbo and minutes."""
    names = [name for name, value in rows[0].items() if isinstance(value, float)]
    return {
        name: {
            "mean": float(np.mean([row[name] for row in rows])),
            "std": float(np.std([row[name] for row in rows], ddof=1)) if len(rows) > 1 else None,
            "n": len(rows),
        }
        for name in names
    }


def main() -> None:
    """Train, measure, draw; after each seed, write what there is so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/styles"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for seed in map(int, options.seeds.split(",")):
        run = options.runs / f"seed-{seed}"
        rows.append(one(options.spec, seed, run))
        print(json.dumps(rows[-1]), flush=True)
        if len(rows) == 1:
            for file, command in PICTURES.items():
                graphspec(command[0], str(run), *command[1:], "-o", str(options.out / file))
        summary = {
            "spec": options.spec,
            "command": f"python -m experiments.styles {options.spec} --seeds {options.seeds} --out {options.out}",
            "versions": {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
            "machine": machine(),
            "figures": spread(rows),
            "runs": rows,
        }
        (options.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
