"""Factors of columns far from where they would start begin where training rows say: they train, resume, and are emitted
with what a run has learnt."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_emission import executed
from typer.testing import CliRunner

from compiler import compile_spec
from compiler.emission import emit
from compiler.families import ENTRIES
from compiler.model.model import Model
from compiler.plan.plan import Given
from compiler.tensors.noise import Noise
from graphspec.graphs.start import Start
from graphspec.loading import load
from runtime import open_run
from runtime.cli.app import app
from runtime.data import PreparedData, prepare
from runtime.errors import RunError
from runtime.measures.evaluation import measure
from runtime.measures.shortcomings import TrainingRows, shortcomings
from runtime.runs.run_folder import Run
from runtime.training.loop.fitting import fit

SPEC = """\
graphspec: 1
name: far
variables:
  x: {role: observed, VARIABLE}
  y: {role: supervised, domain: category, classes: 3}
generative: {y: {}, x: {parents: [y], FACTOR}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: mlp, hidden: [16], activation: silu}}
data: {source: rows.npz, variables: {x: x, y: y}, test: 0.25, validation: 0}
training: {epochs: 6, batch_size: 20, learning_rate: 3e-2, select: last}
"""
RNG = np.random.default_rng(0)
LABELS = np.arange(600) % 3
NOISE = RNG.normal(size=600)
PRICES = 3e5 + 1e5 * (LABELS + 0.2 * NOISE)
WEIGHTS = np.exp(12 + LABELS + 0.2 * NOISE)
BIG_COUNTS = RNG.poisson(WEIGHTS)
KINDS: dict[str, tuple[np.ndarray, str, str]] = {
    "prices": (PRICES, "domain: real", ""),
    "two of three": (np.stack([NOISE, PRICES, 1e-12 * PRICES], axis=1), "domain: real, size: 3", ""),
    "poisson": (RNG.poisson(1e5 * (1 + LABELS)), "domain: count", ""),
    "negative binomial": (BIG_COUNTS, "domain: count", "distribution: negative_binomial"),
    "extra zeros": (
        np.where(RNG.random(600) < 0.1, 0, BIG_COUNTS), "domain: count",
        "distribution: zero_inflated_negative_binomial",
    ),
    "gamma": (WEIGHTS, "domain: positive", "distribution: gamma"),
    "grains": (1e-9 * WEIGHTS, "domain: positive", ""),
}  # fmt: skip


def write(folder: Path, values: np.ndarray, variable: str, factor: str = "") -> Path:
    np.savez(folder / "rows.npz", x=values, y=np.where(np.arange(600) % 4 < 2, LABELS, -1))
    path = folder / "spec.yaml"
    path.write_text(SPEC.replace("VARIABLE", variable).replace("FACTOR", factor), encoding="utf-8")
    return path


def trained(path: Path, data: PreparedData | None = None, out: str = "run", *overrides: str) -> tuple[Model, Run]:
    model = compile_spec(load(path, overrides))
    run = fit(model, data or prepare(load(path, overrides), spec_path=path), out=path.parent / out, progress=False)
    return model, run


def report_of(model: Model, data: PreparedData) -> dict[str, Any]:
    return measure(model, data.test, units=data.units, training=data.training).report


@pytest.mark.parametrize("kind", KINDS)
def test_far_columns_are_learnt(tmp_path: Path, kind: str) -> None:
    """The bound ends above the fit of the column by itself, and the label is found from it."""
    path = write(tmp_path, *KINDS[kind])
    data = prepare(load(path), spec_path=path)
    report = report_of(trained(path, data, "run", f"training.epochs={12 if kind == 'extra zeros' else 6}")[0], data)
    assert not report["columns"]["below"] and report["elbo"] > report["columns"]["fit"]
    assert report["variables"]["y"]["error"] < 0.2


@pytest.mark.parametrize("kind", ["prices", "negative binomial"])
def test_without_its_start_a_column_is_not_learnt_and_that_is_said(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, *KINDS[kind])
    data = replace(prepare(load(path), spec_path=path), starts={})
    model, _ = trained(path, data)
    report = report_of(model, data)
    assert report["columns"]["below"]
    (found,) = [
        text
        for text in shortcomings(model.graphs, report, TrainingRows(1, 0, {}))
        if "a fit of the column gives" in text
    ]
    assert f"the bound is {report['elbo']:.4g} nats a row" in found


@pytest.mark.parametrize(
    ("variable", "factor", "moved"),
    [
        ("domain: real", "", {"loc", "scale"}),
        ("domain: real", "distribution: laplace", {"loc", "scale"}),
        ("domain: real", "distribution: student_t", {"loc", "scale"}),
        ("domain: real", "parameters: {scale: learned}", {"loc", "scale"}),
        ("domain: real", "parameters: {scale: 1000}", {"loc"}),
        ("domain: real", "parameters: {scale: {learned: element, maximum: 2}}", {"loc"}),
        ("domain: real", "parameters: {loc: {parents: [y], network: {kind: linear}}}", {"loc", "scale"}),
        ("domain: real", "parameters: {loc: {learned: element, initial: 3e5}}", set()),
        ("domain: positive", "distribution: gamma", {"rate", "concentration"}),
        ("domain: positive", "", {"loc", "scale"}),
    ],
)
def test_what_the_author_gives_starts_where_the_author_says(
    tmp_path: Path, variable: str, factor: str, moved: set[str]
) -> None:
    """What is left starts at the fit of the column by itself, whatever gives it; networks read the column near 0."""
    path = write(tmp_path, PRICES, variable, factor)
    graphs = load(path)
    data = prepare(graphs, spec_path=path)
    start = data.starts["x"]
    assert start.parameters["generative"].keys() == moved
    model = compile_spec(graphs)
    model.begin_at(data.starts)
    with torch.no_grad():
        for weights in model.factors["generative--x"].parameters():
            weights.mul_(1e-6 if not factor else 1)
    entrance = model.factors["recognition--y"].entrances["of_x"](data.training.values["x"])
    assert abs(float(entrance.mean())) < 1e-3 and float(entrance.std()) == pytest.approx(1, abs=0.01)
    if not factor:
        y = torch.zeros(1, dtype=torch.int64)
        _, _, parameters = model.family_at(graphs.generative["x"], {"y": y}, Noise(0, 1))
        entry = ENTRIES[graphs.generative["x"].family.name]
        expected = entry.fit(data.training.values["x"].double())
        torch.testing.assert_close(torch.cat(parameters).double(), torch.stack(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "wild"), [("prices", -1e30), ("negative binomial", 10**14), ("grains", 1e20)])
def test_a_wrong_cell_does_not_say_where_a_column_starts(tmp_path: Path, kind: str, wild: float) -> None:
    values, variable, factor = KINDS[kind]
    path = write(tmp_path, values, variable, factor)
    right = prepare(load(path), spec_path=path)
    row = int(right.training.source[7])
    changed = values.copy()
    changed[row] = wild
    write(tmp_path, changed, variable, factor)
    shift, other = (
        data.starts["x"].parameters["generative"][{"prices": "loc", "grains": "loc"}.get(kind, "mean")]
        for data in (right, prepare(load(path), spec_path=path))
    )
    assert other.offset[0] == pytest.approx(shift.offset[0], rel=0.2)
    assert other.factor[0] == pytest.approx(shift.factor[0], rel=2)
    write(tmp_path, np.where(np.arange(600) == row, wild, np.abs(NOISE) + 1), "domain: real")
    near = prepare(load(path), spec_path=path)
    assert not near.starts and any("look at the furthest cells" in note for note in near.notes)


def test_what_p_does_not_model_enters_networks_near_zero(tmp_path: Path) -> None:
    path = write(tmp_path, PRICES, "domain: real")
    text = path.read_text(encoding="utf-8").replace("{y: {}, x: {parents: [y], }}", "{y: {parents: [x]}}")
    path.write_text(text, encoding="utf-8")
    (start,) = prepare(load(path), spec_path=path).starts.values()
    assert start.parameters == {} and start.center[0] == pytest.approx(4e5, rel=0.02)


def test_images_start_by_channel_and_blanks_read_as_the_mean(tmp_path: Path) -> None:
    images = np.broadcast_to(PRICES[:, None, None, None] * [[[1.0]], [[1e-5]]], (600, 2, 2, 3)).copy()
    images[:50] = np.nan
    path = write(tmp_path, images, "domain: real, shape: [2, 2, 3], missing: true")
    graphs = load(path)
    start = prepare(graphs, spec_path=path).starts["x"]
    assert start.shape == (2, 1, 1) and start.center[1] == 0 and start.center[0] == pytest.approx(4e5, rel=0.02)
    model = compile_spec(graphs.with_starts({"x": start}))
    blank, mean = torch.full((1, 2, 2, 3), torch.nan), torch.zeros(1, 2, 2, 3)
    mean[:, 0] = start.center[0]
    shown = [model.compiled.given({"x": x}, model.compiled.context(Noise(0, 1), model._final_weights, x.device, {}))
             for x in (blank, mean)]  # fmt: skip
    entered = [model.factors["recognition--y"].entrances["of_x"](given.tensor(Given("x", "value"))) for given in shown]
    assert float(entered[0].abs().max()) < 1e-6 and torch.equal(*entered)


def test_a_start_is_kept_with_the_run_and_its_weights(tmp_path: Path) -> None:
    """Resumed, opened, emitted beside the data, and begun from: the same model."""
    path = write(tmp_path, *KINDS["negative binomial"])
    _, half = trained(path, None, "half", "training.epochs=1")
    whole, _ = trained(path, None, "whole", "training.epochs=2")
    resumed = fit(compile_spec(load(path, ["training.epochs=2"])), out=half.folder, resume=True, progress=False)
    recorded = resumed.manifest()["starts"]
    assert Start.from_json(recorded["x"]) == prepare(load(path), spec_path=path).starts["x"]
    rows = {"x": torch.tensor([2e4, 3e5, 1e6])}
    hidden = {**rows, "y": torch.full((3,), -1)}
    expected = whole.bound(rows, noise=Noise(0, 3)).detach()
    for opened in (open_run(resumed.folder), open_run(resumed.last_file)):
        assert torch.equal(opened.bound(rows, noise=Noise(0, 3)), expected)

    told = CliRunner().invoke(app, ["compile", str(path), "--emit", str(tmp_path / "model.py")])
    assert told.exit_code == 0, told.output
    space = executed((tmp_path / "model.py").read_text(encoding="utf-8"))
    twin = space["Model"]()
    space["load_weights"](twin, str(resumed.last_file))
    assert torch.allclose(space["bound"](twin, hidden, torch.Generator().manual_seed(0)), expected, rtol=1e-5)
    plain = executed(emit(load(path)))
    with pytest.raises(ValueError, match="tensors that this file does not know"):
        plain["load_weights"](plain["Model"](), str(resumed.last_file))


def test_data_that_are_not_there_are_told_where_the_start_matters(tmp_path: Path) -> None:
    path = write(tmp_path, *KINDS["prices"])
    (tmp_path / "rows.npz").unlink()
    told = CliRunner().invoke(app, ["compile", str(path), "--emit", "-"])
    assert told.exit_code == 0 and "note: the data were not looked at" in told.output


def test_weights_of_another_run_mean_what_they_meant_there(tmp_path: Path) -> None:
    """q(y | x) of a run on prices, taken to prices ten times as high, and to those of a run without a start."""
    path = write(tmp_path, *KINDS["prices"])
    first, _ = trained(path, None, "first", "training.epochs=2")
    near, _ = trained(path, replace(prepare(load(path), spec_path=path), starts={}), "near", "training.epochs=1")
    write(tmp_path, 10 * PRICES, "domain: real")
    rows = {"x": torch.tensor([3e5, 4e5]), "y": torch.tensor([0, 1])}
    for name, model in (("first", first), ("near", near)):
        taken = f"training.initialize=[{{from: {name}, factors: [recognition.y], freeze: true}}]"
        second, run = trained(path, None, f"after {name}", "training.epochs=1", taken)
        assert torch.equal(second.log_prob("recognition", rows)["y"], model.log_prob("recognition", rows)["y"])
        loc = run.manifest()["starts"]["x"]["parameters"]["generative"]["loc"]["offset"]
        assert loc == [pytest.approx(4e6, rel=0.05)]


def test_damaged_starts_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, *KINDS["prices"])
    _, run = trained(path, None, "run", "training.epochs=1")
    manifest = run.manifest()
    manifest["starts"]["x"]["center"] = [1, 2]
    run.manifest_file.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(RunError, match="damaged: 2 numbers do not have shape"):
        fit(compile_spec(load(path)), out=run.folder, resume=True, progress=False)


def test_positive_values_are_standardized_by_their_logarithms(tmp_path: Path) -> None:
    """Errors and figures in data units; the bound differs by the density's change of units, and that is said."""
    path = write(tmp_path, WEIGHTS, "domain: positive", "distribution: lognormal")
    path.write_text(path.read_text().replace("{x: x,", "{x: {column: x, standardize: true},"), encoding="utf-8")
    data = prepare(load(path), spec_path=path)
    assert not data.starts
    units, logs = data.units["x"], np.log(WEIGHTS[data.training.source.numpy()])
    assert float(units.mean) == pytest.approx(logs.mean()) and float(units.std) == pytest.approx(logs.std())
    inside = data.training.values["x"].double()
    assert float(inside.log().mean()) == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(units.to_data(inside), WEIGHTS[data.training.source.numpy()], rtol=1e-5)
    model, run = trained(path, data)
    report = report_of(model, data)
    assert report["variables"]["y"]["error"] < 0.2
    inner, s = np.log(data.test.values["x"].double().numpy()), float(units.std)
    slope = inner - (s * inner + float(units.mean)) - math.log(s)
    assert report["elbo_data_units"] == pytest.approx(report["elbo"] + slope.mean(), rel=1e-6)
    assert f"in the data's units it is {report['elbo_data_units']:.2f}" in report["notes"][-1]
    csv = tmp_path / "rec.csv"
    told = CliRunner().invoke(app, ["reconstruct", str(run.folder), "-o", str(csv), "--count", "2"])
    assert told.exit_code == 0, told.output
    shown = [float(line.split(",")[4]) for line in csv.read_text(encoding="utf-8").splitlines()[1:]]
    assert all(1e4 < value < 1e7 for value in shown)


def test_an_error_of_a_standardized_positive_label_is_in_data_units(tmp_path: Path) -> None:
    text = """\
graphspec: 1
variables: {x: {role: observed, domain: real}, w: {role: supervised, domain: positive}}
generative: {w: {}, x: {parents: [w]}}
recognition: {w: {parents: [x]}}
networks: {default: {kind: mlp, hidden: [16], activation: silu}}
data: {source: rows.npz, variables: {x: x, w: {column: w, standardize: true}}, test: 0.25, validation: 0}
training: {epochs: 8, batch_size: 50, learning_rate: 3e-2, select: last}
"""
    np.savez(tmp_path / "rows.npz", x=NOISE, w=np.exp(12 + NOISE + 0.05 * RNG.normal(size=600)))
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    data = prepare(load(path), spec_path=path)
    figures = report_of(trained(path, data)[0], data)["variables"]["w"]
    assert 1e4 < figures["error"] < 0.6 * figures["mean_error"] and figures["mean_error"] > 1e5
