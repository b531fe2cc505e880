"""Blanks inside rows: vector labels given in part, observed variables that may be blank; read, counted, scored."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_specs import DIGIT, REALS, prepared, write_npz
from typer.testing import CliRunner

from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from graphspec.language import Augment
from graphspec.loading import load
from runtime.cli.app import app
from runtime.data import PreparedData, epoch_batches, prepare
from runtime.data.stream.augmentation import augment_images
from runtime.data.stream.patterns import IN_PART, WHOLE, _distinct, count_given
from runtime.errors import DataError
from runtime.measures.evaluation import evaluate_rows
from runtime.training.step.share import share_of

ROOT = Path(__file__).resolve().parents[1]
NAN = float("nan")
ANSWERS = {"role": "supervised", "domain": "binary", "size": 3, "names": ["no", "yes"]}
SIZES = {"role": "supervised", "domain": "real", "size": 2}
MAYBE = {"role": "observed", "domain": "real", "size": 2, "missing": True}
ALL = {"test": 0, "validation": 0}


def table(folder: Path, text: str, variables: dict[str, Any], columns: dict[str, Any], **rules: Any) -> PreparedData:
    (folder / "rows.csv").write_text(text)
    return prepared(folder, variables, {"source": "rows.csv", "variables": columns, **ALL, **rules})


def arrays(
    folder: Path, variables: dict[str, Any], rules: dict[str, Any] | None = None, **columns: Any
) -> PreparedData:
    write_npz(folder / "rows.npz", **columns)
    data = {"source": "rows.npz", "variables": {name: name for name in variables}, **ALL, **(rules or {})}
    return prepared(folder, variables, data)


CSV = "m,furry,flies,swims\n1,yes,,no\n2,,,\n3,no,no,no\n4,,yes,\n"
CSV_VARIABLES = {"m": {"role": "observed", "domain": "real"}, "has": ANSWERS}
CSV_COLUMNS = {"m": "m", "has": ["furry", "flies", "swims"]}


def test_empty_cells_of_a_table(tmp_path: Path) -> None:
    data = table(tmp_path, CSV, CSV_VARIABLES, CSV_COLUMNS)
    assert data.training.values["has"].tolist() == [[1, -1, 0], [-1, -1, -1], [0, 0, 0], [-1, 1, -1]]
    assert data.labelled.tolist() == [0, 2, 3] and data.unlabelled.tolist() == [1]
    assert data.rates().labelled == 3 and data.rates().unlabelled == 1 and data.rates().per_label == {"has": 3}


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        (SIZES, np.array([[1.5, NAN], [NAN, NAN], [2, 3], [NAN, 0]], np.float32)),
        ({**SIZES, "domain": "count"}, np.array([[4, -1], [-1, -1], [2, 3], [-1, 0]])),
        ({**SIZES, "domain": "category", "classes": 5}, np.array([[4, -1], [-1, -1], [2, 3], [-1, 0]], np.int8)),
        ({**SIZES, "domain": "category", "classes": 5}, np.array([[4, NAN], [NAN, NAN], [2, 3], [NAN, 0]])),
    ],
)
def test_blanks_of_arrays(tmp_path: Path, label: dict[str, Any], cells: Any) -> None:
    data = arrays(tmp_path, {"x": REALS, "y": label}, x=np.zeros((4, 2)), y=cells)
    blank = np.isnan(cells) | (cells == -1)
    found = data.training.batch(torch.arange(4), torch.float64)["y"]
    missing = found.isnan() if found.is_floating_point() else found == -1
    assert missing.numpy().tolist() == blank.tolist()
    assert found[~missing].tolist() == cells[~blank].tolist()
    assert data.labelled.tolist() == [0, 2, 3]


def test_patterns_and_elements_are_counted(tmp_path: Path) -> None:
    data = table(tmp_path, CSV, CSV_VARIABLES, CSV_COLUMNS)
    lines = data.describe().splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["training", "4"], ["m", "has", "1"], ["m", "has", "(in", "part)", "2"], ["m", "1"],
    ]  # fmt: skip
    assert lines[-2].split("  ")[0] == "training rows that have"
    assert lines[-1].split() == ["has", "1", "2", "1", "6", "of", "12", "(50", "%)"]
    manifest = data.manifest()
    assert manifest["patterns"]["training"] == {"has": 1, "has (in part)": 2, "none": 1}
    assert manifest["given"]["has"]["training"] == {"all": 1, "some": 2, "none": 1, "elements": 6, "of": 12}


def test_patterns_of_several_labels_are_told_apart(tmp_path: Path) -> None:
    """A part of one label is not the whole of another, and the other way round."""
    a, b = [[1.0, 1.0], [NAN, NAN], [1.0, NAN], [NAN, NAN]], [[NAN, NAN], [1.0, 1.0], [NAN, NAN], [1.0, NAN]]
    data = arrays(tmp_path, {"x": REALS, "a": SIZES, "b": SIZES}, x=np.zeros((4, 2)), a=a, b=b)
    found = data.manifest()["patterns"]["training"]
    assert found == {"a": 1, "b": 1, "a (in part)": 1, "b (in part)": 1}


def test_elements_are_counted_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.data.stream.column_store.CHUNK_BYTES", 16)
    values = np.array([[1.0, NAN]] * 3 + [[1.0, 1.0]] * 2 + [[NAN, NAN]])
    data = arrays(tmp_path, {"x": REALS, "y": SIZES}, x=np.zeros((6, 2)), y=values)
    assert data.manifest()["given"]["y"]["training"] == {"all": 2, "some": 3, "none": 1, "elements": 7, "of": 12}


def test_scalar_labels_have_no_second_table(tmp_path: Path) -> None:
    data = arrays(tmp_path, {"x": REALS, "y": DIGIT}, x=np.zeros((4, 2)), y=[0, -1, 2, -1])
    assert [line.split() for line in data.describe().splitlines()[:3]] == [
        ["training", "4"],
        ["x", "y", "2"],
        ["x", "2"],
    ]
    assert "that have" not in data.describe() and data.manifest()["given"] == {}


def test_an_all_labelled_vector_is_fine(tmp_path: Path) -> None:
    data = arrays(tmp_path, {"x": REALS, "y": SIZES}, x=np.zeros((4, 2)), y=np.ones((4, 2)))
    assert data.manifest()["patterns"]["training"] == {"y": 4} and "that have" not in data.describe()
    assert not len(data.unlabelled)


def test_a_label_that_no_row_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="y has no labelled training row"):
        arrays(tmp_path, {"x": REALS, "y": SIZES}, x=np.zeros((4, 2)), y=np.full((4, 2), NAN))


def test_an_element_that_no_row_has_is_noted(tmp_path: Path) -> None:
    cells = np.array([[1, NAN], [2, NAN], [NAN, NAN]])
    data = arrays(tmp_path, {"x": REALS, "y": SIZES}, x=np.zeros((3, 2)), y=cells)
    assert any("label for y at [1]" in note for note in data.notes)
    cells[2, 1] = 5
    assert arrays(tmp_path, {"x": REALS, "y": SIZES}, x=np.zeros((3, 2)), y=cells).notes == ()


def test_a_budget_counts_rows_and_keeps_what_they_have(tmp_path: Path) -> None:
    cells = np.arange(80.0).reshape(40, 2)
    cells[::3, 0] = NAN
    cells[30:] = NAN
    data = arrays(tmp_path, {"x": REALS, "y": SIZES}, {"labels": {"y": 12}}, x=np.zeros((40, 2)), y=cells)
    kept = data.label_rows["y"]
    assert len(kept) == 12 and kept.max() < 30, "rows without any element have no label to keep"
    values = data.training.values["y"]
    assert values[kept].nan_to_num(-9).tolist() == np.nan_to_num(cells[kept.numpy()], nan=-9).tolist()
    assert values[kept].isnan().any() and values[data.unlabelled].isnan().all()


def test_rows_given_in_part_are_of_the_labelled_stream(tmp_path: Path) -> None:
    cells = np.full((30, 2), NAN)
    cells[:6, 0], cells[4:9, 1] = 1, 2
    data = arrays(tmp_path, {"x": REALS, "y": SIZES}, x=np.zeros((30, 2)), y=cells)
    for size in (1, 2, 7):
        steps = [step for epoch in range(6) for step in epoch_batches(data, epoch, size, size, 0)]
        assert {row for step in steps for row in step.unlabelled.tolist()} == set(range(9, 30))
        labelled = torch.cat([step.labelled for step in steps])
        assert labelled[:9].sort().values.tolist() == list(range(9)), "one pass has every row once"


def test_many_patterns_are_cut_short(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"y{i}" for i in range(6)]
    columns = {name: np.where(rng.random(200) < 0.5, rng.integers(0, 3, 200), -1) for name in names}
    data = arrays(tmp_path, {"x": REALS, **dict.fromkeys(names, DIGIT)}, x=np.zeros((200, 2)), **columns)
    patterns = data.describe().partition("\nlabels")[0]
    lines = [line for line in patterns.splitlines() if line.startswith("  ")]
    assert len(lines) == 17 and "other patterns" in lines[-1]
    counts = [int(line.split()[-1]) for line in lines]
    assert sum(counts) == 200 and counts[:16] == sorted(counts[:16], reverse=True)
    assert sum(data.manifest()["patterns"]["training"].values()) == 200


def test_patterns_of_fifty_labels() -> None:
    """3 ** 50 codes do not fit a whole number of 64 bits."""
    states = torch.full((5, 50), WHOLE, dtype=torch.uint8)
    states[1, 49] = states[3, 49] = IN_PART
    states[2, 0] = IN_PART
    found = {tuple(code): count for code, count in _distinct(states)}
    assert found == {tuple(states[0].tolist()): 2, tuple(states[1].tolist()): 2, tuple(states[2].tolist()): 1}


# --- observed variables -------------------------------------------------------------------------------------------


def test_observed_variables_that_may_be_blank(tmp_path: Path) -> None:
    variables = {"x": MAYBE, "k": {"role": "observed", "domain": "category", "classes": 3, "missing": True}, "y": DIGIT}
    text = "a,b,k,y\n1,2,0,0\n,4,,1\n,,2,\n7,nan,1,2\n"
    data = table(tmp_path, text, variables, {"x": ["a", "b"], "k": "k", "y": "y"})
    assert data.training.values["x"].nan_to_num(-9).tolist() == [[1, 2], [-9, 4], [-9, -9], [7, -9]]
    assert data.training.values["k"].tolist() == [0, -1, 2, 1]
    found = data.manifest()["given"]
    assert found["x"]["training"] == {"all": 1, "some": 2, "none": 1, "elements": 4, "of": 8}
    assert found["k"]["training"] == {"all": 3, "some": 0, "none": 1, "elements": 3, "of": 4}
    assert data.manifest()["patterns"]["training"] == {"y": 3, "none": 1}, "blanks of x make no pattern of labels"
    assert data.may_be_blank == {"x", "k", "y"}


def test_standardizing_looks_at_what_is_there(tmp_path: Path) -> None:
    cells = np.array([[0.0, 5], [2, NAN], [4, NAN], [NAN, 5]])
    rules = {"variables": {"x": {"column": "x", "standardize": True}}}
    data = arrays(tmp_path, {"x": MAYBE}, rules, x=cells)
    assert data.units["x"].mean.tolist() == [2, 5] and data.units["x"].std[0] == pytest.approx((8 / 3) ** 0.5)
    assert data.training.values["x"].isnan().tolist() == np.isnan(cells).tolist()


def test_listed_bytes_are_blank_pixels(tmp_path: Path) -> None:
    image = {"role": "observed", "domain": "unit", "shape": [1, 2, 2], "missing": True}
    pixels = np.array([[[7, 255], [51, 0]], [[7, 7], [102, 204]]], np.uint8)
    data = arrays(tmp_path, {"x": image}, {"variables": {"x": {"column": "x", "missing": [7]}}}, x=pixels)
    batch = data.training.batch(torch.arange(2), torch.float64)["x"].flatten(1)
    assert batch.nan_to_num(-9).tolist() == [pytest.approx([-9, 1, 0.2, 0]), pytest.approx([-9, -9, 0.4, 0.8])]
    plain = arrays(tmp_path, {"x": image}, x=pixels)
    assert plain.training.values["x"].dtype == torch.uint8, "no byte is a blank unless it is listed"
    assert count_given(plain.training.selection, "x").whole == 2


@pytest.mark.parametrize(
    ("cells", "said"),
    [("1,2,0\n3,,1\n,5,2\n", "column 'b', row 1: nan is a blank, but x is observed: every row has it (and 1 more rows)"),
     ("1,2,0\n3,4,1\n5,6x,2\n", "column 'b', row 2: '6x' is not a number"),
     ("1,2,0\n3,inf,1\n5,6,2\n", "column 'b', row 1: inf is no finite number")],
)  # fmt: skip
def test_a_cell_is_named_with_its_own_column(tmp_path: Path, cells: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        table(tmp_path, "a,b,y\n" + cells, {"x": REALS, "y": DIGIT}, {"x": ["a", "b"], "y": "y"})
    assert said in str(caught.value)
    assert "is a blank" not in said or "missing: true" in caught.value.hint


@pytest.mark.parametrize("domain", ["direction", "simplex"])
@pytest.mark.parametrize("role", ["supervised", "observed"])
def test_elements_that_depend_on_each_other_are_blank_together(tmp_path: Path, domain: str, role: str) -> None:
    """As `compiler.tensors.blanks.given` says: a direction without one of its elements is no direction."""
    variable = {"role": role, "domain": domain, "size": 2} | ({"missing": True} if role == "observed" else {})
    cells = np.array([[1.0, 0.0], [NAN, 0.0], [0.0, 1.0], [NAN, NAN]])
    data = arrays(tmp_path, {"x": REALS, "y": variable}, x=np.zeros((4, 2)), y=cells)
    assert data.training.values["y"].isnan().tolist() == [[False] * 2, [True] * 2, [False] * 2, [True] * 2]
    assert data.manifest()["given"]["y"]["training"] == {"all": 2, "some": 0, "none": 2, "elements": 4, "of": 8}


# --- augmentation -------------------------------------------------------------------------------------------------


def holed(value: float | None = None) -> torch.Tensor:
    """Images with a block of blanks; of one value, or of numbers that are all different."""
    images = torch.arange(200 * 64, dtype=torch.float64).reshape(200, 1, 8, 8)
    images = images if value is None else torch.full_like(images, value)
    images[:, :, 2:4, 3:6] = torch.nan
    return images


def changed(images: torch.Tensor, **changes: object) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return augment_images(images, Augment(**changes), generator, may_be_blank=True)[0]


def test_a_warp_mixes_no_blank_into_a_value() -> None:
    moved = changed(holed(5.0), shift=1.3, rotate=40, scale=0.2, shear=10, elastic=1.0, flip=True)
    blank = moved.isnan()
    assert torch.allclose(moved[~blank], torch.tensor(5.0, dtype=torch.float64), rtol=1e-9)
    assert 4 < blank.sum((1, 2, 3)).double().mean() < 8, "the hole of six pixels keeps its size, and does not spread"
    assert not torch.equal(blank, holed().isnan()), "and it moves with the picture"


def test_blanks_move_with_whole_pixels() -> None:
    moved, plain = (
        changed(holed(), shift=2),
        augment_images(holed().nan_to_num(-1.0), Augment(shift=2), torch.Generator().manual_seed(0))[0],
    )
    assert torch.equal(moved.isnan(), (plain - plain.round()).abs().lt(1e-6) & plain.round().eq(-1))
    assert torch.allclose(moved.nan_to_num(-1.0), plain, atol=1e-6)


def test_a_picture_without_blanks_is_warped_alike() -> None:
    images = holed(5.0).nan_to_num(0.3)
    changes = Augment(rotate=20, elastic=0.7)
    plain = augment_images(images, changes, torch.Generator().manual_seed(1))[0]
    careful = augment_images(images, changes, torch.Generator().manual_seed(1), may_be_blank=True)[0]
    assert torch.allclose(plain, careful, rtol=1e-12)


def test_training_images_with_blanks_are_augmented(tmp_path: Path) -> None:
    image = {"role": "observed", "domain": "unit", "shape": [1, 8, 8], "missing": True}
    pixels = np.full((20, 8, 8), 0.5)
    pixels[:, 2:4, 3:6] = NAN
    column = {"column": "x", "augment": {"rotate": 30, "shift": 1.5}, "binarize": "threshold"}
    data = arrays(tmp_path, {"x": image}, {"variables": {"x": column}}, x=pixels)
    batch = data.training.batch(torch.arange(20), torch.float32)
    made = data.augment(batch, torch.Generator().manual_seed(0))["x"]
    share = made.isnan().double().mean().item()
    assert share == pytest.approx(6 / 64, abs=0.03) and set(made[~made.isnan()].tolist()) == {1.0}


# --- scoring ------------------------------------------------------------------------------------------------------

SCORED = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  has: {role: supervised, domain: binary, size: 3}
  z: {role: latent, size: 1}
generative: {z: {}, has: {parents: [z]}, x: {parents: [has, z]}}
recognition: {has: {parents: [x], network: {kind: linear}}, z: {parents: [x, has]}}
data: {source: rows.npz, variables: {x: x, has: {column: has, missing: [-1]}}, test: 0, validation: 0}
"""


def test_only_given_elements_are_scored(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SCORED)
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, (50, 3))
    given = np.where(rng.random((50, 3)) < 0.4, -1, true)
    given[:5] = -1
    write_npz(tmp_path / "rows.npz", x=rng.normal(size=(50, 3)), has=given)
    graphs = load(str(tmp_path / "spec.yaml"))
    model, data = Model(graphs), prepare(graphs, spec_path=tmp_path / "spec.yaml")
    with torch.no_grad():  # q(has | x) is certain of the sign of x
        for parameter in model.factors["recognition--has"].parameters():
            parameter.copy_(100 * torch.eye(3) if parameter.dim() == 2 else torch.zeros_like(parameter))
    found = evaluate_rows(model, data.training)["variables"]["has"]
    guess = data.training.values["x"].numpy() > 0
    known = given != -1
    assert found["error"] == pytest.approx((guess != given)[known].mean())
    assert found["rows"] == known.any(axis=1).sum() and found["elements"] == known.sum()


EXACT = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 2}
  has: {role: supervised, domain: binary, size: 2}
  y: {role: supervised, domain: category, classes: 3}
generative: {has: {}, y: {parents: [has]}, x: {parents: [has, y]}}
recognition: {has: {parents: [x]}, y: {parents: [x, has]}}
networks: {default: {kind: mlp, hidden: [4]}}
objective: {alpha: 25/rho, rho: 0.3}
data: {source: rows.npz, variables: {x: x, has: {column: has, missing: [-1]}, y: y}, test: 0, validation: 0}
"""


def test_the_objective_is_the_same_for_any_batches(tmp_path: Path) -> None:
    """(1 - rho) * mean over rows without any label + rho * mean over the others, however rows are put together."""
    (tmp_path / "spec.yaml").write_text(EXACT)
    rng = np.random.default_rng(1)
    has, y = rng.integers(-1, 2, (24, 2)), rng.integers(-1, 3, 24)
    has[:6], y[:6], y[9] = -1, -1, 0
    write_npz(tmp_path / "rows.npz", x=rng.normal(size=(24, 2)), has=has, y=y)
    graphs = load(str(tmp_path / "spec.yaml"))
    model, data = Model(graphs, dtype=torch.float64), prepare(graphs, spec_path=tmp_path / "spec.yaml")
    model.rates = data.rates()
    some, part = (has != -1).any(axis=1), (has != -1).sum(axis=1) == 1
    labelled = some | (y != -1)
    assert data.labelled.tolist() == np.flatnonzero(labelled).tolist() and part.any()
    assert data.rates().per_label == {"has": some.sum(), "y": (y != -1).sum()}
    weights = ObjectiveWeights.at(graphs, model.rates, 0.0)
    assert weights.number("alpha", "has") == pytest.approx(25 / (0.3 * some.sum() / labelled.sum()))
    with torch.no_grad():
        alone = torch.cat([model.bound(data.training.batch(torch.tensor([row]), torch.float64)) for row in range(24)])
        total = 0.7 * alone[data.unlabelled].mean() + 0.3 * alone[data.labelled].mean()
        found, steps = 0.0, list(epoch_batches(data, 0, 2, len(data.labelled), 0))
        assert len(data.unlabelled) == 2 * len(steps), "batches of one size, so that their mean is the pass's"
        for step in steps:
            share = share_of(step.unlabelled, step.labelled, weights.rho)
            rows = data.training.batch(share.positions, torch.float64)
            found += float((share.weights * model.bound(rows)).sum()) / len(steps)
    assert found == pytest.approx(float(total), rel=1e-12)


# --- end to end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variable", "counts"),
    [("attributes", "has", {"all": 0, "some": 576, "none": 0, "elements": 6922, "of": 11520}),
     ("table", "labs", {"all": 412, "some": 220, "none": 16, "elements": 1044, "of": 1296})],
)  # fmt: skip
def test_specs_with_blanks_train_and_are_measured(
    tmp_path: Path, name: str, variable: str, counts: dict[str, int]
) -> None:
    run = CliRunner().invoke
    spec, folder = str(ROOT / f"specs/{name}.yaml"), str(tmp_path / "run")
    trained = run(app, ["train", spec, "--set", "training.epochs=2", "--out", folder, "--no-figures"])
    assert trained.exit_code == 0, trained.output
    assert "training rows that have" in trained.output and "nan" not in trained.output
    measured = run(app, ["evaluate", folder, "--json"])
    report = json.loads(measured.output)
    (figures,) = report["variables"].values()
    assert np.isfinite([report["elbo"], figures["error"], figures["log_loss"]]).all() and 0 < figures["error"] < 1
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["given"][variable]["training"] == counts
    listed = run(app, ["data", spec, "--json"])
    assert listed.exit_code == 0 and json.loads(listed.output)["given"][variable]["training"] == counts
