"""How sure answers may be: temperatures, what chance allows, and that `--raw` leaves the model's own probabilities."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss as their_log_loss
from typer.testing import CliRunner

from compiler import compile_spec
from compiler.tensors.noise import Noise
from graphspec import load
from runtime import fit, open_predictor, open_run
from runtime.cli import common
from runtime.cli.app import app
from runtime.figures.reliability import reliability
from runtime.measures.metrics import calibration_error
from runtime.measures.temperature import badly_calibrated, calibration_figures, fit_temperature, tempered
from runtime.runs.run_folder import Run

SPEC = """
graphspec: 1
name: sure
variables:
  x: {role: observed, domain: real, size: 2}
  y: {role: supervised, domain: category, names: [low, middle, high]}
  z: {role: latent, domain: real, size: 1}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x], network: {kind: mlp, hidden: [64]}}, z: {parents: [x, y]}}
networks: {default: {kind: linear}}
objective: {alpha: 50}
data: {source: rows.csv, variables: {x: {columns: [a, b]}, y: kind}, test: 200, validation: 150, labels: {y: 40}}
training: {epochs: 60, batch_size: 20, learning_rate: 0.02, select: last}
"""


def drawn(count: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [n, 3] and labels that follow them at sharpness 1."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet((1, 1, 1), count)
    labels = np.array([rng.choice(3, p=each) for each in true])
    return tempered(true, 1 / sharpness), labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_is_the_likeliest_one(sharpness: float) -> None:
    probabilities, labels = drawn(2000, sharpness)
    found = fit_temperature(probabilities, labels, 2000)
    theirs = minimize_scalar(
        lambda t: their_log_loss(labels, tempered(probabilities, t)),
        bounds=(0.1, 20),
        method="bounded",
        options={"xatol": 1e-8},
    )
    assert found.value == pytest.approx(theirs.x, rel=1e-4) and found.value == pytest.approx(sharpness, rel=0.1)
    assert found.used == (sharpness != 1) and found.log_loss[1] <= found.log_loss[0]
    told = found.applied(probabilities)
    assert (told.argmax(1) == probabilities.argmax(1)).all() and np.allclose(told.sum(1), 1)
    assert calibration_error(told, labels) < 0.04


def test_zeros_ones_and_blanks_stay_what_they_are() -> None:
    told = tempered(np.array([[1.0, 0.0, 0.0], [np.nan] * 3, [0.5, 0.5, 0.0]], dtype=np.float32), 2.5)
    assert told.dtype == np.float32 and told[0, 0] > 0.999 and np.isnan(told[1]).all() and told[2, 0] == told[2, 1]
    always = fit_temperature(np.tile([0.9, 0.1], (150, 1)), np.zeros(150, dtype=np.int64), 150)
    assert always.value == pytest.approx(0.1, rel=0.01), "never sharper than that"


def test_what_is_off_by_more_than_chance_is_told_and_nothing_else() -> None:
    for sharpness, off in ((1.0, None), (3.0, "too sure"), (0.3, "not sure enough")):
        for seed in range(3):
            probabilities, labels = drawn(400, sharpness, seed)
            error = float((probabilities.argmax(1) != labels).mean())
            figures = {"error": error, "calibration": calibration_error(probabilities, labels)}
            report = {"variables": {"y": figures | calibration_figures(probabilities, labels, 400, None)}}
            told = badly_calibrated(report)
            assert bool(told) == (off is not None) and (off is None or off in told[0]), (sharpness, told)


def test_a_reliability_diagram_has_bins_of_equal_size() -> None:
    probabilities, labels = drawn(1000, 1.0)
    said, right, low, high = reliability(probabilities, labels)
    assert len(said) == 10 and (np.diff(said) > 0).all() and (low <= right).all() and (right <= high).all()
    assert ((low <= said) & (said <= high)).sum() >= 8


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, rng = tmp_path_factory.mktemp("sure"), np.random.default_rng(0)
    kind = rng.integers(0, 3, 600)
    x = rng.normal(size=(600, 2)) + np.array([[0, 0], [1, 0], [0, 1]])[kind]
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "kind"])
        writer.writerows(
            [f"{a:.4f}", f"{b:.4f}", ["low", "middle", "high"][k]] for (a, b), k in zip(x, kind, strict=True)
        )
    (folder / "sure.yaml").write_text(SPEC)
    return fit(compile_spec(load(folder / "sure.yaml")), out=folder / "run", progress=False, device="cpu")


def rows_of(run: Run) -> dict[str, list[float]]:
    with (run.spec_path.parent / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))[:50]
    return {name: [float(row[name]) for row in rows] for name in ("a", "b")}


def test_a_temperature_is_kept_with_the_run_and_used_by_predict(run: Run, tmp_path: Path) -> None:
    kept = run.manifest()["calibration"]["y"]
    assert kept["rows"] == 150 and kept["used"] and kept["temperature"] > 1.2, "forty labels and a large network"
    assert kept["log_loss"][1] < kept["log_loss"][0]
    table, predictor = rows_of(run), open_predictor(run.folder)
    names = [f"kind={name}" for name in ("low", "middle", "high")]
    told, raw = (
        np.stack([np.asarray(predictor.predict(table, raw=way)[n]) for n in names], 1) for way in (False, True)
    )
    x = torch.tensor([table["a"], table["b"]]).T
    with torch.no_grad():
        own = open_run(run.folder).predict("y", {"x": x}, noise=Noise(0, len(x))).numpy()
    assert np.array_equal(raw, own), "--raw is the model's own"
    assert np.allclose(told, tempered(own, kept["temperature"])) and np.abs(told - own).max() > 0.05
    last = open_predictor(run.folder, checkpoint="last").predict(table)
    assert np.allclose(np.asarray(last["kind=low"]), raw[:, 0]), "it is of the selected weights"
    with (tmp_path / "new.csv").open("w") as file:
        file.write("a,b\n" + "".join(f"{a},{b}\n" for a, b in zip(table["a"], table["b"], strict=True)))
    for more, expected in (((), told), (("--raw",), raw)):
        result = CliRunner().invoke(
            app, ["predict", str(run.folder), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out.csv"), *more]
        )
        assert result.exit_code == 0, result.output
        with (tmp_path / "out.csv").open() as file:
            found = [[float(row[name]) for name in names] for row in csv.DictReader(file)]
        assert np.allclose(found, expected, atol=1e-6)


def test_evaluate_says_what_the_temperature_does_and_where_probabilities_are_off(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(run.folder), "--json"])
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.output)
    figures = report["variables"]["y"]
    own = figures["calibrated"]
    assert own["used"] and own["fitted_on"] == 150 and own["log_loss"] < figures["log_loss"]
    assert own["calibration"] < figures["calibration"] and figures["calibration"] > figures["calibration_chance"]
    assert (run.figures / "reliability-y-test.png").is_file()
    monkeypatch.setattr(common.console, "_width", 120)
    shown = CliRunner().invoke(app, ["evaluate", str(run.folder)]).output
    assert "150 rows" in shown and "temperature" in shown and "reliability-y-test.png" in shown
    raw = CliRunner().invoke(app, ["evaluate", str(run.folder), "--checkpoint", "last"]).output
    assert "probabilities of y are off, too sure" in " ".join(raw.split())
