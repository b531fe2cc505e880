"""What labels weigh beside their rows: sums by hand, the warning's border, what `explain` prints."""

import json
import math
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from compiler import compile_spec
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_text
from graphspec.describe.label_shares import stakes
from graphspec.graphs.graph import Graphs
from graphspec.loading import load
from runtime.cli.app import app

SPEC = """\
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [3, 32, 32]}
  y: {role: supervised, domain: category, classes: 10}
  z: {role: latent, domain: real, size: 2}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], distribution: discretized_logistic, network: {kind: linear}}
recognition: {y: {parents: [x], network: {kind: linear}}, z: {parents: [x, y], network: {kind: linear}}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path / "spec.yaml"


def graphs_of(path: Path, *overrides: str) -> Graphs:
    return load(path, overrides)


def test_bytes_of_a_colour_image_against_fifty_labels(path: Path) -> None:
    (stake,) = stakes(graphs_of(path))
    assert stake.weighed == pytest.approx(50 * math.log(10)) and stake.observed == ("x",)
    assert stake.data == pytest.approx(3072 * math.log(256))
    assert stake.share == pytest.approx(stake.weighed / (stake.weighed + stake.data))
    (fewer,) = stakes(graphs_of(path, "generative.x.distribution={kind: discretized_logistic, levels: 8}"))
    assert fewer.data == pytest.approx(3072 * math.log(8))


@pytest.mark.parametrize(
    ("overrides", "alpha"),
    [
        (["objective.alpha=25/rho"], 50),
        (["objective.alpha=25/rho", "objective.rho=0.1"], 250),
        (["objective.alpha={y: 7}"], 7),
        (["objective.alpha={from: 900, to: 3, epochs: 2}"], 900),
        (["objective.alpha={from: 3, to: 900, epochs: 2}"], 900),
    ],
)
def test_alpha_as_it_is_written(path: Path, overrides: list[str], alpha: float) -> None:
    assert stakes(graphs_of(path, *overrides))[0].alpha == pytest.approx(alpha)


def test_nothing_is_said_where_it_depends_on_the_data_or_p_models_nothing(path: Path) -> None:
    assert stakes(graphs_of(path, "objective.alpha=25/rho", "objective.gamma=1")) == ()
    assert stakes(graphs_of(path, "generative.x=null", "generative.y.parents=[x]", "generative.z.parents=[x]")) == ()


def test_an_element_costs_something_however_sure_its_density_is(path: Path) -> None:
    """A normal as wide as a photograph's spread costs 0.2 nats an element, and counts as half a nat."""
    normal = "generative.x={{parents: [y, z], distribution: normal, parameters: {{scale: {}}}}}"
    narrow, wide = (stakes(graphs_of(path, normal.format(scale)))[0].data for scale in (0.3, 1.0))
    assert narrow == pytest.approx(3072 * 0.5)
    assert wide == pytest.approx(3072 * (0.5 * 0.3**2 + 0.5 * math.log(2 * math.pi)))


@pytest.mark.parametrize(
    "factor",
    [
        "{distribution: bernoulli}",
        "{distribution: discretized_logistic}",
        "{distribution: normal, parameters: {scale: 0.2}}",
        "{distribution: laplace, parameters: {scale: {learned: channel, initial: 0.1}}}",
        "{distribution: normal}",
        "{distribution: student_t}",
    ],
)
def test_the_estimate_is_near_what_an_untrained_model_pays_for_a_photograph(path: Path, factor: str) -> None:
    """Grey levels around the middle with a photograph's spread; within a factor of two, which is all it claims."""
    graphs = graphs_of(path, f"generative.x={factor}", "generative.x.parents=[y, z]", "objective.alpha=5000")
    model = compile_spec(graphs)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.zeros_(parameter)
    generator = torch.Generator().manual_seed(0)
    x = (0.3 * torch.randn(40, 3, 32, 32, generator=generator)).abs().clamp(0, 1)
    if "discretized" in factor or "bernoulli" in factor:
        x = (0.5 + 0.25 * torch.randn(40, 3, 32, 32, generator=generator)).clamp(0, 1)
    values = {"x": x, "y": torch.zeros(40, dtype=torch.long), "z": torch.zeros(40, 2)}
    paid = -model.log_prob("generative", values)["x"].mean().item()
    assert 0.5 < stakes(graphs)[0].data / max(paid, 0.5 * 3072) < 2


def test_the_border_of_the_warning(path: Path) -> None:
    nats = 3072 * math.log(256)
    border = 0.02 / 0.98 * nats / math.log(10)
    below, above = (graphs_of(path, f"objective.alpha={border * by}") for by in (0.99, 1.01))
    assert [d.code for d in below.warnings] == ["GS116"] and not above.warnings
    assert "2.0 %" in below.warnings[0].message
    small = [f"objective.alpha={border * 0.1}", "variables.x.shape=[1, 23, 23]"]
    assert not graphs_of(path, *small).warnings, "529 bytes are less than 3000 nats"
    large = [f"objective.alpha={border * 0.1}", "variables.x.shape=[1, 24, 24]"]
    assert [d.code for d in graphs_of(path, *large).warnings] == ["GS116"]


def test_the_hint_gives_a_tenth_and_allow_silences(path: Path) -> None:
    (warning,) = graphs_of(path).warnings
    alpha = float(warning.hint.split()[1])
    assert stakes(graphs_of(path, f"objective.alpha={alpha}"))[0].share == pytest.approx(0.1, abs=0.01)
    assert not graphs_of(path, "variables.y.allow=[GS116]").warnings
    assert not graphs_of(path, "objective.alpha=0").warnings


def test_explain_says_it(path: Path) -> None:
    explanation = explain(graphs_of(path, "objective.alpha=3000"))
    line = "labels    α 3000 × 2.30 nats of y = 6908 nats beside about 17035 of x at the start: 29 % of a labelled row"
    assert line in as_text(explanation)
    (found,) = as_json(explanation)["labels_at_the_start"]
    assert found["variable"] == "y" and found["share"] == pytest.approx(0.2885, abs=1e-4)
    shown = CliRunner().invoke(app, ["explain", str(path), "--format", "json"])
    assert json.loads(shown.stdout)["labels_at_the_start"][0]["alpha"] == 50
    assert "0.67 %" in as_text(explain(graphs_of(path)))
