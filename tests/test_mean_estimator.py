"""`estimators: {v: mean}`: q's mean stands for a draw, and is scored linearly."""

from itertools import product
from pathlib import Path

import pytest
import torch
from test_plates import gradients, model_of
from typer.testing import CliRunner

from compiler.emission import emit
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise
from graphspec.loading import check_graphs, load
from runtime.cli.app import app

DOUBLE = torch.float64
SPEC = """\
graphspec: 1
variables:
  x: {role: observed, size: 3}
  c: {role: ROLE, domain: DOMAIN, size: 2}
  z: {role: latent, size: 2}
generative:
  z: {}
  c: {parents: [z], distribution: bernoulli}
  x: {parents: [c]}
recognition:
  c: {parents: [x], distribution: bernoulli}
  z: {parents: [c, x]}
networks: {default: {kind: mlp, hidden: [4], activation: tanh}}
objective: {estimators: {c: mean}}
"""
CASES = [(role, domain) for role in ("latent", "supervised") for domain in ("unit", "binary")]


def spec(role: str = "latent", domain: str = "unit") -> str:
    return SPEC.replace("ROLE", role).replace("DOMAIN", domain)


def logits_of(model, side, name, values):
    module = model.factors[f"{side}--{name}"]
    return module({n: values[n] for n in module.reads}, Layout(1, Noise(0, len(values["x"]))))[0]


def alone(text: str) -> str:
    """Without z: nothing is drawn."""
    for part in ("  z: {}\n", "  z: {parents: [c, x]}\n", "  z: {role: latent, size: 2}\n"):
        text = text.replace(part, "")
    return text.replace("c: {parents: [z], dist", "c: {dist")


@pytest.mark.parametrize(("role", "domain"), CASES)
def test_densities_are_exact_expectations_and_readers_get_the_mean(role: str, domain: str) -> None:
    """log p(x | m) + E log p(c) + entropy of q(c | x) at m = E_q c, the expectations summed over all four values."""
    model = model_of(alone(spec(role, domain)).replace("c: {dist", "c: {parameters: {logits: learned}, dist", 1))
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    rows = {"x": x} | ({"c": torch.full((4, 2), torch.nan, dtype=DOUBLE)} if role == "supervised" else {})
    m = torch.sigmoid(logits_of(model, "recognition", "c", {"x": x}))
    expected = model.log_prob("generative", {"x": x, "c": m})["x"]
    for corner in product((0.0, 1.0), repeat=2):
        c = torch.tensor(corner, dtype=DOUBLE).expand(4, 2)
        log_p, log_q = (model.log_prob(side, {"x": x, "c": c})["c"] for side in ("generative", "recognition"))
        expected = expected + log_q.exp() * (log_p - log_q)
    found = model.bound(rows)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(gradients(found.sum(), model), gradients(expected.sum(), model), atol=1e-9, rtol=1e-9)


def test_a_label_takes_the_place_of_the_mean() -> None:
    """By element: one label of two."""
    model = model_of(alone(spec("supervised", "binary")).replace("{c: mean}", "{c: mean}, alpha: 3"))
    x = torch.randn(2, 3, dtype=DOUBLE)
    label = torch.tensor([[1.0, torch.nan], [1.0, 0.0]], dtype=DOUBLE)
    m = torch.sigmoid(logits_of(model, "recognition", "c", {"x": x}))
    mixed = torch.where(label.isnan(), m, label)
    each = torch.where(label.isnan(), -m * m.log() - (1 - m) * (1 - m).log(), 0.0).sum(-1)
    told = 3 * torch.where(label.isnan(), 0.0, torch.where(label == 1, m, 1 - m).log()).sum(-1)
    half = 2 * torch.log(torch.tensor(0.5, dtype=DOUBLE))
    expected = model.log_prob("generative", {"x": x, "c": mixed})["x"] + half + each + told
    torch.testing.assert_close(model.bound({"x": x, "c": label}), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize(("role", "domain"), CASES)
def test_the_emitted_file_agrees(role: str, domain: str) -> None:
    assert "torch.sigmoid" in emit(load("-", text=spec(role, domain)))


def test_no_draw_is_made() -> None:
    model = model_of(alone(spec()))
    x = torch.randn(4, 3, dtype=DOUBLE)
    assert torch.equal(model.bound({"x": x}), model.bound({"x": x}))


def test_explain_says_that_it_is_no_bound(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(spec(), encoding="utf-8")
    told = CliRunner().invoke(app, ["explain", str(tmp_path / "spec.yaml")])
    assert told.exit_code == 0 and "no bound any more" in " ".join(told.output.split()), told.output


@pytest.mark.parametrize("change", [("c: {parents: [x], distribution: bernoulli}", "c: {parents: [x], distribution: beta}"),
                                    ("c: {parents: [z], distribution: bernoulli}", "c: {parents: [z], distribution: beta}")])  # fmt: skip
def test_other_families_have_no_such_estimator(change: tuple[str, str]) -> None:
    _, found = check_graphs("-", text=spec().replace(*change))
    assert [each.code for each in found if each.severity == "error"] == ["GS071"]
