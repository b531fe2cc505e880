"""Do labels that `suggest` asks for pay? Error against number of labels, asked for or drawn at random.

    python -m experiments.suggestions digits --out results/suggest
    python -m experiments.suggestions mnist --out results/suggest

digits: specs/digits.yaml with DIGITS. mnist: M2 with small networks on ROWS + TEST pictures of MNIST's two splits,
the same for every seed, of which TEST are test rows. Both begin with two labels of each class and add 20 a round, five
seeds (of splits, first labels and training alike), as `graphspec suggest RUN --replay 2 --count 20 --seeds 5` does.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.label_budgets import machine
from experiments.styles import graphspec
from graphspec.loading import load
from runtime.probing.instrument import with_all_labels
from runtime.training.loop.manifest import versions

ROWS, TEST = 2000, 1000
DIGITS = ("training.epochs=8", "training.learning_rate=2e-3", "data.labels.y.per_class=2")
MNIST = """
graphspec: 1
name: mnist-few
variables:
  x: {role: observed, domain: unit, shape: [1, 28, 28]}
  y: {role: supervised, domain: category, classes: 10}
  z: {role: latent, domain: real, size: 10}
  h: {role: deterministic}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], distribution: bernoulli, network: decoder}
recognition:
  h: {parents: [x], network: features}
  y: {parents: [h], network: {kind: linear}}
  z: {parents: [h, y], network: {kind: linear}}
networks:
  features: {kind: mlp, hidden: [128], activation: relu, dropout: 0.2}
  decoder: {kind: mlp, hidden: [128], activation: relu}
objective: {alpha: 50, rho: 0.5, estimators: {y: {kind: enumerate, budget: 1}}}
data:
  source: rows.npz
  variables: {x: image, y: label}
  labels: {y: {per_class: 2}}
  test: TEST
  seed: 0
training: {epochs: 12, batch_size: 100, learning_rate: 1e-3, seed: 0}
"""


def mnist_spec(folder: Path) -> Path:
    """A spec beside `rows.npz`: rows of MNIST, drawn at random."""
    graphs = load("specs/mnist-m2.yaml")
    data = with_all_labels(graphs)
    images, labels = [], []
    for rows, count in ((data.training, ROWS), (data.test, TEST)):
        chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:count])
        shown = rows.batch(torch.from_numpy(chosen), torch.float32)["x"].squeeze(1)
        images.append((shown * 255).round().numpy().astype(np.uint8))
        labels.append(rows.values["y"][chosen].numpy().astype(np.int64))
    np.savez(folder / "rows.npz", image=np.concatenate(images), label=np.concatenate(labels))
    path = folder / "mnist-few.yaml"
    path.write_text(MNIST.replace("TEST", str(TEST)), encoding="utf-8")
    return path


def main() -> None:
    """Train the start, replay it, write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("digits", "mnist"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    started = time.time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = Path("specs/digits.yaml") if asked.data == "digits" else mnist_spec(folder)
        sets = [part for each in DIGITS for part in ("--set", each)] if asked.data == "digits" else []
        graphspec("train", str(spec), *sets, "--out", str(folder / "run"), "--no-figures", "--no-test", "--quiet")
        options = ("--replay", asked.rounds, "--count", asked.count, "--seeds", asked.seeds, "--json")
        found: dict[str, Any] = json.loads(graphspec("suggest", str(folder / "run"), *map(str, options)))
    report = {
        "command": f"python -m experiments.suggestions {asked.data} --out {asked.out} --rounds {asked.rounds} "
        f"--count {asked.count} --seeds {asked.seeds}",
        "spec": "specs/digits.yaml, " + ", ".join(DIGITS) if asked.data == "digits" else MNIST,
        "wall_seconds": round(time.time() - started),
        "machine": machine(),
        "versions": versions(),
        **found,
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / f"{asked.data}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
