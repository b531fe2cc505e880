"""Training: the loss is the objective, schedules and averages are what they say, and stopping never changes the end."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import tiny_model, train_tiny, write_tiny

from compiler import compile_spec
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.data import prepare
from runtime.errors import RunError
from runtime.runs.checkpoints import read_weights
from runtime.runs.run_folder import Run, open_run
from runtime.training.loop import epoch_files
from runtime.training.loop.fitting import fit
from runtime.training.loop.progress import SilentReporter
from runtime.training.loop.selection import Best, Criterion
from runtime.training.loop.state import TrainState, read_state, save_state
from runtime.training.processes.devices import build_accelerator, placement, resolve_device
from runtime.training.step.averaging import Average
from runtime.training.step.compilation import compiled_networks
from runtime.training.step.optimizers import build_optimizer
from runtime.training.step.share import share_of
from runtime.training.step.step_metrics import Meter, StepInfo

ROOT = Path(__file__).parent.parent


def weights_of(path: Path) -> Mapping[str, torch.Tensor]:
    return read_weights(path).weights


def same(left: Mapping[str, torch.Tensor], right: Mapping[str, torch.Tensor]) -> bool:
    return set(left) == set(right) and all(torch.equal(left[name], right[name]) for name in left)


# --- the loss ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "processes"), [((6, 4), 1), ((6, 4), 3), ((5, 0), 2), ((0, 5), 2), ((1, 1), 4)])
def test_shares_of_all_processes_add_up_to_the_whole_batch(sizes: tuple[int, int], processes: int) -> None:
    unlabelled, labelled = torch.arange(sizes[0]), torch.arange(100, 100 + sizes[1])
    share = 0.0 if sizes[1] == 0 else 1.0 if sizes[0] == 0 else 0.3
    total: dict[int, float] = {}
    for process in range(processes):
        part = share_of(unlabelled, labelled, share, process, processes)
        assert len(part.positions) == len(part.weights) > 0
        assert bool((part.positions[: part.unlabelled] < 100).all())
        for position, weight in zip(part.positions.tolist(), part.weights.tolist(), strict=True):
            total[position] = total.get(position, 0.0) + weight
    expected = {int(p): (1 - share) / sizes[0] for p in unlabelled} | {int(p): share / sizes[1] for p in labelled}
    assert total == pytest.approx(expected)


EXACT = """\
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 6}
  y: {role: supervised, domain: category, classes: 3}
generative: {y: {}, x: {parents: [y]}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: mlp, hidden: [8]}}
objective: {alpha: 7, rho: 0.3}
data: {source: rows.npz, variables: {x: x, y: y}, labels: {y: 12}, test: 0.2, validation: 0.2}
training: {epochs: 1, batch_size: 13, learning_rate: 1e-30}
"""


def test_the_logged_loss_is_the_objective_of_the_data(tmp_path: Path) -> None:
    """With nothing sampled and next to no learning, the mean over an epoch's equal batches is L, to rounding."""
    write_tiny(tmp_path)
    (tmp_path / "exact.yaml").write_text(EXACT)
    model = compile_spec(load(tmp_path / "exact.yaml"), dtype=torch.float64)
    data = prepare(model.graphs, spec_path=tmp_path / "exact.yaml")
    assert (len(data.labelled), len(data.unlabelled)) == (12, 5 * 13)
    run = fit(model, data, out=tmp_path / "run", progress=False, device="cpu")
    bounds = model.bound(data.training.batch(torch.arange(len(data.training)), torch.float64))
    expected = 0.7 * bounds[data.unlabelled].mean() + 0.3 * bounds[data.labelled].mean()
    record = run.metrics()[0]
    assert record["rho"] == 0.3
    assert -record["loss"] == pytest.approx(expected.item(), abs=1e-10)


def test_rows_without_labels_or_only_with_labels_train_too(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    supervised = train_tiny(tmp_path, "data.labels=null", "training.epochs=1", out="all")
    assert supervised.metrics()[0]["rho"] == 1.0
    free = "variables.y={role: latent, domain: category, classes: 3}"
    unsupervised = train_tiny(
        tmp_path, free, "data.variables.y=null", "data.labels=null", "training.epochs=1", out="none"
    )
    assert unsupervised.metrics()[0]["rho"] == 0.0
    assert unsupervised.manifest()["select"] == "elbo"


def test_a_trained_model_knows_how_many_rows_share_a_pattern(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    run = fit(model, out=tmp_path / "run", epochs=1, progress=False)
    counts = {"rows with y": 12, "rows without labels": 120 - 24 - 19 - 12}  # a fifth for test, of the rest a fifth
    assert model.rates is not None and dict(model.rates.per_pattern) == counts
    opened = open_run(run.folder)
    assert opened.rates is not None and dict(opened.rates.per_pattern) == counts


def test_training_learns_and_hands_back_the_selected_weights(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, "training.epochs=8")
    run = fit(model, out=tmp_path / "run", progress=False, device="cpu")
    records = run.metrics()
    assert records[-1]["loss"] < records[0]["loss"]
    assert records[-1]["validation"]["variables"]["y"]["error"] < 0.35
    assert not model.training
    assert same(model.state_dict(), weights_of(run.best_file))
    assert run.manifest()["select"] == "y.log_loss", "an error on 19 validation rows ties"
    best = min(records, key=lambda r: r["validation"]["variables"]["y"]["log_loss"])
    assert run.manifest()["best_epoch"] == best["epoch"] == read_weights(run.best_file).facts["epoch"]


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path: Path) -> None:
    runs = [
        train_tiny(tmp_path, out="a"),
        train_tiny(tmp_path, out="b"),
        train_tiny(tmp_path, "training.seed=1", out="c"),
    ]
    first, second, other = (weights_of(run.last_file) for run in runs)
    assert same(first, second)
    assert not same(first, other)


# --- schedules, optimizers, averages ----------------------------------------------------------------------------------


def test_the_learning_rate_follows_its_schedule_and_zero_stands_still(tmp_path: Path) -> None:
    schedule = "training.learning_rate={from: 1e-2, to: 0, epochs: 2}"
    run = train_tiny(tmp_path, schedule, "training.epochs=3", "training.select=last")
    assert [record["learning_rate"] for record in run.metrics()] == pytest.approx([5e-3, 0, 0])
    earlier = train_tiny(tmp_path, schedule, "training.epochs=2", "training.select=last", out="two")
    parameters = [name for name, _ in tiny_model(tmp_path).named_parameters()]
    one, two = weights_of(run.last_file), weights_of(earlier.last_file)
    assert all(torch.equal(one[name], two[name]) for name in parameters)
    assert not same(one, two), "batch statistics still move"


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_decays_weights_and_survives_a_resume(tmp_path: Path, name: str) -> None:
    settings = [f"training.optimizer={name}", "training.weight_decay=0.1", "training.gradient_clip=1"]
    whole = train_tiny(tmp_path, *settings, "training.epochs=2", out="whole")
    train_tiny(tmp_path, *settings, "training.epochs=1", out="parts")
    resumed = train_tiny(tmp_path, *settings, "training.epochs=2", out="parts", resume=True, seed=5)
    assert same(weights_of(whole.last_file), weights_of(resumed.last_file))


def test_weight_decay_and_clipping_change_the_step(tmp_path: Path) -> None:
    plain, decayed, clipped = (
        weights_of(train_tiny(tmp_path, *more, "training.optimizer=sgd", "training.epochs=1", out=f"r{i}").last_file)
        for i, more in enumerate([(), ("training.weight_decay=1",), ("training.gradient_clip=1e-6",)])
    )
    start = tiny_model(tmp_path).state_dict()
    names = [name for name, _ in tiny_model(tmp_path).named_parameters()]
    moved = {key: sum((w[n] - start[n]).norm() for n in names) for key, w in (("p", plain), ("c", clipped))}
    assert moved["c"] < 1e-3 * moved["p"]
    assert not same(plain, decayed)


def test_frozen_parameters_are_not_given_to_the_optimizer(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    first = next(model.parameters())
    first.requires_grad_(False)
    optimizer = build_optimizer(model.graphs.spec.training, model.parameters())
    given = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(given) == len(list(model.parameters())) - 1
    assert all(p is not first for p in given)


def test_the_average_follows_its_formula() -> None:
    module = torch.nn.Linear(2, 1, bias=False).double()
    average = Average(module, decay=0.5)
    expected = module.weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            module.weight.add_(1.0)
        average.update(step)
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * module.weight.detach()
    assert torch.allclose(average.tensors()["weight"], expected, atol=1e-12)
    raw = module.weight.detach().clone()
    with average.in_place():
        assert torch.allclose(module.weight, expected, atol=1e-12)
    assert torch.equal(module.weight, raw)


def test_averaged_weights_are_saved_and_raw_ones_resume(tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "training.ema=0.99", "training.select=last")
    plain = train_tiny(tmp_path, "training.select=last", out="plain")
    state = read_state(run.state_file)
    saved, raw = weights_of(run.last_file), weights_of(plain.last_file)
    assert same(state.weights, raw), "averaging does not touch training"
    trained = [name for name, _ in tiny_model(tmp_path).named_parameters()]
    assert all(torch.equal(saved[name], state.average[name]) for name in trained)
    assert any(not torch.equal(saved[name], raw[name]) for name in trained)
    statistics = [name for name in raw if name.endswith(("running_mean", "running_var"))]
    assert statistics and set(trained) | set(statistics) == set(state.average)
    assert all(torch.equal(saved[name], state.average[name]) for name in statistics), "they go with the weights"
    assert all(not torch.equal(saved[name], raw[name]) for name in statistics)
    assert all(torch.equal(saved[name], raw[name]) for name in set(raw) - set(state.average)), "the rest is copied"


# --- selection and patience -------------------------------------------------------------------------------------------


def test_what_select_means(tmp_path: Path) -> None:
    graphs = tiny_model(tmp_path).graphs
    assert Criterion.of(graphs, 40, {"y": 40}) == Criterion("y.error", (("y", "error"),))
    assert Criterion.of(graphs, 0, {"y": 0}) == Criterion("last")
    figures = {"elbo": -3.0, "variables": {"y": {"error": 0.25}}}
    assert Criterion("y.error", (("y", "error"),)).figure(figures) == (-0.25, -3.0)
    assert Criterion("elbo").figure(figures) == (-3.0, 0.0)
    assert Criterion("last").figure(figures) is None
    assert Criterion("elbo").figure({"elbo": math.nan}) is None
    unknown = {"elbo": -3.0, "variables": {"y": {"error": None}}}
    assert Criterion("y.error", (("y", "error"),)).figure(unknown) is None
    training = graphs.spec.training.model_copy(update={"select": "w.error"})
    wrong = replace(graphs, spec=graphs.spec.model_copy(update={"training": training}))
    with pytest.raises(RunError, match=r"w\.error") as caught:
        Criterion.of(wrong, 10, {})
    assert "y.error" in caught.value.hint


@pytest.mark.parametrize(
    ("figure", "value", "up"),
    [("log_loss", 0.3, -0.3), ("balanced_error", 0.4, -0.4), ("macro_f1", 0.7, 0.7), ("recall.2", 0.6, 0.6)],
)
def test_every_figure_of_a_label_can_choose_each_in_its_own_direction(
    tmp_path: Path, figure: str, value: float, up: float
) -> None:
    graphs = tiny_model(tmp_path, f"training.select=y.{figure}").graphs
    criterion = Criterion.of(graphs, 40, {"y": 40})
    label = {figure: value, "classes": {"2": {"recall": value, "precision": None}}}
    assert criterion.figure({"elbo": -3.0, "variables": {"y": label}}) == (up, -3.0)
    assert Criterion("y.precision.2", (("y", "precision.2"),)).figure({"elbo": -3.0, "variables": {"y": label}}) is None


def test_training_keeps_the_weights_that_the_selected_figure_likes_best(tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "training.select=y.macro_f1", "training.epochs=4")
    measured = [record["validation"]["variables"]["y"]["macro_f1"] for record in run.metrics()]
    assert run.manifest()["select"] == "y.macro_f1"
    assert measured[run.manifest()["best_epoch"] - 1] == max(measured)
    by_class = train_tiny(tmp_path, "training.select=y.recall.1", "training.epochs=2", out="recall")
    found = [record["validation"]["variables"]["y"]["classes"]["1"]["recall"] for record in by_class.metrics()]
    assert found[by_class.manifest()["best_epoch"] - 1] == max(found)


FACES = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  y: {role: supervised, domain: category, classes: 4}
  w: {role: supervised, domain: real}
generative: {y: {}, w: {}, x: {parents: [y, w]}}
recognition: {y: {parents: [x]}, w: {parents: [x]}}
"""


@pytest.mark.parametrize(
    ("labelled", "name", "said"),
    [
        ({"y": 30, "w": 40}, "y.error and w.error", ""),
        ({"y": 29, "w": 40}, "y.log_loss and w.error", "29 validation labels ties: the log loss"),
        ({"y": 9, "w": 40}, "elbo", "9 validation labels is luck: the elbo"),
        ({"y": 0, "w": 40}, "w.error", "no validation row has y"),
        (
            {"y": 1, "w": 0},
            "elbo",
            "no validation row has w: only y can choose; an error measured on 1 validation label",
        ),
        ({"y": 0, "w": 0}, "last", "cannot be measured: no validation row has the label. The last epoch is kept"),
    ],
)
def test_what_was_measured_on_few_rows_or_none_does_not_choose(labelled: dict[str, int], name: str, said: str) -> None:
    criterion = Criterion.of(load("faces.yaml", text=FACES), 60, labelled)
    assert criterion.name == name and said in criterion.note and bool(said) == bool(criterion.note)
    patient = load("faces.yaml", ["training.patience=3"], text=FACES)
    assert ("patience never ends" in Criterion.of(patient, 60, labelled).note) == (name == "last")


STEPS = """
graphspec: 1
plates: {time: {size: 5}}
variables:
  x: {role: observed, domain: binary, plate: time}
  y: {role: supervised, domain: binary, plate: time}
generative: {y: {}, x: {parents: [y], network: {kind: linear}}}
recognition: {y: {parents: [x], network: {kind: linear}}}
data: {source: steps.npz, variables: {x: x, y: y}, labels: {y: 20}, validation: 12, test: 12}
training: {epochs: 1}
"""


def test_elements_of_a_plate_are_as_many_labels_when_weights_are_chosen(tmp_path: Path) -> None:
    cells = np.random.default_rng(0).integers(0, 2, (60, 5))
    np.savez(tmp_path / "steps.npz", x=cells, y=cells ^ (np.arange(300).reshape(60, 5) % 7 == 0))
    graphs = load(str(tmp_path / "steps.yaml"), text=STEPS)
    run = fit(compile_spec(graphs), out=tmp_path / "run", progress=False, device="cpu")
    assert run.manifest()["select"] == "y.error", "12 rows with 60 labels"


def test_a_figure_that_the_spec_names_is_kept_and_told_to_be_unsure() -> None:
    graphs = load("faces.yaml", ["training.select=y.error"], text=FACES)
    assert Criterion.of(graphs, 60, {"y": 40}).note == ""
    few = Criterion.of(graphs, 60, {"y": 3})
    assert few.name == "y.error" and "measured on 3 validation labels" in few.note
    none = Criterion.of(graphs, 60, {"y": 0})
    assert none.name == "last" and "y.error cannot be measured" in none.note
    assert Criterion.of(load("faces.yaml", text=FACES), 60, {"y": 9, "w": 9}, "y.error").name == "y.error", (
        "as it began"
    )


def test_labels_of_different_kinds_count_alike() -> None:
    criterion = Criterion.of(load("faces.yaml", text=FACES), 60, {"y": 60, "w": 60})

    def figure(y: float, w: float) -> float:
        labels = {"y": {"error": y, "majority_error": 0.5}, "w": {"error": w, "mean_error": 200.0}}
        found = criterion.figure({"elbo": -1.0, "variables": labels})
        assert found is not None
        return found[0]

    assert figure(0.25, 100.0) == pytest.approx(-0.5)
    assert figure(0.25, 100.0) < figure(0.24, 101.0) < figure(0.23, 100.0)
    assert criterion.figure({"elbo": -1.0, "variables": {"y": {"error": 0.1}, "w": {"error": None}}}) is None


def test_ties_go_to_the_better_elbo_but_try_patience() -> None:
    best = Best().after(1, (-0.2, -5.0)).after(2, (-0.2, -4.0)).after(3, (-0.3, -1.0))
    assert (best.epoch, best.waited) == (2, 2)
    assert best.after(4, (-0.1, -9.0)) == Best(4, (-0.1, -9.0), 0)
    assert best.after(4, None).epoch == 2
    assert Best().after(1, None).after(2, None) == Best(2, None, 0)
    assert Best.from_json(json.loads(json.dumps(best.to_json()))) == best


def test_where_the_elbo_stands_in_for_labels_patience_waits_for_their_log_loss_too(tmp_path: Path) -> None:
    """The elbo first falls while q(y | x) becomes sure: a dip of some epochs is no end."""
    graphs = tiny_model(tmp_path).graphs
    criterion = Criterion.of(graphs, 60, {"y": 3})
    assert (criterion.name, criterion.waits_for) == ("elbo", (("y", "log_loss"),))
    assert Criterion.of(graphs, 60, {"y": 3}, before="elbo").waits_for == criterion.waits_for
    asked = graphs.spec.training.model_copy(update={"select": "elbo"})
    named = replace(graphs, spec=graphs.spec.model_copy(update={"training": asked}))
    assert Criterion.of(named, 60, {"y": 3}).waits_for == () == Criterion.of(graphs, 60, {"y": 30}).waits_for
    best, waited = Best(), []
    for epoch, (elbo, loss) in enumerate([(-3.0, 1.1), (-3.1, 1.0), (-3.2, 0.9), (-3.3, 0.95), (-3.4, 1.2)]):
        figures = {"elbo": elbo, "variables": {"y": {"log_loss": loss}}}
        best = best.after(epoch, criterion.figure(figures), criterion.awaited(figures))
        waited.append(best.waited)
    assert waited == [0, 0, 0, 1, 2] and best.epoch == 0
    assert Best.from_json(json.loads(json.dumps(best.to_json()))) == best
    assert criterion.awaited({"elbo": -1.0, "variables": {"y": {"log_loss": None}}}) == ()


def test_patience_ends_training_and_a_resume_with_more_goes_on(tmp_path: Path) -> None:
    stop = ["training.learning_rate=1e-30", "training.select=elbo", "training.epochs=9"]
    fixed = "recognition.h.network={kind: mlp, hidden: [8]}"
    run = train_tiny(tmp_path, *stop, fixed, "training.patience=2")
    assert [record["epoch"] for record in run.metrics()] == [1, 2, 3]
    assert run.finished
    assert run.manifest()["best_epoch"] == 1
    more = train_tiny(tmp_path, *stop, fixed, "training.patience=4", resume=True)
    assert len(more.metrics()) == 5


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    explode = "training.learning_rate={from: 1e-2, to: 1e30, begin: 1, epochs: 0.1}"
    with pytest.raises(RunError, match="in epoch 2") as caught:
        train_tiny(tmp_path, explode)
    assert "learning_rate" in caught.value.hint
    run = Run(tmp_path / "run")
    assert run.manifest()["status"] == "failed"
    assert read_state(run.state_file).position.epoch == 1
    kept = weights_of(run.last_file)
    assert all(bool(tensor.isfinite().all()) for tensor in kept.values())
    assert same(kept, open_run(run.folder).state_dict())


def test_weights_that_overflow_in_the_last_step_of_an_epoch_are_never_saved(tmp_path: Path) -> None:
    overflow = "training.learning_rate={from: 1e-2, to: 1e39, begin: 0.5, epochs: 0.1}"
    with pytest.raises(RunError, match=r"weights of factor \w+\.\w+ .* in epoch 1") as caught:
        train_tiny(tmp_path, overflow, "training.epochs=1")
    assert "no weights were kept" in caught.value.hint
    run = Run(tmp_path / "run")
    assert read_state(run.state_file).position.step == 0
    assert not run.last_file.exists()


def test_the_meter_names_the_terms_that_broke_first() -> None:
    meter = Meter()
    nan = math.nan
    weights = torch.tensor([0.25, 0.25, 0.5])

    def add(log_p: list[float], log_q: list[float]) -> None:
        terms = {"log p(x)": torch.tensor(log_p), "log q(y)": torch.tensor(log_q)}
        bound = torch.stack([torch.tensor(log_p), torch.tensor(log_q)[2].expand(3)]).sum(0)
        meter.add(-(weights * bound).sum(), bound, terms, {}, weights, unlabelled=2)

    add([1.0, 3.0, 5.0], [nan, nan, 2.0])
    info = meter.read()
    assert not info.broken
    assert info.terms == pytest.approx({"log p(x)": 3.5, "log q(y)": 2.0})
    add([1.0, 3.0, 5.0], [nan, nan, -math.inf])
    add([nan, nan, nan], [nan, nan, nan])
    assert meter.read().broken
    assert meter.read().culprits == ("log q(y)",)


def test_the_meter_makes_room_for_terms_that_come_late_and_comes_back_from_its_state() -> None:
    meter, one = Meter(), torch.ones(2)
    meter.add(torch.tensor(1.0), one, {"a": one}, {}, one / 2, 2)
    meter.add(torch.tensor(3.0), one, {"a": 3 * one, "b": 5 * one}, {"y": 4 * one}, one / 2, 2)
    expected = StepInfo(2.0, {"a": 2.0, "b": 5.0}, {"y": 4.0})
    assert meter.read() == expected
    again = Meter()
    again.restore(*meter.state(), device=torch.device("cpu"))
    assert again.read() == expected
    again.restart()
    again.add(torch.tensor(1.0), one, {"a": one}, {}, one / 2, 2)
    assert again.read().terms == {"a": 1.0}


def test_the_meter_has_the_same_sums_whenever_it_is_read() -> None:
    """Steps wait to be added up together; a run that stops between two of them must not differ in a bit."""
    torch.manual_seed(0)
    often, seldom = Meter(), Meter()
    for step in range(40):
        terms = {"a": 10 * torch.randn(6), "b": torch.cat([torch.full((3,), math.nan), torch.randn(3)])}
        bound, weights = terms["a"].clone(), torch.rand(6)
        if step == 30:
            bound[4] = terms["b"][4] = math.inf
        for meter in (often, seldom):
            meter.add(bound.sum(), bound, terms, {"y": terms["b"].abs()}, weights, 3, positions=torch.arange(6))
        often.read()
    assert often.read().culprits == ("b",)
    first = seldom.first_bad()
    assert first is not None
    assert (first.step, first.rows.tolist()) == (31, [4])
    for name, tensor in often.state()[0].items():
        assert torch.equal(tensor.double().nan_to_num(), seldom.state()[0][name].double().nan_to_num()), name


def test_devices_that_are_not_there_are_run_errors() -> None:
    for device in ("cuda:97", "tpu", "warp drive"):
        with pytest.raises(RunError, match=device):
            resolve_device(device)


def test_bf16_is_the_arithmetic_of_the_step_and_weights_stay_float32(tmp_path: Path) -> None:
    cpu = resolve_device("cpu")
    assert placement(build_accelerator(cpu, False)).precision == "fp32"
    assert placement(build_accelerator(cpu, True)).precision == "bf16"
    run = train_tiny(tmp_path, "training.precision=bf16", "training.epochs=1")
    assert run.manifest()["precision"] == "bf16"
    assert all(tensor.dtype != torch.bfloat16 for tensor in weights_of(run.last_file).values())
    assert placement(build_accelerator(cpu, False)).precision == "fp32"


# --- stopping and going on --------------------------------------------------------------------------------------------

EPOCHS = "training.epochs=6"

CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, "tests")
from runtime.training.loop.progress import SilentReporter
from tiny_runs import train_tiny

class Waiting(SilentReporter):
    interval = 0.0
    def step(self, epoch, done, info):
        if done == 10:  # the second of four steps of epoch 3
            time.sleep(600)

train_tiny(Path(sys.argv[1]), *sys.argv[2:], out="killed", progress=Waiting())
"""


def test_a_run_killed_by_sigkill_resumes_to_the_very_same_weights(tmp_path: Path) -> None:
    settings = ["training.ema=0.9", "training.gradient_clip=5", EPOCHS]
    write_tiny(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), *settings], cwd=ROOT)
    killed = Run(tmp_path / "killed")
    deadline = time.monotonic() + 300
    while len(killed.metrics()) < 2 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "it had not finished"
    assert len(killed.metrics()) == 2
    resumed = train_tiny(tmp_path, *settings, out="killed", resume=True, seed=3)
    whole = train_tiny(tmp_path, *settings, out="whole")
    assert same(weights_of(resumed.last_file), weights_of(whole.last_file))
    assert same(weights_of(resumed.best_file), weights_of(whole.best_file))
    assert same(read_state(resumed.state_file).weights, read_state(whole.state_file).weights)
    timeless = [[{**record, "seconds": 0} for record in run.metrics()] for run in (resumed, whole)]
    assert timeless[0] == timeless[1]


def test_epochs_that_follow_fast_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are the same as those of a training that writes after each epoch, and they are written once."""
    written: list[str] = []

    def counting(path: Path, state: TrainState) -> None:
        written.append(path.parent.parent.name)
        save_state(path, state)

    monkeypatch.setattr(epoch_files, "save_state", counting)
    monkeypatch.setattr(epoch_files, "PAUSE", 0.0)
    settings = ["training.ema=0.9", EPOCHS]
    often = train_tiny(tmp_path, *settings, out="often")
    monkeypatch.setattr(epoch_files, "PAUSE", 600.0)
    seldom = train_tiny(tmp_path, *settings, out="seldom")
    assert [written.count(name) for name in ("often", "seldom")] == [7, 2], "the first is the start's"
    for file in ("last_file", "best_file"):
        assert same(weights_of(getattr(often, file)), weights_of(getattr(seldom, file)))
    states = [read_state(run.state_file) for run in (often, seldom)]
    assert same(states[0].weights, states[1].weights) and same(states[0].average, states[1].average)
    assert states[0].position.best == states[1].position.best
    assert read_weights(often.best_file).facts["epoch"] == read_weights(seldom.best_file).facts["epoch"]


@pytest.mark.parametrize("error", [RunError("the disk is on fire", "get out"), KeyboardInterrupt()])
def test_whatever_ends_a_training_leaves_the_epochs_that_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    class Breaking(SilentReporter):
        interval = 0.0

        def step(self, epoch: int, done: int, info: StepInfo) -> None:
            if done == 10:  # the second of four steps of epoch 3
                raise error

    monkeypatch.setattr(epoch_files, "PAUSE", 600.0)
    with pytest.raises(type(error)):
        train_tiny(tmp_path, EPOCHS, out="broken", progress=Breaking())
    broken = Run(tmp_path / "broken")
    assert read_state(broken.state_file).position.epoch == 2 == broken.manifest()["epochs"]
    assert read_weights(broken.last_file).facts["epoch"] == 2
    resumed = train_tiny(tmp_path, EPOCHS, out="broken", resume=True)
    whole = train_tiny(tmp_path, EPOCHS, out="whole")
    assert same(weights_of(resumed.last_file), weights_of(whole.last_file))


class Impatient(SilentReporter):
    """Presses Ctrl-C after step number `step`."""

    interval = 0.0

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, epoch: int, done: int, info: StepInfo) -> None:
        if done == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", [1, 4, 6])
def test_ctrl_c_finishes_the_step_and_a_resume_ends_the_same(tmp_path: Path, step: int) -> None:
    stopped = train_tiny(tmp_path, progress=Impatient(step))
    assert not stopped.finished
    assert stopped.manifest()["status"] == "interrupted"
    assert read_state(stopped.state_file).position.step == step
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = train_tiny(tmp_path, resume=True, seed=3)
    whole = train_tiny(tmp_path, out="whole")
    assert resumed.finished
    assert same(weights_of(resumed.last_file), weights_of(whole.last_file))
    assert [r["terms"] for r in resumed.metrics()] == [r["terms"] for r in whole.metrics()]
    assert len(resumed.manifest()["resumed"]) == 1


def test_a_resume_with_another_spec_or_other_data_says_what_changed(tmp_path: Path) -> None:
    train_tiny(tmp_path, "training.epochs=1")
    with pytest.raises(RunError, match=r"objective\.alpha was 5\.0, is 6\.0"):
        train_tiny(tmp_path, "training.epochs=2", "objective.alpha=6", resume=True)
    train_tiny(tmp_path, resume=True, epochs=2)
    with pytest.raises(RunError, match="finished epoch 2 already") as caught:
        train_tiny(tmp_path, resume=True, epochs=1)
    assert "raise" in caught.value.hint
    with np.load(tmp_path / "rows.npz") as columns:
        changed: dict[str, Any] = dict(columns)
    changed["x"][0, 0] ^= 1
    np.savez(tmp_path / "rows.npz", **changed)
    with pytest.raises(RunError, match="the source's contents changed"):
        train_tiny(tmp_path, "training.epochs=5", resume=True)


# --- training in stages -----------------------------------------------------------------------------------------------


def second_stage(freeze: bool = True, factors: str = "[recognition.h, recognition.y]", run: str = "first") -> str:
    return f"training.initialize={{from: {run}, factors: {factors}, freeze: {str(freeze).lower()}}}"


def test_frozen_factors_stay_as_they_were_and_others_learn(tmp_path: Path) -> None:
    first = weights_of(train_tiny(tmp_path, out="first").best_file)
    second = train_tiny(tmp_path, second_stage(), "training.ema=0.9", out="second", seed=4)
    after = weights_of(second.last_file)
    frozen = {n for n in first if n.startswith(("factors.recognition--h.", "factors.recognition--y."))}
    assert any("running" in name for name in frozen), "batch statistics among them"
    assert all(torch.equal(first[name], after[name]) for name in frozen)
    assert not any(
        torch.equal(first[n], after[n]) for n in first if n.startswith("factors.generative--x.") and "w" in n
    )


def test_unfrozen_factors_start_from_the_earlier_run(tmp_path: Path) -> None:
    first = weights_of(train_tiny(tmp_path, out="first").best_file)
    start = "training.learning_rate=1e-30"
    second = weights_of(train_tiny(tmp_path, second_stage(freeze=False), start, out="second", seed=4).last_file)
    names = [n for n, _ in tiny_model(tmp_path).named_parameters()]
    taken = [n for n in names if n.startswith(("factors.recognition--h.", "factors.recognition--y."))]
    assert all(torch.allclose(first[name], second[name], rtol=0, atol=1e-25) for name in taken)
    assert not all(torch.allclose(first[name], second[name]) for name in names)


@pytest.mark.parametrize(
    ("stage", "more", "expected", "hint"),
    [
        (second_stage(run="nowhere"), (), "no run folder", "graphspec train"),
        (
            second_stage(),
            ("recognition.h.network.hidden=[9]",),
            r"\[8\] in recognition.h of run first, but \[9\]",
            "sizes",
        ),
        (
            second_stage(factors="[recognition.h, recognition.y, recognition.z, generative.x]"),
            (),
            "nothing to train",
            "freeze",
        ),
    ],
)
def test_what_cannot_be_initialized_is_named(
    tmp_path: Path, stage: str, more: tuple[str, ...], expected: str, hint: str
) -> None:
    train_tiny(tmp_path, "training.epochs=1", out="first")
    with pytest.raises(RunError, match=expected) as caught:
        train_tiny(tmp_path, stage, *more, out="second")
    assert hint in caught.value.hint
    assert not (tmp_path / "second").exists(), "nothing is written before it can train"


def test_a_factor_that_the_earlier_run_lacks_is_named(tmp_path: Path) -> None:
    train_tiny(tmp_path, "training.epochs=1", out="first")
    renamed = [
        "variables.h=null",
        "variables.k={role: deterministic}",
        "recognition={k: {parents: [x]}, y: {parents: [k]}, z: {parents: [k, y]}}",
    ]
    with pytest.raises(RunError, match=r"run first has no factor 'recognition.k'") as caught:
        train_tiny(tmp_path, *renamed, second_stage(factors="[recognition.k]"), out="second")
    assert "recognition.h" in caught.value.hint


def test_tensorboard_files_are_written_where_asked(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = train_tiny(tmp_path, "training.epochs=1", tensorboard=True)
    assert list(run.folder.rglob("events.out.tfevents.*"))


def test_a_missing_tensorboard_comes_with_the_line_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError) as caught:
        train_tiny(tmp_path, tensorboard=True)
    assert caught.value.hint == "pip install 'tensorboard>=2.18,<3'"
    assert not (tmp_path / "run").exists()


def test_the_noise_of_a_step_depends_on_its_number_alone(tmp_path: Path) -> None:
    """The same rows at another step get other noise; evaluating twice at one step gives one value."""
    model = tiny_model(tmp_path)
    data = prepare(model.graphs, spec_path=tmp_path / "tiny.yaml")
    from runtime.data import epoch_batches

    steps = list(epoch_batches(data, 0, 20, None, 0))
    rows = data.training.batch(torch.arange(8), torch.float32)
    weights = ObjectiveWeights.at(model.graphs, data.rates(), 0.0)
    model.eval()
    values = [
        model.evaluate(rows, weights=weights, noise=Noise(step.generator("noise 0"), 8)).bound.sum().item()
        for step in (steps[0], steps[0], steps[1])
    ]
    assert values[0] == values[1] != values[2]


def _compiled(model: torch.nn.Module) -> list[torch.nn.Module]:
    """Networks whose two steps are not their class's own."""
    return [module for module in model.modules() if {"enter", "finish"} <= vars(module).keys()]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, when it loads its compiler
def test_networks_are_compiled_within_the_block_only_and_failures_are_told(tmp_path: Path) -> None:
    from torch._dynamo.exc import TorchDynamoException

    model = tiny_model(tmp_path)
    with compiled_networks(model, False):
        assert not _compiled(model)
    with (
        pytest.raises(RunError, match=r"torch\.compile failed: no compiler here") as caught,
        compiled_networks(model, True),
    ):
        assert len(_compiled(model)) >= 4
        raise TorchDynamoException("no compiler here\nand much more")
    assert caught.value.hint == "train with --no-compile"
    assert not _compiled(model)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute")
def test_compiled_networks_train_and_leave_no_trace(tmp_path: Path) -> None:
    plain = train_tiny(tmp_path, out="plain")
    model = tiny_model(tmp_path)
    run = fit(model, out=tmp_path / "compiled", progress=False, device="cpu", compile_step=True)
    assert run.manifest()["compiled"] is True
    assert not _compiled(model)
    assert [r["loss"] for r in run.metrics()] == pytest.approx([r["loss"] for r in plain.metrics()], rel=1e-4)
