"""How many rows have each label, told before anything is loaded: `check`, `explain`, and the weight that is diluted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_specs import write_npz
from typer.testing import CliRunner

from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_text
from graphspec.graphs.graph import Graphs
from graphspec.loading import load
from runtime.cli.app import app
from runtime.data import prepare

SPEC = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  y: {role: supervised, domain: category, names: [low, mid, high]}
  w: {role: supervised, domain: real}
generative: {y: {}, w: {}, x: {parents: [y, w]}}
recognition: {y: {parents: [x]}, w: {parents: [x, y]}}
objective: {alpha: {y: 5, w: 5}}
data: {source: SOURCE, variables: {x: [a, b], y: kind, w: height}, test: 0.25, validation: 0}
training: {epochs: 1}
"""
ROWS = 400


def written(folder: Path, kinds: int, heights: int, *overrides: str) -> Graphs:
    """A table whose first rows have a kind, whose last rows have a height."""
    lines = ["a,b,kind,height"]
    for row in range(ROWS):
        kind = ("low", "mid", "high", "mid")[row % 4] if row < kinds else "?"
        lines.append(f"{row % 7},{row % 5},{kind},{row / 8 if row >= ROWS - heights else ''}")
    (folder / "rows.csv").write_text("\n".join(lines))
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.replace("SOURCE", "rows.csv"))
    return load(spec, ["data.variables.y={column: kind, missing: ['?']}", *overrides])


def test_rows_with_any_label_are_counted_row_by_row(tmp_path: Path) -> None:
    counted = written(tmp_path, 100, 350).label_rows
    assert counted is not None and counted.exact
    assert (counted.total, counted.labelled) == (ROWS, 400)
    assert counted.given == counted.training == {"y": 100, "w": 350}
    assert counted.classes["y"] == {"low": 25, "mid": 50, "high": 25}
    assert written(tmp_path, 100, 100).label_rows.labelled == 200  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("budget", "y", "labelled"),
    [
        ("{y: 12}", 12, 300),  # all of the 300 training rows have w
        ("{y: 0.1}", 30, 300),
        ("{y: {per_class: 4}, w: 40}", 12, 50),  # drawn apart: 300 (1 - 288/300 * 260/300)
        ("{w: 40, y: {with: w}}", 40, 40),
    ],
)
def test_budgets_and_splits_are_heeded(tmp_path: Path, budget: str, y: int, labelled: int) -> None:
    counted = written(tmp_path, ROWS, ROWS, f"data.labels={budget}").label_rows
    assert counted is not None and not counted.exact
    assert counted.training["y"] == y and counted.labelled == pytest.approx(labelled, abs=1)


def test_labels_on_the_rows_of_another_are_as_many_as_have_both(tmp_path: Path) -> None:
    counted = written(tmp_path, 100, ROWS, "data.labels={w: 40, y: {with: w}}").label_rows
    assert counted is not None and counted.training == {"y": 10, "w": 40} and counted.labelled == 40
    by_class = written(tmp_path, 100, ROWS, "data.labels={y: {per_class: 5}, w: {with: y}}").label_rows
    assert by_class is not None and by_class.training == {"y": 15, "w": 15}


def test_check_names_the_alpha_that_keeps_the_weight(tmp_path: Path) -> None:
    (warning,) = (each for each in written(tmp_path, 20, ROWS).warnings if each.code == "GS123")
    assert "20 of 400 labelled rows have y (5 %)" in warning.message and "alpha: {y: 100}" in warning.hint
    assert not any(each.code == "GS123" for each in written(tmp_path, 40, ROWS).warnings)
    assert not any(each.code == "GS123" for each in written(tmp_path, 20, ROWS, "variables.y.allow=[GS123]").warnings)
    (warning,) = (each for each in written(tmp_path, ROWS, ROWS, "data.labels={y: 6}").warnings if each.code == "GS123")
    assert warning.message.startswith("about 6 of 300 labelled rows")


def test_train_does_not_repeat_what_check_has_told(tmp_path: Path) -> None:
    graphs = written(tmp_path, 20, ROWS)
    notes = prepare(graphs, spec_path=tmp_path / "spec.yaml").notes
    assert not any("labelled rows have y" in note for note in notes)


def test_explain_counts_a_label_by_the_rows_that_have_it(tmp_path: Path) -> None:
    explanation = explain(written(tmp_path, 20, ROWS))
    text, plain = as_text(explanation), as_json(explanation)["labels_at_the_start"]
    assert "α 5 × 1.10 nats of y × 5 % (20 of 400 labelled rows have it) = 0.27 nats" in text
    assert [stake["rate"] for stake in plain] == [0.05, 1.0]
    elsewhere = explain(load("spec.yaml", text=SPEC.replace("SOURCE", "nowhere.csv")))
    assert "of a row that has it" in as_text(elsewhere)
    assert "of M rows with any label M_j have label j" in as_text(elsewhere)
    alone = explain(written(tmp_path, 20, ROWS, "variables.w.role=observed", "recognition.w=null", "objective.alpha=5"))
    assert "of a labelled row" in as_text(alone) and "M_j" not in as_text(alone)


def test_check_shows_labels_by_class(tmp_path: Path) -> None:
    written(tmp_path, 100, ROWS)
    arguments = ["check", str(tmp_path / "spec.yaml"), "--set", "data.variables.y={column: kind, missing: ['?']}"]
    assert "y in 100 of 400 rows (low: 25, mid: 50, high: 25)\n" in CliRunner().invoke(app, arguments).stdout
    (spec,) = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["specs"]
    assert spec["labels"]["given"] == {"y": 100, "w": 400}


def arrays(folder: Path, **columns: Any) -> Graphs:
    write_npz(folder / "rows.npz", x=np.random.default_rng(0).normal(size=(60, 2)), **columns)
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.replace("SOURCE", "rows.npz").replace("[a, b]", "x"))
    return load(spec)


def test_arrays_are_counted_like_tables(tmp_path: Path) -> None:
    kind = np.where(np.arange(60) < 30, np.arange(60) % 3, -1)
    height = np.where(np.arange(60) < 45, np.nan, 1.0 * np.arange(60))
    counted = arrays(tmp_path, kind=kind, height=height).label_rows
    assert counted is not None and (counted.given, counted.labelled) == ({"y": 30, "w": 15}, 45)
    assert counted.classes["y"] == {"low": 10, "mid": 10, "high": 10}


def test_large_arrays_are_left_to_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphspec.headers.row_cells.MOST_CELLS", 50)
    assert arrays(tmp_path, kind=np.arange(60) % 3, height=np.arange(60.0)).label_rows is None
