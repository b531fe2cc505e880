"""`evaluate --checks`: what a model gets wrong about held-out rows is told, and a right one is left in peace."""

import csv
import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr
from typer.testing import CliRunner

from compiler import compile_spec
from graphspec import load
from graphspec.graphs.graph import Variable
from runtime import fit
from runtime.cli import common
from runtime.cli.app import app
from runtime.criticism.checks import _few_cells, _told
from runtime.criticism.draws_beside_rows import ColumnOfDraws, by_class, distances, pairs
from runtime.criticism.interval_coverage import _share
from runtime.criticism.logistic_beside import _compared, worse_calibrated
from runtime.runs.run_folder import Run

NUMBER = Variable("x", "observed", "real", ())
LETTER = Variable("y", "supervised", "category", (), names=("a", "b"), support=2)


def column(name: str, rows: np.ndarray, draws: np.ndarray, variable: Variable = NUMBER) -> ColumnOfDraws:
    return ColumnOfDraws(name, variable, rows.astype(float), draws.astype(float))


def test_distances_and_dependence_are_those_of_the_books() -> None:
    rng = np.random.default_rng(0)
    right, wide = rng.normal(size=300), 2 * rng.normal(size=300)
    draws, blanks = rng.normal(size=(20, 300)), rng.random(300) < 0.2
    lacking = np.where(blanks, np.nan, right)
    found = distances([column("right", lacking, np.where(blanks, np.nan, draws)), column("wide", wide, draws)])
    assert [each["off"] for each in found] == [False, True]
    theirs = [ks_2samp(wide, draw).statistic for draw in draws]
    assert found[1]["distance"] == pytest.approx(np.mean(theirs)) and found[1]["rows"][1] == pytest.approx(wide.std())
    letters = column("letter", rng.random(300) < 0.8, rng.random((20, 300)) < 0.5, LETTER)
    assert distances([letters])[0]["off"] and distances([letters])[0]["distance"] == pytest.approx(0.3, abs=0.06)
    other = right + 0.5 * rng.normal(size=300)
    told = pairs([column("one", right, draws), column("two", other, rng.normal(size=(20, 300)))])
    assert told[0]["off"] and told[0]["rows"] == pytest.approx(spearmanr(right, other).statistic, abs=1e-9)
    assert abs(told[0]["draws"]) < 0.05
    same = pairs([column("one", right, draws), column("two", other, draws + 0.5 * rng.normal(size=(20, 300)))])
    assert not same[0]["off"]


def test_within_a_class_a_column_may_be_off_that_is_right_as_a_whole() -> None:
    rng = np.random.default_rng(1)
    label, draws = rng.random(400) < 0.5, rng.random((20, 400)) < 0.5
    rows = np.where(label, 1.0, -1.0) + rng.normal(size=400)
    wrong = np.where(draws, -1.0, 1.0) + rng.normal(size=(20, 400))
    x, y = column("x", rows, wrong), column("y", label, draws, LETTER)
    assert not distances([x])[0]["off"]
    told = by_class([x, y], {"y": y})
    assert {(each["class"], each["column"]) for each in told} == {("a", "x"), ("b", "x")}


SPEC = """
graphspec: 1
name: pairs
variables:
  x: {role: observed, domain: real, size: 2, missing: true}
  w: {role: observed, domain: real}
  y: {role: supervised, domain: category, names: [a, b]}
  v: {role: supervised, domain: real}
  z: {role: latent, domain: real, size: 2}
generative:
  y: {parameters: {probs: learned}}
  z: {}
  x: {parents: [y, z], parameters: {scale: learned}}
  w: {parents: [y], parameters: {scale: learned}}
  v: {parents: [y, z], parameters: {scale: learned}}
recognition:
  y: {parents: [x, w]}
  v: {parents: [x, w, y], parameters: {scale: learned}}
  z: {parents: [x, w, y, v]}
networks: {default: {kind: linear}}
objective: {alpha: 10}
data:
  source: rows.csv
  variables: {x: {columns: [p, q], standardize: true}, w: {column: w, standardize: true}, y: y, v: {column: v, standardize: true}}
  test: 300
training: {epochs: 60, batch_size: 50, learning_rate: {from: 0.03, to: 0.001, shape: cosine, epochs: 60}, select: last}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    y, z = rng.random(800) < 0.4, rng.normal(size=(800, 2))
    p, q = 3 + y + z[:, 0] + 0.5 * rng.normal(size=800), z.sum(1) + 0.5 * rng.normal(size=800)
    w = (
        np.where(y, 1, -1) * (1 + rng.exponential(size=800)) + 0.8 * p
    )  # p and w hang together beyond y, which the spec denies
    v = 10 + 2 * z[:, 1] + rng.normal(size=800)
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*"pqwyv"])
        p, q = (np.where(rng.random(800) < 0.15, "", np.round(each, 4).astype(str)) for each in (p, q))
        for row in zip(p, q, w, np.where(y, "a", "b"), v, strict=True):
            writer.writerow([f"{each:.4f}" if isinstance(each, float) else each for each in row])
    (folder / "pairs.yaml").write_text(SPEC)
    return fit(compile_spec(load(folder / "pairs.yaml")), out=folder / "run", progress=False, device="cpu")


def checked(run: Run, *more: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["evaluate", str(run.folder), "--checks", "--json", *more])
    assert result.exit_code == 0, result.output
    checks: dict[str, Any] = json.loads(result.output)["checks"]
    return checks


def test_intervals_that_are_right_hold_what_they_say_and_a_missing_edge_is_found(run: Run) -> None:
    found = checked(run)
    holds = {each["name"]: each for each in found["intervals"]}
    assert {name: each["of"].split()[0] for name, each in holds.items()} == {
        "x": "hidden",
        "w": "drawn",
        "v": "predicted",
    }
    assert 0.8 < holds["v"]["holds"] < 0.95
    assert 0.85 < holds["x"]["holds"] < 0.95 and set(holds["x"]["worst"]) == {"p", "q"}
    assert not holds["x"]["off"] and not holds["v"]["off"]
    assert not [text for text in found["warnings"] if "90 % intervals of x (hidden and imputed) hold" in text]
    assert any(each["off"] and set(each["pair"]) == {"p", "w"} for each in found["pairs"]), found["pairs"]
    assert not any(each["off"] for each in found["columns"] if each["column"] in ("p", "q", "v", "y"))
    assert any("p and w hang together otherwise" in told for told in found["warnings"])


def test_intervals_that_miss_are_told_by_rows_not_by_cells() -> None:
    rng = np.random.default_rng(0)
    cells = np.ones((300, 4), dtype=np.bool_)
    for share, off in ((0.9, False), (0.75, True), (0.99, True)):
        found = _share(cells, rng.random((300, 4)) < share)
        assert found["off"] == off and found["interval"][0] < share < found["interval"][1], share
    together = np.repeat(np.arange(40)[:, None] % 5 > 0, 300, axis=1)  # 80 % of 40 rows, each wholly in or out
    assert not _share(np.ones_like(together), together)["off"]
    narrow = {"name": "v", "of": "predicted", **_share(cells, rng.random((300, 4)) < 0.75)}
    told = list(_told({"columns": [], "pairs": [], "intervals": [narrow]}))
    assert "90 % intervals of v (predicted) hold 7" in told[0] and "they are too narrow" in told[0]
    assert not list(_few_cells([narrow]))


def test_intervals_that_miss_on_few_rows_are_told_as_what_may_be_chance() -> None:
    cells = np.ones((60, 1), dtype=np.bool_)
    for inside, words in ((49, "they may be too narrow"), (54, ""), (60, "they may be too wide")):
        each = {"name": "v", "of": "predicted", **_share(cells, np.arange(60)[:, None] < inside)}
        assert not each["off"] or inside == 60
        told = [*_few_cells([each]), *_told({"columns": [], "pairs": [], "intervals": [each]})]
        assert bool(told) == (inside != 54)
        if inside == 49:
            assert "hold 81.7 % of 60 cells" in told[0] and words in told[0] and "so few rows" in told[0]


def test_a_label_is_held_against_a_logistic_regression(run: Run) -> None:
    """The regression is scikit-learn's on the same labels; probabilities pushed to the ends are said to be worse."""
    figures = checked(run)["logistic"]["y"]
    assert figures["labels"] > 100 and 0 <= figures["worse"] <= 1
    assert figures["logistic_calibration"] < 0.2 and figures["logistic_log_loss"] < 0.7
    rng = np.random.default_rng(0)
    right = rng.uniform(0.5, 1, 600)
    labels = (rng.random(600) > right).astype(int)
    honest = np.stack([right, 1 - right], 1)
    sure = np.stack([1 - (1 - right) / 20, (1 - right) / 20], 1)
    found = _compared(sure, honest, labels)
    assert found["calibration"] > 0.15 > found["logistic_calibration"] and found["worse"] == 1
    (told,) = worse_calibrated({"y": {**found, "labels": 40}})
    assert "probabilities of y are worse calibrated than a logistic regression's on the same 40 labels: " in told
    (told,) = worse_calibrated({"y": {**found, "labels": 40, "worse": 0.6}})
    assert "or it is chance" in told
    assert not list(worse_calibrated({"y": {**_compared(honest, sure, labels), "labels": 40}}))


def test_the_tables_name_columns_and_mark_what_is_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.console, "_width", 150)
    shown = CliRunner().invoke(app, ["evaluate", str(run.folder), "--checks"]).output
    assert "p, w *" in shown and "hidden and imputed" in shown and "draws of" in shown
