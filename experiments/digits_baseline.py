"""specs/digits.yaml beside logistic regression on the same labelled rows, over several label draws.

python -m experiments.digits_baseline --seeds 0,1,2,3,4 --json results/digits.json
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from compiler import compile_spec
from experiments.label_budgets import machine
from graphspec.loading import load
from runtime import fit, open_run
from runtime.data import prepare
from runtime.measures.evaluation import evaluate_rows

SPEC = "specs/digits.yaml"


def pixels(rows: Any, positions: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Images as vectors, and labels."""
    batch = rows.batch(positions, torch.float32)
    return batch["x"].flatten(1).numpy(), batch["y"].long().numpy()


def one(seed: int) -> dict[str, Any]:
    """Both test errors at one seed of data and training."""
    graphs = load(SPEC, (f"data.seed={seed}", f"training.seed={seed}"))
    data = prepare(graphs, data_dir=None, spec_path=Path(SPEC))
    train, labels = pixels(data.training, data.label_rows["y"])
    test, truth = pixels(data.test, torch.arange(len(data.test.source)))
    logistic = LogisticRegression(max_iter=5000).fit(train, labels)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = fit(compile_spec(graphs, seed=seed), data, out=Path(folder) / "run", progress=False)
        seconds = time.perf_counter() - started
        figures = evaluate_rows(open_run(run.folder), data.test, seed=0)
    return {
        "seed": seed,
        "labels": len(labels),
        "test_error": figures["variables"]["y"]["error"],
        "logistic_regression": float((logistic.predict(test) != truth).mean()),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Print a line per seed, write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for seed in map(int, options.seeds.split(",")):
        rows.append(one(seed))
        print(rows[-1], flush=True)
    command = f"python -m experiments.digits_baseline --seeds {options.seeds} --json {options.json}"
    options.json.write_text(json.dumps({"command": command, "machine": machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
