"""Queries that need draws, against closed forms; the same numbers as `predict`; and as a person meets them in a shell."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from query_specs import ask, ask_one, used_run
from test_predict import BIRDS, bird, write_csv
from tiny_runs import make_run
from typer.testing import CliRunner

from compiler.tensors.noise import Noise
from runtime import open_predictor
from runtime.cli.app import app
from runtime.predicting.used_run import UsedRun
from runtime.runs.run_folder import Run

LINEAR = """
graphspec: 1
name: linear
variables:
  w: {role: observed, domain: real}
  v: {role: supervised, domain: real}
  k: {role: observed, domain: count}
  z: {role: latent, domain: real, size: 1}
generative:
  z: {}
  v: {parents: [z], parameters: {scale: learned}}
  w: {parents: [v, z], parameters: {scale: learned}}
  k: {parents: [v]}
recognition:
  v: {parents: [w, k], parameters: {scale: learned}}
  z: {parents: [w, v]}
networks: {default: {kind: linear}}
data: {source: rows.csv, variables: {w: {column: w, standardize: true}, v: v, k: k}}
training: {epochs: 1}
"""


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> UsedRun:
    rng = np.random.default_rng(0)
    rows = "w,v,k\n" + "".join(f"{rng.normal(5, 2):.3f},{rng.normal():.3f},{rng.poisson(3)}\n" for _ in range(40))
    return used_run(tmp_path_factory.mktemp("linear"), LINEAR, rows, strength=1.5)


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("birds")
    write_csv(folder / "birds.csv", [bird(number) for number in range(60)])
    (folder / "birds.yaml").write_text(BIRDS)
    return make_run(folder / "run", folder / "birds.yaml")


def location(used: UsedRun, name: str, **parents: float) -> tuple[float, float]:
    """loc and scale of p's factor at some values."""
    model = used.double_model
    shapes = {each: (1, *model.graphs.variables[each].shape) for each in parents}
    values = {each: torch.full(shapes[each], value, dtype=torch.float64) for each, value in parents.items()}
    _, _, (loc, scale) = model.family_at(model.graphs.generative[name], values, Noise(0, 1))
    return float(loc.detach()), float(scale.detach())


def to_data(used: UsedRun, value: float) -> float:
    return float(used.units["w"].to_data(torch.tensor([value], dtype=torch.float64)))


def test_posterior_of_a_linear_gaussian_graph(linear: UsedRun) -> None:
    """z | v, w by p: precision 1 + b^2 / s^2 + d^2 / t^2."""
    v, w = 0.4, -0.3
    a, s = location(linear, "v", z=0)
    b = location(linear, "v", z=1)[0] - a
    c, t = location(linear, "w", v=v, z=0)
    d = location(linear, "w", v=v, z=1)[0] - c
    precision = 1 + (b / s) ** 2 + (d / t) ** 2
    mean = (b * (v - a) / s**2 + d * (w - c) / t**2) / precision
    found: Any = ask_one(linear, f"z, z[0] > {mean} | v={v}, w={to_data(linear, w)}", by="generative", draws=20_000)
    figure = found["targets"]["z[0]"]
    assert not figure["exact"] and 0 < figure["se"] < 0.05
    assert abs(figure["mean"] - mean) < 4 * figure["se"]
    assert figure["sd"] == pytest.approx(precision**-0.5, rel=0.1)
    event = found["targets"][f"z[0] > {mean}"]
    assert abs(event["probability"] - 0.5) < 4 * event["se"]
    cov = np.array([[b * b + s * s, 0.0], [0.0, 0.0]])
    slope = location(linear, "w", v=1, z=0)[0] - location(linear, "w", v=0, z=0)[0]
    loc = np.array([a, location(linear, "w", v=0, z=0)[0] + slope * a])
    cov[0, 1] = cov[1, 0] = slope * (b * b + s * s) + d * b
    cov[1, 1] = slope**2 * (b * b + s * s) + 2 * slope * d * b + d * d + t * t
    away = np.array([v, w]) - loc
    expected = -0.5 * away @ np.linalg.solve(cov, away) - 0.5 * np.log(np.linalg.det(2 * np.pi * cov))
    assert found["log_evidence"] == pytest.approx(expected, abs=0.1)


def test_a_counterfactual_keeps_its_own_noise(linear: UsedRun) -> None:
    """w' = w + loc(v') - loc(v), whatever z was: the graph is linear and the scale does not move."""
    moved = location(linear, "w", v=-1.0, z=0.2)[0] - location(linear, "w", v=1.0, z=0.2)[0]
    for by in ("generative", "recognition"):
        found: Any = ask_one(linear, f"w | v=1, w={to_data(linear, 0.7)}, k=2, do(v=-1)", by=by, draws=200)
        figure = found["targets"]["w"]
        assert figure["mean"] == pytest.approx(to_data(linear, 0.7 + moved), abs=1e-6)
        assert figure["sd"] < 1e-6 and figure["low"] == pytest.approx(figure["high"], abs=1e-6)
    back: Any = ask_one(linear, f"w, k | v=1, w={to_data(linear, 0.7)}, k=2, do(v=1)", by="recognition", draws=50)
    assert back["targets"]["w"]["mean"] == pytest.approx(to_data(linear, 0.7), abs=1e-9)
    assert back["targets"]["k"]["mean"] == 2 and back["targets"]["k"]["sd"] == 0


def test_to_set_is_not_to_see(linear: UsedRun) -> None:
    """do(v) leaves z as p has it."""
    c = location(linear, "w", v=2.0, z=0)[0]
    seen, done = ask(linear, "w | v=2", "w | do(v=2)", by="generative", draws=20_000)
    figure: Any = done[0]["targets"]["w"]  # type: ignore[index]
    assert abs(figure["mean"] - to_data(linear, c)) < 4 * figure["se"] + 1e-9
    a, s = location(linear, "v", z=0)
    b = location(linear, "v", z=1)[0] - a
    d = location(linear, "w", v=2.0, z=1)[0] - c
    expected = to_data(linear, c + d * b * (2 - a) / (b * b + s * s))
    other: Any = seen[0]["targets"]["w"]  # type: ignore[index]
    assert abs(other["mean"] - expected) < 4 * other["se"]
    assert figure["difference"] == pytest.approx(figure["mean"] - other["mean"])
    assert figure["difference_se"] > 0


def test_draws_do_not_depend_on_batches_or_other_queries(linear: UsedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ask(linear, "z | w, k", rows="training")[0]
    monkeypatch.setattr("runtime.querying.asking.ROWS_AT_ONCE", 7)
    parts = ask(linear, "v | w, k", "z | w, k", rows="training")
    assert [row["row"] for row in whole] == [row["row"] for row in parts[-1]]
    for one, other in zip(whole, parts[-1], strict=True):
        for key in ("mean", "sd", "low"):
            a, b = (each["targets"]["z[0]"][key] for each in (one, other))  # type: ignore[index]
            assert a == pytest.approx(b, abs=1e-12)


def test_the_same_as_predict(birds: Run, tmp_path: Path) -> None:
    """Every hidden variable, given everything the row has."""
    path = write_csv(tmp_path / "new.csv", [bird(number) for number in range(60, 90)])
    predictor = open_predictor(birds.folder)
    predicted = predictor.predict(path, latents="none")
    found = predictor.query("species, weight | size, island, eggs, species, weight", table=path)
    for name in ("kind=Adelie", "kind=Gentoo", "kind=Chinstrap"):
        np.testing.assert_allclose(found[name], predicted[name], atol=1e-5)
    assert (found["kind"] == predicted["kind"]).all()
    given = found["mass.sd"] == 0
    assert given.any() and not given.all()
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [float(row["mass"]) for row, known in zip(rows, given, strict=True) if known] == pytest.approx(
        found["mass"][given].tolist(), rel=1e-5
    )


def query(*arguments: Any, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["query", *map(str, arguments)])
    assert "Traceback" not in result.output, result.output
    assert result.exit_code == code, result.output
    return result


def test_in_a_shell(birds: Run, tmp_path: Path) -> None:
    asked = "species, mass > 4000 | island=Dream, bill=40"
    text = query(birds.folder, asked, "species | island=Biscoe").output
    assert "given island = Dream, bill = 40; by recognition" in text and "difference" in text
    plain = json.loads(query(birds.folder, asked, "--json").stdout)
    answer = plain["answers"][0]
    assert answer["query"] == asked and answer["average"] is None and answer["rows"][0]["row"] is None
    assert sum(answer["rows"][0]["targets"]["species"]["probabilities"].values()) == pytest.approx(1)
    wrong = query(birds.folder, "species | iland=Dream", code=1)
    assert "no variable or column 'iland': did you mean island?" in wrong.output and "^^^^^" in wrong.output
    path = write_csv(tmp_path / "new.csv", [bird(number) for number in range(60, 70)])
    out = tmp_path / "out.csv"
    query(birds.folder, "species, mass | bill, island", "--rows", path, "-o", out)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["row"] for row in rows] == [str(number) for number in range(10)]
    assert rows[0]["kind"] in ("Adelie", "Gentoo", "Chinstrap") and float(rows[0]["mass.low"]) < float(rows[0]["mass"])
    plain = json.loads(query(birds.folder, "species | bill, island", "--rows", path, "--json").stdout)
    shares = [row["targets"]["species"]["probabilities"]["Adelie"] for row in plain["answers"][0]["rows"]]
    mean = plain["answers"][0]["average"]["species"]["probabilities"]["Adelie"]
    assert mean == pytest.approx(np.mean(shares))


def test_joint_draws_are_joint(linear: UsedRun) -> None:
    """w | v has a slope; draws of both have it too."""
    found: Any = ask_one(linear, "v, w | k=2", by="generative", joint=True, draws=4000)
    draws = np.array(found["joint"]["draws"])
    assert found["joint"]["names"] == ["v", "w"] and draws.shape == (4000, 2)
    alone: Any = ask_one(linear, "v | k=2", by="generative", draws=4000)
    figure = alone["targets"]["v"]
    assert draws[:, 0].mean() == pytest.approx(figure["mean"], abs=5 * figure["se"] + 3 * figure["sd"] / 4000**0.5)
    assert abs(np.corrcoef(draws.T)[0, 1]) > 0.05


def test_more_elements_than_a_page_holds(tmp_path: Path) -> None:
    names = [f"g{number}" for number in range(70)]
    rng = np.random.default_rng(0)
    rows = ",".join(["y", *names]) + "\n"
    for row in range(30):
        rows += ",".join([str(row % 2), *(f"{value:.2f}" for value in rng.normal(row % 2, 1, 70))]) + "\n"
    spec = """
graphspec: 1
name: genes
variables:
  x: {role: observed, domain: real, size: 70}
  y: {role: supervised, domain: category, classes: 2}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: linear}}
data: {source: rows.csv, variables: {x: {columns: "g*"}, y: y}}
training: {epochs: 1}
"""
    used = used_run(tmp_path, spec, rows)
    out = tmp_path / "x.npz"
    query(used.run.folder, "x | y=1", code=1)
    query(used.run.folder, "x | y=1", "-o", out)
    with np.load(out) as found:
        assert found["x"].shape == found["x.sd"].shape == (1, 70)
        model = used.double_model
        _, _, (loc, _) = model.family_at(model.graphs.generative["x"], {"y": torch.tensor([1])}, Noise(0, 1))
        np.testing.assert_allclose(found["x"], loc.detach().numpy(), atol=1e-9)
    drawn = tmp_path / "draws.npz"
    query(used.run.folder, "x | y=1", "-o", drawn, "--joint", "--draws", "20")
    with np.load(drawn) as found:
        assert found["x"].shape == (1, 20, 70)
