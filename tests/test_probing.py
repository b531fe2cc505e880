"""Intervention accuracy and style leakage on models whose answers are known: their weights are written by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import train_tiny
from typer.testing import CliRunner

from compiler import compile_spec
from compiler.model.model import Model
from graphspec.graphs.graph import Variable
from graphspec.loading import load
from runtime.answering.panels import Target
from runtime.cli.app import app
from runtime.data import PreparedData, prepare
from runtime.errors import RunError
from runtime.probing import instrument as instruments
from runtime.probing.instrument import Instrument, instrument_for, with_all_labels
from runtime.probing.intervention_accuracy import intervention_accuracy
from runtime.probing.measuring import figures_of, leakage, measure_interventions, measure_leakage, readable, settable
from runtime.probing.reader import Reader, encoded
from runtime.runs.run_folder import open_run

CLASSES, ROWS, STEP = 3, 360, 4.0
NO_DATA = ["data=null"]
SPEC = """\
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 4}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 1}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], distribution: normal, network: {kind: linear}, parameters: {scale: 0.1}}
recognition:
  y: {parents: [x], network: {kind: linear}}
  z: {parents: [x, y], network: {kind: linear}}
data: {source: rows.npz, variables: {x: x, y: y}, labels: {y: 6}, test: 120, validation: 0}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x[0..2] says the class, x[3] is noise."""
    place = tmp_path_factory.mktemp("probing")
    rng = np.random.default_rng(0)
    labels = np.arange(ROWS) % CLASSES
    x = 0.1 * rng.standard_normal((ROWS, 4))
    x[:, :3] += STEP * np.eye(CLASSES)[labels]
    x[:, 3] = rng.standard_normal(ROWS)
    np.savez(place / "rows.npz", x=x.astype(np.float32), y=labels)
    (place / "spec.yaml").write_text(SPEC)
    return place


def model_of(folder: Path, *, copies: bool, keeps: int, shift: int = 0) -> Model:
    """p(x | y, z): the class in x[0..2] (moved on by `shift`), or nothing of it. q's mean of z: x[keeps]."""
    model = compile_spec(load(folder / "spec.yaml"))
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    parts = dict(model.named_parameters())
    with torch.no_grad():
        table = next(p for n, p in parts.items() if n.startswith("factors.generative--x") and 3 in p.shape)
        wanted = torch.zeros(CLASSES, 4)
        wanted[:, :3] = STEP * torch.eye(CLASSES).roll(shift, 1)
        table.copy_((wanted if table.shape == wanted.shape else wanted.T) * copies)
        for name, rows in (("recognition--y", 3), ("recognition--z", 1)):
            own = [p for n, p in parts.items() if n.startswith(f"factors.{name}") and p.dim() == 2 and 4 in p.shape]
            weight = own[0] if own[0].shape[1] == 4 else own[0].T
            weight[:, :] = 0
            if rows == 3:
                weight[:, :3] = torch.eye(CLASSES)
            else:
                weight[0, keeps] = 1.0
    return model.eval()


@pytest.fixture(scope="module")
def data(folder: Path) -> PreparedData:
    return with_all_labels(load(folder / "spec.yaml"), spec_path=folder / "spec.yaml")


@pytest.fixture(scope="module")
def ruler(folder: Path, data: PreparedData) -> Instrument:
    ((target, below),) = settable(load(folder / "spec.yaml"))
    return instrument_for(target, below, data, folder=folder / "kept")


def test_the_instrument_sees_every_label_of_the_training_rows_and_no_other(
    folder: Path, data: PreparedData, ruler: Instrument
) -> None:
    hidden = prepare(load(folder / "spec.yaml"), spec_path=folder / "spec.yaml")
    assert len(hidden.labelled) == 6 and len(data.labelled) == ruler.training_rows == 240
    assert hidden.training.source.tolist() == data.training.source.tolist()
    assert ruler.error == 0 and ruler.test_rows == 120


@pytest.mark.parametrize("start", ["prior", "inferred"])
def test_a_generator_that_copies_the_label_is_read_as_set(
    folder: Path, data: PreparedData, ruler: Instrument, start: Any
) -> None:
    found = intervention_accuracy(model_of(folder, copies=True, keeps=3), data.test, ruler, start=start, count=90)
    assert found == {"accuracy": 1.0, "per_class": {"0": 1.0, "1": 1.0, "2": 1.0}, "rows": 90, "from": start}


@pytest.mark.parametrize("start", ["prior", "inferred"])
def test_a_generator_that_ignores_the_label_is_read_at_chance(
    folder: Path, data: PreparedData, ruler: Instrument, start: Any
) -> None:
    found = intervention_accuracy(model_of(folder, copies=False, keeps=3), data.test, ruler, start=start, count=90)
    assert found["accuracy"] == pytest.approx(1 / CLASSES) and sorted(found["per_class"].values()) == [0, 0, 1]


def test_a_generator_that_writes_another_label_is_never_read_as_set(
    folder: Path, data: PreparedData, ruler: Instrument
) -> None:
    figures = figures_of(model_of(folder, copies=True, keeps=3, shift=1), data.test, ruler, count=40)
    assert figures["accuracy"] == figures["inferred"]["accuracy"] == 0
    assert figures["instrument_error"] == 0 and figures["read_from"] == ["x"] and figures["from"] == "prior"


def test_inferred_starts_come_from_the_split_and_prior_ones_do_not(
    folder: Path, data: PreparedData, ruler: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Any] = []
    monkeypatch.setattr(
        "runtime.probing.intervention_accuracy.intervene",
        lambda model, start, changes, seed: held.append(start["z"]) or {"x": torch.zeros(len(start["z"]), 4)},
    )
    model = model_of(folder, copies=True, keeps=3)
    intervention_accuracy(model, data.test, ruler, start="inferred", count=120)
    assert torch.equal(held[0].flatten().sort().values, data.test.values["x"][:, 3].sort().values)
    intervention_accuracy(model, data.test, ruler, start="prior", count=700)
    assert [len(z) for z in held[-6:]] == [500] * 3 + [200] * 3
    drawn = torch.cat([held[-6], held[-1]])
    assert drawn.mean().abs() < 0.15 and 0.9 < drawn.std() < 1.1


def test_a_latent_that_holds_the_label_leaks_and_one_that_does_not_stays_at_chance(
    folder: Path, data: PreparedData
) -> None:
    leaking = measure_leakage(model_of(folder, copies=True, keeps=0), data.test)["y"]["z"]
    silent = measure_leakage(model_of(folder, copies=True, keeps=3), data.test)["y"]["z"]
    chance = torch.bincount(data.test.values["y"]).max().item() / 120
    assert leaking["chance"] == silent["chance"] == chance and leaking["folds"] == 5
    assert 0.6 < leaking["accuracy"] < 0.75, "class 0 against the two others, which stay mixed"
    assert silent["accuracy"] < chance + 0.05
    assert leaking["draws"]["accuracy"] > 0.55 and silent["draws"]["accuracy"] < chance + 0.08


def label_keeper(folder: Path) -> Model:
    """q's mean of z is the label's number, and q(y | x) says 0 whatever x is."""
    model = model_of(folder, copies=True, keeps=3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("factors.recognition"):
                parameter.zero_()
            if name.startswith("factors.recognition--z") and CLASSES in parameter.shape:
                parameter.copy_(torch.arange(3.0).reshape(parameter.shape))
    return model


def test_styles_are_inferred_from_the_label_and_leakage_without_it(
    folder: Path, data: PreparedData, ruler: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Any] = []
    monkeypatch.setattr(
        "runtime.probing.intervention_accuracy.intervene",
        lambda model, start, changes, seed: held.append(start["z"]) or {"x": torch.zeros(len(start["z"]), 4)},
    )
    intervention_accuracy(label_keeper(folder), data.test, ruler, start="inferred", count=120)
    assert torch.equal(held[0].flatten().sort().values, data.test.values["y"].sort().values.float())
    found = measure_leakage(label_keeper(folder), data.test)["y"]["z"]
    assert found["accuracy"] == pytest.approx(found["chance"], abs=0.01)


def test_draws_hide_what_is_far_below_the_spread_of_q(folder: Path, data: PreparedData) -> None:
    model = model_of(folder, copies=True, keeps=0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("factors.recognition--z"):
                parameter.mul_(1e-3)
    found = measure_leakage(model, data.test)["y"]["z"]
    assert found["accuracy"] > 0.6 and found["draws"]["accuracy"] < found["chance"] + 0.08


def test_leakage_of_known_codes() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [100, 60, 40])
    perfect = leakage(np.eye(3)[labels] * 1e-6 + 5, labels)
    assert perfect is not None and perfect["accuracy"] == 1 and perfect["std"] == 0 and perfect["chance"] == 0.5
    noise = leakage(rng.standard_normal((200, 2)), labels)
    assert noise is not None and abs(noise["accuracy"] - 0.5) < 0.05 and noise["std"] > 0
    swapped = leakage(np.eye(3)[labels], rng.permutation(labels))
    assert swapped is not None and swapped["accuracy"] < 0.55


def test_leakage_leaves_out_labels_with_too_few_rows() -> None:
    labels = np.repeat([0, 1, 7], [20, 20, 4])
    found = leakage(np.eye(8)[labels], labels)
    assert found is not None and found["chance"] == 0.5
    assert leakage(np.zeros((24, 1)), np.repeat([0, 1], [20, 4])) is None


def test_a_kept_instrument_is_used_again_and_only_for_the_same_data(
    folder: Path, data: PreparedData, ruler: Instrument, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained: list[int] = []
    monkeypatch.setattr(instruments, "_train", lambda *_: trained.append(1))
    ((target, below),) = settable(load(folder / "spec.yaml"))
    before = torch.random.get_rng_state()
    again = instrument_for(target, below, data, folder=folder / "kept")
    assert not trained and again.error == ruler.error
    assert torch.equal(torch.random.get_rng_state(), before)
    states = again.reader.state_dict(), ruler.reader.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    instrument_for(target, below, replace(data, fingerprint="other"), folder=folder / "kept")
    assert len(trained) == 1
    fewer = replace(data, training=data.test)
    instrument_for(target, below, fewer, folder=folder / "kept")
    assert len(trained) == 2
    for file in (folder / "kept").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:50])
    instrument_for(target, below, data, folder=tmp_path)
    assert len(trained) == 3, "a damaged file is replaced"


def test_training_an_instrument_is_repeatable_and_leaves_torch_alone(
    folder: Path, data: PreparedData, tmp_path: Path, ruler: Instrument
) -> None:
    ((target, below),) = settable(load(folder / "spec.yaml"))
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    twin = instrument_for(target, below, data, folder=tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in twin.reader.state_dict().items():
        assert torch.equal(value, ruler.reader.state_dict()[name]), name


def test_one_value_is_nothing_to_learn(folder: Path, data: PreparedData, tmp_path: Path) -> None:
    ((target, below),) = settable(load(folder / "spec.yaml"))
    labels = data.training.values["y"]
    values = {"x": data.training.values["x"], "y": torch.where(labels == 1, labels, -1)}
    with pytest.raises(RunError, match="1 of its 3 values"):
        instrument_for(target, below, replace(data, training=replace(data.training, values=values)), folder=tmp_path)


def test_what_is_set_and_read_follows_from_the_roles(folder: Path) -> None:
    vector = [*NO_DATA, "variables.y={role: supervised, domain: binary, size: 2}"]
    assert [str(target) for target in readable(load(folder / "spec.yaml", vector))] == ["y[0]", "y[1]"]
    real = load(folder / "spec.yaml", [*NO_DATA, "variables.y={role: supervised, domain: real, size: 1}"])
    assert readable(real) == [] and settable(real) == []
    above = [*NO_DATA, "generative.y={parents: [x]}", "generative.x.parents=[z]"]
    upstream = load(folder / "spec.yaml", above)
    assert [str(t) for t in readable(upstream)] == ["y"] and settable(upstream) == []


def test_pictures_are_read_by_convolutions_and_other_columns_beside_them() -> None:
    picture = Variable("x", "observed", "unit", (1, 9, 8))
    kind = Variable("k", "observed", "category", (), 4)
    reader = Reader([picture, kind], 3)
    rows = {"x": torch.rand(5, 1, 9, 8), "k": torch.tensor([0, 1, 3, -1, 2])}
    reader.standardize(rows)
    assert reader(rows).shape == (5, 3) and list(reader.eyes) == ["x"]
    assert encoded(kind, rows["k"]).tolist()[2:4] == [[0, 0, 0, 1], [0, 0, 0, 0]]
    mean = reader.scales["x"].mean
    assert mean.shape == (1, 1, 1) and mean.item() == pytest.approx(rows["x"].mean().item(), abs=1e-6)
    blank = {**rows, "x": torch.full((5, 1, 9, 8), float("nan"))}
    assert reader(blank).isfinite().all()


def test_a_vector_of_labels_is_set_element_by_element(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, (300, 2))
    np.savez(tmp_path / "rows.npz", x=(labels * 3 + 0.1 * rng.standard_normal((300, 2))).astype(np.float32), y=labels)
    text = SPEC.replace("size: 4", "size: 2").replace("domain: category, classes: 3", "domain: binary, size: 2")
    (tmp_path / "spec.yaml").write_text(text.replace("labels: {y: 6}", "labels: {y: 20}"))
    model = compile_spec(load(tmp_path / "spec.yaml"))
    data = prepare(model.graphs, spec_path=tmp_path / "spec.yaml")
    found = measure_interventions(
        model, data.test, spec_path=tmp_path / "spec.yaml", folder=tmp_path / "kept", count=20
    )
    assert set(found["interventions"]) == set(found["leakage"]) == {"y[0]", "y[1]"}
    assert found["interventions"]["y[1]"]["instrument_error"] == 0
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_evaluate_reports_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = train_tiny(tmp_path)
    call = ["evaluate", str(run.folder), "--interventions"]
    shown = CliRunner().invoke(app, call)
    assert shown.exit_code == 0, shown.output
    assert "read as set" in shown.output and "separate classifier" in shown.output
    result = CliRunner().invoke(app, [*call, "--json"])
    report = json.loads(result.stdout)
    figures, leak = report["interventions"]["y"], report["leakage"]["y"]["z"]
    assert set(figures) == {"accuracy", "per_class", "rows", "from", "instrument_error", "read_from", "inferred"}
    assert set(leak) == {"accuracy", "std", "chance", "folds", "draws"} and figures["instrument_error"] < 0.3
    assert list((tmp_path / "cache" / "graphspec" / "instruments").iterdir())
    assert "interventions" in json.loads((run.folder / "evaluation-test.json").read_text())
    assert not open_run(run.checkpoint).training
    plain = json.loads(CliRunner().invoke(app, ["evaluate", str(run.folder), "--json"]).stdout)
    assert "interventions" not in plain and plain["elbo"] == report["elbo"]


def test_targets_print_as_the_command_line_writes_them() -> None:
    assert str(Target(Variable("y", "supervised", "binary", (2,), 2), (1,))) == "y[1]"
