"""What is said of labels that are no better than a guess, and of latents that carry nothing; and where nothing is."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from compiler import compile_spec
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.data import Rows
from runtime.measures.evaluation import measure
from runtime.measures.latent_use import LatentUse
from runtime.measures.shortcomings import ChosenEpoch, TrainingRows, shortcomings

SPEC = """\
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  y: {role: supervised, domain: binary, names: [NO, YES]}
  z: {role: latent, domain: real, size: 2}
  c: {role: latent, domain: category, classes: 3}
  d: {role: latent, domain: direction, size: 3}
generative: {y: {}, z: {}, c: {}, d: {}, x: {parents: [y, z, c, d]}}
recognition: RECOGNITION
networks: {default: {kind: linear}}
"""
WRITTEN = "{y: {parents: [x]}, z: {parents: [x]}, c: {parents: [x]}, d: {parents: [x]}}"


def model_of(recognition: str = WRITTEN, *overrides: str) -> Model:
    return compile_spec(load("spec.yaml", overrides, text=SPEC.replace("RECOGNITION", recognition))).eval()


def follow(model: Model, name: str, weight: float) -> None:
    """q(name | x) follows x this strongly; at 0 it is the same for every row."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for values in model.factors[f"recognition--{name}"].parameters():
            values.copy_(weight * torch.randn(values.shape, generator=generator) if values.dim() == 2 else 0 * values)


def use_of(model: Model, rows: Tensor) -> dict[str, Any]:
    use = LatentUse(model, 0)
    with torch.no_grad():
        for part in rows.split(150):
            use.take_in({"x": part})
    return use.report()


def test_latents_that_ignore_the_rows_carry_nothing_and_others_do() -> None:
    model, rows = model_of(), 3 * torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    for name in ("z", "c", "d"):
        follow(model, name, 1.0)
    before = use_of(model, rows)
    assert {name: use["elements"] for name, use in before.items()} == {"z": 2, "c": 1, "d": 1}
    assert {name: use["in_use"] for name, use in before.items()} == {"z": 2, "c": 1, "d": 1}
    for name in ("z", "c", "d"):
        follow(model, name, 0.0)
    after = use_of(model, rows)
    assert {name: use["in_use"] for name, use in after.items()} == {"z": 0, "c": 0, "d": 0}
    assert abs(after["c"]["nats"]) < 1e-5 < before["c"]["nats"]


def test_nats_of_a_latent_are_its_divergence() -> None:
    """Drawn here, in closed form in the objective."""
    model, rows = model_of(), torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    for name in ("z", "c"):
        follow(model, name, 0.5)
    weights = ObjectiveWeights.at(model.graphs, None, math.inf).plain()
    with torch.no_grad():
        terms = model.evaluate({"x": rows}, weights=weights, noise=Noise(0, 4000)).terms
    found = use_of(model, rows)
    for name in ("z", "c"):
        assert found[name]["nats"] == pytest.approx(float(terms[f"KL {name}"].mean()), rel=0.1)


def report_of(model: Model, answers: float, labels: Tensor, *, latents: bool = False) -> dict[str, Any]:
    """answers: how strongly q(y | x) follows x[0]."""
    with torch.no_grad():
        for values in model.factors["recognition--y"].parameters():
            values.zero_()
            if values.dim() == 2:
                values[0, 0] = answers
    x = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(1))
    x[:, 0] = labels.float() * 2 - 1 + 0.1 * x[:, 0]
    return measure(model, Rows({"x": x, "y": labels}, torch.arange(len(labels))), latents=latents).report


LABELS = torch.tensor([1, 0, 0, 0] * 25)


def test_a_label_at_chance_is_said_with_figures_and_advice() -> None:
    model = model_of()
    (found,) = shortcomings(model.graphs, report_of(model, 0.0, LABELS), TrainingRows(300, 12, {"y": 12}))
    assert "y is not clearly better than a guess: 25.0 % wrong (95 % interval 17.5 to 34.3)" in found
    assert "always answering NO 25.0 %" in found
    (whole,) = shortcomings(model.graphs, report_of(model, 0.0, LABELS), TrainingRows(300, 300, {"y": 300}))
    assert "all 300 training rows have it, so perhaps it does not follow from x" in whole
    assert "12 of 300" in found and "objective: {alpha: 500}" in found and "auto" not in found
    assert shortcomings(model.graphs, report_of(model, 5.0, LABELS), TrainingRows(300, 12, {"y": 12})) == []


def test_dead_latents_of_an_early_epoch_that_a_label_chose_are_said_to_be() -> None:
    model = model_of()
    follow(model, "z", 0.0)
    report, rows = report_of(model, 5.0, LABELS, latents=True), TrainingRows(300, 12, {"y": 12})
    *_, dead, why = shortcomings(model.graphs, report, rows, ChosenEpoch(3, 40, "y.error"))
    assert "carries nothing" in dead
    assert "weights are of epoch 3 of 40, best by y.error" in why and "--checkpoint last" in why
    for other in (None, ChosenEpoch(3, 40, "elbo"), ChosenEpoch(30, 40, "y.error")):
        assert not any("weights are of epoch" in found for found in shortcomings(model.graphs, report, rows, other))
    assert ChosenEpoch.of({"best_epoch": 3, "epochs": 40, "select": "last"}) is None
    assert ChosenEpoch.of({"best_epoch": 3, "epochs": 40, "select": "elbo"}) == ChosenEpoch(3, 40, "elbo")


def test_under_auto_the_shared_trunk_is_named_and_the_advice_is_a_legal_spec() -> None:
    model = model_of("auto")
    report = {"variables": {"y": report_of(model_of(), 0.0, LABELS)["variables"]["y"]}}
    (found,) = shortcomings(model.graphs, report, TrainingRows(300, 12, {"y": 12}))
    assert "recognition: {auto: true, y: {parents: [x]}}" in found
    model_of("{auto: true, y: {parents: [x]}}", "objective.alpha=500")
    (found,) = shortcomings(model.graphs, report, TrainingRows(300, 0, {}))
    assert "No training row has this label" in found


def test_a_rare_class_that_is_ranked_right_is_said_to_be() -> None:
    figures = report_of(model_of(), 0.0, LABELS)["variables"]["y"] | {"auc": 0.93}
    (found,) = shortcomings(model_of().graphs, {"variables": {"y": figures}}, TrainingRows(300, 12, {"y": 12}))
    assert "It ranks rows all the same (AUC 0.93)" in found
    (found,) = shortcomings(
        model_of().graphs, {"variables": {"y": figures | {"balanced_error": 0.12}}}, TrainingRows(300, 12, {"y": 12})
    )
    assert "balanced error 12 %, a constant answer 50 %" in found
    even = figures | {"majority_error": 0.45, "balanced_error": 0.38}
    (found,) = shortcomings(model_of().graphs, {"variables": {"y": even}}, TrainingRows(300, 12, {"y": 12}))
    assert "are found" not in found and "What may help" in found


def test_free_nats_of_a_plate_are_those_of_one_element() -> None:
    text = SPEC.replace("variables:", "plates: {visits: {size: 9}}\nvariables:").replace(
        "size: 2}", "size: 4, plate: visits}"
    )
    text = text.replace("x: {role: observed, domain: real, size: 3}", "x: {role: observed, size: 3, plate: visits}")
    graphs = load(
        "spec.yaml", text=text.replace("RECOGNITION", WRITTEN.replace("{parents: [x]}", "{parents: [x@mean]}"))
    )
    use = {"variables": {}, "latents": {"z": {"in_use": 0, "elements": 36, "nats": 0.01}}}
    (found,) = shortcomings(graphs, use, TrainingRows(300, 12, {"y": 12}))
    assert "none of its 36 elements follows" in found and "free_bits: {z: 2} in each element of visits;" in found


def test_a_dead_latent_is_said_and_the_advice_is_a_legal_spec() -> None:
    model = model_of()
    for name in ("c", "d"):
        follow(model, name, 1.0)
    (found,) = shortcomings(model.graphs, report_of(model, 5.0, LABELS, latents=True), TrainingRows(300, 12, {"y": 12}))
    assert found.startswith("z carries nothing: none of its 2 elements follows the rows")
    for advice in (
        "objective.beta={z: {from: 0, to: 1, epochs: 10}}",
        "objective.free_bits={z: 1}",
        "objective.beta={z: 0.1}",
    ):
        assert advice.partition("=")[2] in found
        model_of(WRITTEN, advice)
