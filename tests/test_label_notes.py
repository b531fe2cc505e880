"""What `prepare` says of labels that must not be overlooked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_specs import DIGIT, REALS, prepared, write_npz
from typer.testing import CliRunner

from graphspec.loading import load
from runtime.cli.app import app
from runtime.data.stream.label_counts import dilution_notes, few_unlabelled_notes
from runtime.measures.shortcomings import TrainingRows, shortcomings


def notes_of(folder: Path, y: np.ndarray, **data: Any) -> tuple[str, ...]:
    write_npz(folder / "rows.npz", x=np.random.default_rng(0).normal(size=(len(y), 2)), y=y)
    rules = {"source": "rows.npz", "variables": {"x": "x", "y": "y"}, **data}
    return prepared(folder, {"x": REALS, "y": DIGIT}, rules).notes


def test_labels_of_one_value_are_told(tmp_path: Path) -> None:
    said = " ".join(notes_of(tmp_path, np.where(np.arange(400) % 2, 2, -1)))
    assert "training rows that have 'y' are all 2" in said and "counts as a blank" in said


def test_a_training_on_next_to_nothing_is_told(tmp_path: Path) -> None:
    said = " ".join(notes_of(tmp_path, np.arange(200) % 3, test=195, validation=0))
    assert "only 5 rows for training: 195 to test" in said
    assert "only" not in " ".join(notes_of(tmp_path, np.arange(200) % 3))


def test_a_class_without_a_training_row_is_told(tmp_path: Path) -> None:
    said = " ".join(notes_of(tmp_path, np.arange(400) % 2))
    assert "no training row has class 2 of 'y'" in said
    assert "no training row" not in " ".join(notes_of(tmp_path, np.arange(400) % 3))


FEW = "20 of 400 training rows have no label at all: "
EPOCH = "an epoch is one pass over these, 1 step with 128 labelled rows of 380 (ask for 3 times the epochs, or label fewer rows)"
WEIGHT = "each of them weighs as 19 labelled rows, by rho 0.5 (`objective: {rho: 0.95}` weighs all alike)"


@pytest.mark.parametrize(
    ("blanks", "overrides", "told"),
    [
        (20, (), [f"{FEW}{EPOCH}; {WEIGHT}"]),
        (20, ("objective.gamma=1",), [f"{FEW}{EPOCH}"]),
        (20, ("training.labelled_batch_size=400",), [f"{FEW}{WEIGHT}"]),
        (20, ("training.labelled_batch_size=400", "objective.rho=0.95"), []),
        (150, (), []),
        (0, (), []),
    ],
)
def test_few_rows_without_labels_are_told(blanks: int, overrides: tuple[str, ...], told: list[str]) -> None:
    assert few_unlabelled_notes(load("-", overrides, text=LABELS), blanks, 400 - blanks) == told


def test_data_with_few_blanks_say_so(tmp_path: Path) -> None:
    said = [" ".join(notes_of(tmp_path, np.where(np.arange(400) % blank, np.arange(400) % 3, -1))) for blank in (20, 3)]
    assert ["training rows have no label at all" in notes for notes in said] == [True, False]


@pytest.mark.parametrize(("labels", "few"), [(400, False), (100, True), (0, False)])
def test_few_held_out_labels_are_told(tmp_path: Path, labels: int, few: bool) -> None:
    y = np.where(np.arange(600) < (labels or 600), np.arange(600) % 3, -1)
    said = " ".join(notes_of(tmp_path, y, **({} if labels else {"validation": 0})))
    assert ("an error on fewer than 30 labels says little" in said) == few


def test_labels_are_counted_by_class_and_split(tmp_path: Path) -> None:
    y = np.where(np.arange(600) < 300, np.arange(600) % 3, -1)
    write_npz(tmp_path / "rows.npz", x=np.zeros((600, 2)), y=y)
    rules = {"source": "rows.npz", "variables": {"x": "x", "y": "y"}, "test": 0.2, "validation": 0}
    data = prepared(tmp_path, {"x": REALS, "y": DIGIT}, rules)
    assert data.manifest()["label_counts"]["y"] == {
        "rows": {"training": 240, "validation": 0, "test": 60},
        "classes": {str(k): {"training": 80, "validation": 0, "test": 20} for k in range(3)},
    }
    assert "    2         80           0    20" in data.describe()


LABELS = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  y: {role: supervised, domain: category, classes: 3}
  w: {role: supervised, domain: real}
generative: {y: {}, w: {}, x: {parents: [y, w]}}
recognition: {y: {parents: [x]}, w: {parents: [x]}}
objective: {alpha: {y: 5, w: 5}}
"""


def test_a_label_that_others_dilute_is_told_with_the_alpha_that_keeps_its_weight() -> None:
    graphs = load("spec.yaml", text=LABELS)
    (note,) = dilution_notes(graphs, {"y": 12, "w": 700}, 700)
    assert "12 of 700 labelled rows have y (1.7 %)" in note and "alpha: {y: 290}" in note
    assert dilution_notes(graphs, {"y": 70, "w": 700}, 700) == []
    own_rate = load("spec.yaml", ["objective.alpha={y: 0.1/rho, w: 5}"], text=LABELS)
    assert dilution_notes(own_rate, {"y": 12, "w": 700}, 700) == []


def test_advice_at_chance_and_the_warning_of_a_diluted_label_name_one_alpha() -> None:
    graphs = load("spec.yaml", text=LABELS)
    figures = {"error": 0.6, "clearly_better": False, "majority_error": 0.6, "majority": "0"}
    at_chance = {"variables": {"y": figures}}
    (found,) = shortcomings(graphs, at_chance, TrainingRows(800, 700, {"y": 12, "w": 700}))
    assert "objective: {alpha: {y: 290}}" in found
    (found,) = shortcomings(graphs, at_chance, TrainingRows(800, 700, {"y": 200, "w": 700}))
    assert "objective: {alpha: {y: 50}}" in found


def test_quiet_and_json_leave_out_no_note(tmp_path: Path) -> None:
    write_npz(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(60, 2)), y=np.arange(60) % 2)
    spec = tmp_path / "spec.yaml"
    spec.write_text(QUIET)
    for option in ("--quiet", "--json"):
        run = tmp_path / option.strip("-")
        result = CliRunner().invoke(app, ["train", str(spec), "--out", str(run), "--no-figures", option])
        assert result.exit_code == 0, result.output
        assert "an error on fewer than 30 labels" in result.stderr and "fewer than 30" not in result.stdout


QUIET = """
graphspec: 1
variables: {x: {role: observed, size: 2}, y: {role: supervised, domain: category, classes: 3}}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: linear}}
data: {source: rows.npz, variables: {x: x, y: y}}
training: {epochs: 1}
"""
