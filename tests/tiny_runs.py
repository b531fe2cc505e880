"""A small model of small data, trained in a blink: what the tests of training, checkpoints and runs share."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from compiler import compile_spec
from compiler.model.model import Model
from graphspec.describe.resolved import spec_as_yaml
from graphspec.loading import load
from runtime.data import prepare
from runtime.runs.checkpoints import save_weights
from runtime.runs.run_folder import Run
from runtime.training.loop.fitting import fit

SPEC = """\
graphspec: 1
name: tiny
variables:
  x: {role: observed, domain: binary, size: 6}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
  h: {role: deterministic}
generative:
  y: {}
  z: {}
  x: {parents: [y, z]}
recognition:
  h: {parents: [x], network: {kind: mlp, hidden: [8], normalization: batch, dropout: 0.1}}
  y: {parents: [h], network: {kind: linear}}
  z: {parents: [h, y], network: {kind: linear}}
networks: {default: {kind: mlp, hidden: [8]}}
objective: {alpha: 5, rho: 0.5, beta: {z: {from: 0, to: 1, epochs: 2}}}
data:
  source: rows.npz
  variables: {x: x, y: y}
  labels: {y: 12}
  test: 0.2
  validation: 0.2
training: {epochs: 3, batch_size: 20, learning_rate: 1e-2}
"""


def write_tiny(folder: Path, rows: int = 120) -> Path:
    """The spec and its data (three noisy six-bit patterns) in `folder`; returns the spec's path."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % 3
    patterns = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])
    flipped = rng.random((rows, 6)) < 0.1
    np.savez(folder / "rows.npz", x=(patterns[labels] ^ flipped).astype(np.int64), y=labels)
    path = folder / "tiny.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def tiny_model(folder: Path, *overrides: str, seed: int = 0) -> Model:
    """The compiled spec of `write_tiny`, which is written where it is not there yet."""
    path = folder / "tiny.yaml"
    if not path.exists():
        write_tiny(folder)
    return compile_spec(load(path, overrides), seed=seed)


def train_tiny(folder: Path, *overrides: str, out: str = "run", seed: int = 0, **options: Any) -> Run:
    """Train a fresh tiny model into folder/out, silently."""
    options = {"progress": False, "device": "cpu", **options}
    return fit(tiny_model(folder, *overrides, seed=seed), out=folder / out, **options)


def make_run(folder: Path, spec: Path) -> Run:
    """A run folder as `train` leaves it, with untrained weights."""
    run = Run(folder)
    model = compile_spec(load(str(spec)))
    data = prepare(model.graphs, spec_path=spec)
    resolved = spec_as_yaml(model.graphs.spec)
    for file in (run.last_file, run.best_file):
        save_weights(file, model.state_dict(), resolved, {"epoch": 1})
    run.spec_file.write_text(spec.read_text())
    run.resolved_file.write_text(resolved)
    manifest = {"format": 1, "name": "tiny", "status": "finished", "spec": str(spec), **data.manifest()}
    run.manifest_file.write_text(json.dumps(manifest))
    return run
