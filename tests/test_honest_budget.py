"""The label budget is honest: labels outside it cannot reach a weight."""

import json
from pathlib import Path

import numpy as np
import torch

from compiler import compile_spec
from graphspec.loading import load
from runtime import fit
from runtime.data import prepare

SPEC = """
graphspec: 1
variables:
  x: {role: observed, size: 3}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, size: 2}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: mlp, hidden: [8]}}
data: {source: FILE, variables: {x: {column: x, standardize: true}, y: y}, labels: {y: BUDGET}, validation: 0.2}
training: {epochs: 2, batch_size: 16, seed: 1}
"""


def train(folder: Path, name: str, budget: str, labels: np.ndarray) -> tuple[dict[str, torch.Tensor], dict]:
    """Train on 120 rows of three clusters; returns weights and manifest."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 120)
    np.savez(folder / f"{name}.npz", x=rng.normal(size=(120, 3)) + truth[:, None], y=labels)
    path = folder / f"{name}.yaml"
    path.write_text(SPEC.replace("FILE", f"{name}.npz").replace("BUDGET", budget))
    graphs = load(path)
    model = compile_spec(graphs, seed=1)
    run = fit(model, prepare(graphs, data_dir=None, spec_path=path), out=folder / f"run-{name}", progress=False)
    manifest = json.loads((Path(run.folder) / "manifest.json").read_text())
    return {key: value.clone() for key, value in model.state_dict().items()}, manifest


def test_blanking_labels_outside_the_budget_changes_no_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 120)
    _, first = train(tmp_path, "whole", "12", labels)
    rows = first["labelled"]["y"]
    assert len(rows) == 12
    (tmp_path / "rows.txt").write_text("\n".join(map(str, rows)) + "\n")
    whole, _ = train(tmp_path, "listed", "{rows: rows.txt}", labels)
    kept = set(rows) | set(first["test"]) | set(first["validation"])
    blanked = np.array([label if row in kept else -1 for row, label in enumerate(labels)])
    assert (blanked == -1).sum() > 50
    bare, second = train(tmp_path, "blanked", "{rows: rows.txt}", blanked)
    assert second["labelled"]["y"] == rows
    for key, value in whole.items():
        assert torch.equal(value, bare[key]), key
