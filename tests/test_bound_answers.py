"""Labels answered by the bound: Bayes' rule where nothing else is hidden, the bound with each value held elsewhere."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from graph_specs import graphs_of
from row_noise import RowNoise
from torch import Tensor

from compiler.model.evaluation import Evaluator
from compiler.model.model import Model
from compiler.plan.running import Context
from compiler.symbolic.answer_text import LEAST_DRAWS
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from runtime.data import Rows
from runtime.measures.evaluation import measure

DISCRETE = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 3, missing: true}
  y: {role: supervised, domain: category, classes: 3}
  w: {role: supervised, domain: binary, size: 2}
generative:
  y: {parameters: {probs: learned}}
  w: {parents: [y], network: {kind: linear}}
  x: {parents: [y, w], network: {kind: linear}}
recognition:
  y: {parents: [x], network: {kind: linear}}
  w: {parents: [x, y], network: {kind: linear}}
objective: {alpha: 7, beta: {w: 3}}
"""
LATENT = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 4}
  y: {role: supervised, domain: count, min: 2, max: 4}
  z: {role: latent, domain: real, size: 2}
generative: {y: {}, z: {}, x: {parents: [y, z], network: {kind: linear}}}
recognition: {y: {parents: [x], network: {kind: linear}}, z: {parents: [x, y], network: {kind: linear}}}
"""
PLATE = """
graphspec: 1
plates: {items: {size: 3}}
variables:
  x: {role: observed, domain: real, plate: items}
  y: {role: supervised, domain: binary, plate: items}
generative: {y: {}, x: {parents: [y], network: {kind: linear}}}
recognition: {y: {parents: [x], network: {kind: linear}}}
"""


def model_of(text: str, *overrides: str) -> Model:
    model = Model(graphs_of(text, *overrides), dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)).double()
    return model


@torch.no_grad()
def test_without_other_unknowns_the_answer_is_bayes_rule() -> None:
    model = model_of(DISCRETE)
    rows = {"x": torch.tensor([[0, 1, 1], [1, 0, math.nan]]).double(), "w": torch.tensor([[1, 0], [0, 0]]).double()}
    answer = model.predict("y", rows, noise=Noise(0, 2), by="bound")
    joint = []
    for value in range(3):
        given = {**rows, "y": torch.full((2,), value)}
        joint.append(sum(model.log_prob("generative", given).values()))
    torch.testing.assert_close(answer, torch.stack(joint, -1).softmax(-1), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(answer, model.predict("y", rows, noise=Noise(0, 2)), atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("wide", [False, True])
def test_other_unknowns_are_in_the_bound(wide: bool) -> None:
    model = model_of(LATENT, *(["objective.samples=20"] if wide else []))
    rows = {"x": torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()}
    samples = 20 if wide else 1
    answer = model.predict("y", rows, samples=samples, noise=Noise(3, 5), by="bound")
    plain = ObjectiveWeights.at(model.graphs, None, math.inf).plain()
    bounds = []
    for value in (2, 3, 4):
        held = {**rows, "y": torch.full((5,), float(value)).double()}
        found = model.evaluate(held, weights=plain, noise=Noise(3, 5), samples=max(samples, 8))
        bounds.append(found.bound)
    torch.testing.assert_close(answer, torch.stack(bounds, -1).softmax(-1), rtol=1e-12, atol=1e-12)


@torch.no_grad()
@torch.no_grad()
def test_features_are_computed_once_for_all_values() -> None:
    text = LATENT.replace("  z: {role: latent", "  h: {role: deterministic}\n  z: {role: latent").replace(
        "recognition: {y: {parents: [x]",
        "recognition: {h: {parents: [x], network: {kind: mlp, hidden: [3]}}, y: {parents: [h]",
    )
    model = model_of(text)
    rows = {"x": torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()}
    noise, times = RowNoise(3, range(5)), list[int]()
    whole = model.compiled.given

    def counted(rows: Mapping[str, Tensor], context: Context, features: dict[str, Tensor] | None = None) -> Any:
        times.append(features is None)
        return whole(rows, context, features)

    model.compiled.given = counted  # type: ignore[method-assign]
    answer = model.predict("y", rows, noise=noise, by="bound")
    assert times == [True, False, False, False]
    plain = ObjectiveWeights.at(model.graphs, None, math.inf).plain()
    held = [{**rows, "y": torch.full((5,), value).double()} for value in (2, 3, 4)]
    bounds = [Evaluator(model.compiled, None, plain, LEAST_DRAWS, ()) for _ in held]
    alone = [each.evaluate(h, model.group(h), noise).bound for each, h in zip(bounds, held, strict=True)]
    torch.testing.assert_close(answer, torch.stack(alone, -1).softmax(-1), rtol=1e-12, atol=1e-12)


def test_both_is_the_mean_and_the_spec_is_followed() -> None:
    rows = {"x": torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()}
    answers = {}
    for way in ("recognition", "bound", "both"):
        model = model_of(LATENT, f"objective.answers.y={way}")
        answers[way] = model.predict("y", rows, noise=Noise(3, 5))
        assert torch.equal(answers[way], model_of(LATENT).predict("y", rows, noise=Noise(3, 5), by=way))
    torch.testing.assert_close(answers["both"], (answers["recognition"] + answers["bound"]) / 2)
    assert not torch.allclose(answers["bound"], answers["recognition"], atol=1e-3)


@torch.no_grad()
def test_elements_are_answered_each_by_itself() -> None:
    model = model_of(PLATE)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).double()
    answer = model.predict("y", {"x": x}, noise=Noise(0, 4), by="bound")
    assert answer.shape == (4, 3, 2)
    again = model.predict("y", {"x": x.flip(1)}, noise=Noise(0, 4), by="bound")
    torch.testing.assert_close(again.flip(1), answer)


@torch.no_grad()
def test_asking_moves_no_other_draw() -> None:
    model, x = model_of(LATENT), torch.zeros(3, 4).double()
    noise, untouched = Noise(5, 3), Noise(5, 3)
    model.predict("y", {"x": x}, noise=noise, by="bound")
    assert torch.equal(noise.normal("z", (), (2,), x.dtype), untouched.normal("z", (), (2,), x.dtype))


def test_a_report_compares_the_ways_and_counts_the_one_that_is_asked_for() -> None:
    model = model_of(LATENT, "objective.answers.y=both")
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)).double()
    rows = Rows({"x": x, "y": torch.arange(40).remainder(3).double() + 2}, torch.arange(40))
    whole = measure(model, rows, compared=True).report["variables"]["y"]
    assert whole["by"] == "both" and set(whole["answers"]) == {"recognition", "bound", "both"}
    for way, figures in whole["answers"].items():
        alone = measure(model, rows, by=way).report["variables"]["y"]
        assert alone["error"] == figures["error"] and alone["log_loss"] == pytest.approx(figures["log_loss"])
    assert whole["error"] == whole["answers"]["both"]["error"]
    assert len({figures["log_loss"] for figures in whole["answers"].values()}) == 3


@pytest.mark.parametrize(("size", "compared"), [(16, True), (17, False)])
def test_ways_are_compared_only_where_few_bounds_tell(size: int, compared: bool) -> None:
    """Two values of each of 17 elements are 34 bounds a batch; of 400 elements `evaluate` would take minutes."""
    model = model_of(PLATE.replace("size: 3", f"size: {size}"))
    rows = Rows({"x": torch.zeros(4, size).double(), "y": torch.arange(4 * size).reshape(4, size) % 2}, torch.arange(4))
    assert ("answers" in measure(model, rows, compared=True).report["variables"]["y"]) == compared


def test_what_the_bound_cannot_answer_is_said() -> None:
    text = LATENT.replace("count, min: 2, max: 4", "real")
    rows = Rows({"x": torch.zeros(4, 4).double(), "y": torch.zeros(4).double()}, torch.arange(4))
    report = measure(model_of(text), rows, by="bound").report
    assert [note for note in report["notes"] if "y is answered by recognition, not by bound" in note]
