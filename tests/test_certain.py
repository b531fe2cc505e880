"""Functions of discrete variables, and elements of a plate that are summed together."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from certain_specs import CertainSpecDraw, agreeing_rows
from plate_twin import assert_written_out
from test_plates import DOUBLE, model_of
from typer.testing import CliRunner

from compiler.emission import emit
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.cli.app import app

ROWS = 4


def compare(text: str, seed: int = 0) -> None:
    """Value and gradient are those of the model written out, all joint values one by one."""
    model = model_of(text, seed)
    rows = agreeing_rows(model, ROWS, seed)
    assert_written_out(model, rows, text)


@pytest.mark.parametrize("seed", range(14))
def test_value_and_gradient_are_those_of_the_model_written_out(seed: int) -> None:
    compare(CertainSpecDraw(seed).text(), seed)


PAIRS = """
graphspec: 1
name: pairs
plates: {digits: {size: 2}}
variables:
  x: {role: observed, size: 4, plate: digits}
  y: {role: supervised, domain: category, classes: 4, plate: digits}
  z: {role: latent, size: 1, plate: digits}
  s: {role: supervised, domain: count, min: 0, max: 6}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], parameters: {scale: 0.3}}
  s: {parents: [y], distribution: certain, network: {kind: sum}}
recognition:
  y: {parents: [x], network: {kind: linear}}
  s: {parents: [y], distribution: certain, network: {kind: sum}}
  z: {parents: [x, y]}
networks: {default: {kind: mlp, hidden: [6], activation: tanh}}
objective: {alpha: {s: 20, y: 20}, rho: 0.5}
data: {source: rows.npz, variables: {x: x, y: y, s: s}, labels: {y: 2, s: 60}, validation: 0.1, test: 0.2}
training: {epochs: 15, batch_size: 20, learning_rate: 0.1, seed: 0}
"""


def pairs(folder: Path, count: int = 200, **changed) -> Path:
    """Rows of two elements, each with the class of its largest number; and the sum of both."""
    random = np.random.default_rng(0)
    y = random.integers(0, 4, (count, 2))
    x = np.eye(4)[y] + 0.3 * random.normal(size=(count, 2, 4))
    columns = {"x": x.astype(np.float32), "y": y, "s": y.sum(1), **changed}
    np.savez(folder / "rows.npz", **columns)
    path = folder / "pairs.yaml"
    path.write_text(PAIRS)
    return path


def test_a_label_is_the_sum_over_what_agrees_with_it() -> None:
    """log q(s | x), and q(y | x, s), are those of all pairs counted by hand."""
    model = model_of(PAIRS)
    x = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    s = torch.tensor([0.0, 3.0, 5.0], dtype=DOUBLE)
    each = model.predict("y", {"x": x}, noise=Noise(0, 3))
    joint = each[:, 0, :, None] * each[:, 1, None, :]
    agrees = torch.arange(4)[:, None] + torch.arange(4) == s[:, None, None]
    whole = (joint * agrees).sum((1, 2))
    torch.testing.assert_close(
        model.predict("s", {"x": x}, noise=Noise(0, 3)).gather(1, s.long()[:, None])[:, 0], whole
    )
    after = torch.stack([(joint * agrees).sum(2), (joint * agrees).sum(1)], 1) / whole[:, None, None]
    torch.testing.assert_close(model.predict("y", {"x": x, "s": s}, noise=Noise(0, 3)), after)
    rows, alpha = {"x": x, "s": s}, model.graphs.spec.objective.alpha
    assert alpha == {"s": 20, "y": 20}
    more = model_of(PAIRS.replace("s: 20", "s: 21")).bound(rows, noise=Noise(0, 3))
    torch.testing.assert_close(more - model.bound(rows, noise=Noise(0, 3)), whole.log())


@pytest.mark.parametrize("seed", [1, 13])
def test_the_emitted_file_agrees(seed: int) -> None:
    assert "def bound(" in emit(load("-", text=CertainSpecDraw(seed).text()))


def test_learning_sums_teaches_digits(tmp_path, monkeypatch) -> None:
    """Two rows with digits and sixty with sums: `train` and `evaluate` give the errors of both."""
    monkeypatch.chdir(tmp_path)
    pairs(tmp_path)
    done = CliRunner().invoke(app, ["train", "pairs.yaml", "--out", "run", "--json", "--no-figures"])
    assert done.exit_code == 0, done.output
    told = CliRunner().invoke(app, ["evaluate", "run", "--json"])
    assert told.exit_code == 0, told.output
    test = json.loads(told.stdout)
    errors = {name: test["variables"][name]["error"] for name in ("y", "s")}
    assert errors["y"] < 0.05 and errors["s"] < 0.1, errors


@pytest.mark.parametrize(("changed", "expected"), [
    ({"s": np.full(200, 6)}, "row 0"),
    ({"y": np.tile([3, -1], (200, 1)), "s": np.r_[np.full(150, 4), np.full(50, 1)]}, "row 150"),
])  # fmt: skip
def test_a_label_that_nothing_gives_is_an_error_with_its_row(tmp_path, monkeypatch, changed, expected) -> None:
    monkeypatch.chdir(tmp_path)
    pairs(tmp_path, **changed)
    told = CliRunner().invoke(app, ["data", "pairs.yaml"])
    assert told.exit_code != 0 and "column 's'" in told.output and expected in told.output, told.output


def test_samples_are_consistent() -> None:
    model = model_of(PAIRS)
    made = model.generate({}, 50, noise=Noise(0, 50))
    assert torch.equal(made["s"], made["y"].sum(1).to(DOUBLE))
    density = model.log_prob("generative", {**made, "s": made["s"].roll(1)})["s"]
    assert set(density.tolist()) == {0.0, -1e9}
