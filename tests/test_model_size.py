"""Weights are counted before anything is built, and a model that no memory holds is never built."""

import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compiler import compile_spec
from compiler.model.model import module_name
from graphspec.graphs.model_size import weights_by_factor
from graphspec.loading import load
from graphspec.rules import size_rules
from runtime.cli.app import app

BAD = Path(__file__).parent / "specs" / "bad" / "GS117-too-many-weights.yaml"
IMAGES = """
graphspec: 1
variables:
  x: {role: observed, domain: real, shape: [3, 13, 9]}
  z: {role: latent, domain: real, size: 4}
generative: {z: {}, x: {parents: [z], distribution: normal, network: GROWING}}
recognition: {z: {parents: [x], network: READING}}
"""
NETWORKS = (
    ("{kind: deconv, channels: [6, 5], kernel: 4, hidden: 7}", "{kind: cnn, channels: [3]}"),
    (
        "{kind: resnet, direction: up, channels: [6, 5], blocks: 1, hidden: 7}",
        "{kind: cnn, channels: [3, 4], hidden: 5}",
    ),
    ("{kind: resnet, direction: up, channels: [6, 5, 4], blocks: 3, kernel: 5}", "{kind: mlp, hidden: [8, 7]}"),
    ("{kind: linear}", "{kind: resnet, channels: [4, 8], blocks: 2}"),
)


@pytest.mark.parametrize(("growing", "reading"), NETWORKS)
def test_the_count_is_of_every_product(growing: str, reading: str) -> None:
    graphs = load("images.yaml", text=IMAGES.replace("GROWING", growing).replace("READING", reading))
    model = compile_spec(graphs)
    for key, counted in weights_by_factor(graphs).items():
        side, name = key.split(".")
        factor = graphs.factors(side)[name]  # type: ignore[arg-type]
        shapes = [p.shape for p in model.factors[module_name(factor)].parameters() if p.dim() > 1]
        assert counted == sum(map(math.prod, shapes)), (key, shapes)


@pytest.mark.parametrize("arguments", [["train"], ["compile"]])
def test_what_does_not_fit_is_refused_before_it_is_built(arguments: list[str], tmp_path: Path) -> None:
    spec = tmp_path / "large.yaml"
    spec.write_text(BAD.read_text() + "data: {source: ./rows.npz, variables: {x: x}}\n")
    result = CliRunner().invoke(app, [*arguments, str(spec)])
    assert result.exit_code == 1 and "e+12 weights" in result.stderr and "GiB" in result.stderr, result.output
    assert CliRunner().invoke(app, ["check", str(BAD)]).exit_code == 0


def test_a_machine_that_does_not_tell_its_memory_warns_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_rules, "machine_memory", lambda: math.inf)
    assert size_rules.too_large(load(BAD)) is None
