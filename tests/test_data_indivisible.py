"""Labels whose elements only exist together count where they are whole: budgets, streams and rates."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_specs import REALS, write_npz

from compiler.model.model import Model
from graphspec.graphs.graph import Graphs
from graphspec.loading import load
from runtime.data import PreparedData, prepare

NAN = float("nan")
FOUR = np.array([[1.0, 0.0], [NAN, NAN], [0.6, NAN], [0.0, 1.0]], np.float32)


def spec(folder: Path, label: dict[str, Any], q: dict[str, Any], **data: Any) -> Graphs:
    written = {
        "graphspec": 1,
        "name": "indivisible",
        "variables": {"x": REALS, "y": {"role": "supervised", **label}},
        "generative": {"y": {}, "x": {"parents": ["y"]}},
        "recognition": {"y": {"parents": ["x"], **q}},
        "data": {
            "source": "rows.npz", "variables": {"x": "x", "y": "y"}, "test": 0, "validation": 0, "seed": 0, **data,
        },
    }  # fmt: skip
    (folder / "spec.yaml").write_text(json.dumps(written))
    return load(folder / "spec.yaml")


def rows(graphs: Graphs, folder: Path, y: Any) -> PreparedData:
    write_npz(folder / "rows.npz", x=np.zeros((len(y), 2)), y=y)
    return prepare(graphs, spec_path=folder / "spec.yaml", data_dir=folder)


CASES = {
    "flow": ({"domain": "real", "size": 2}, {"distribution": "neural_spline"}),
    "direction": ({"domain": "direction", "size": 2}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_part_is_no_label(tmp_path: Path, case: str) -> None:
    graphs = spec(tmp_path, *CASES[case])
    data = rows(graphs, tmp_path, FOUR)
    assert data.labelled.tolist() == [0, 3] and data.unlabelled.tolist() == [1, 2]
    rates = data.rates()
    assert (rates.labelled, rates.unlabelled, rates.per_label) == (2, 2, {"y": 2})
    assert data.manifest()["patterns"]["training"] == {"y": 2, "none": 2}


def test_a_lost_label_is_told(tmp_path: Path) -> None:
    data = rows(spec(tmp_path, *CASES["flow"]), tmp_path, FOUR)
    assert data.notes == ("1 row has only part of y, which a flow gives as a whole: counted as without a label",)


@pytest.mark.parametrize("case", CASES)
def test_streams_and_model_agree(tmp_path: Path, case: str) -> None:
    """The rows that the data call labelled are those whose program has the label."""
    graphs = spec(tmp_path, *CASES[case])
    data = rows(graphs, tmp_path, FOUR)
    model = Model(graphs)
    found = model.group(model.prepare(data.training.batch(torch.arange(4), torch.float32)))
    labelled = [torch.arange(4)[at].tolist() for pattern, at in found if pattern.labels and at is not None]
    assert labelled == [data.labelled.tolist()]


def test_a_budget_takes_whole_labels(tmp_path: Path) -> None:
    graphs = spec(tmp_path, *CASES["flow"], labels={"y": 2})
    assert rows(graphs, tmp_path, FOUR).labelled.tolist() == [0, 3]


def test_other_vectors_keep_their_parts(tmp_path: Path) -> None:
    graphs = spec(tmp_path, {"domain": "real", "size": 2}, {"distribution": "normal"})
    data = rows(graphs, tmp_path, FOUR)
    assert data.labelled.tolist() == [0, 2, 3] and not any("part of" in note for note in data.notes)


def test_a_map_of_directions_loses_single_vectors(tmp_path: Path) -> None:
    """Shape [2, 3]: three directions of two elements; one blank element blanks its direction alone."""
    graphs = spec(tmp_path, {"domain": "direction", "shape": [2, 3]}, {})
    y = np.zeros((2, 2, 3), np.float32)
    y[:, 0] = 1.0
    y[0, 1, 2] = NAN
    data = rows(graphs, tmp_path, y)
    assert data.labelled.tolist() == [0, 1] and not data.notes
    given = ~data.training.batch(torch.tensor([0]), torch.float32)["y"].isnan()
    assert given.tolist() == [[[True, True, False], [True, True, False]]]
