"""The cost model against torch's own count of the products that a forward pass makes."""

import math
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from compiler import compile_spec
from compiler.kernels import products
from compiler.symbolic.cost import program_cost
from compiler.symbolic.lowering import lower
from compiler.symbolic.program import Pattern
from graphspec.graphs.graph import Graphs, Variable
from graphspec.loading import load

SPECS = ("digits", "mnist-m2", "mnist-m2-conv", "mnist-paper-conv", "adgm", "m1m2", "svhn", "ladder", "two-labels")
ROWS = 6
IMAGES = """
graphspec: 1
variables:
  x: {role: observed, domain: real, shape: [3, 13, 9]}
  z: {role: latent, domain: real, size: 4}
generative: {z: {}, x: {parents: [z], distribution: normal, network: NETWORK}}
recognition: {z: {parents: [x], network: {kind: cnn, channels: [3]}}}
"""
GROWING = (
    "{kind: deconv, channels: [6, 5], kernel: 4, hidden: 7}",
    "{kind: deconv, channels: [6, 5], kernel: 6, stride: 3}",
    "{kind: resnet, direction: up, channels: [6, 5], blocks: 1, hidden: 7}",
    "{kind: resnet, direction: up, channels: [6, 5, 4], blocks: 3, kernel: 5}",
)


@pytest.fixture(autouse=True)
def torchs_own_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch does not count what goes straight to oneDNN."""
    monkeypatch.setattr(products, "onednn_is_faster", lambda: False)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("labelled", [False, True])
def test_multiply_adds_are_torchs_own_count(name: str, labelled: bool) -> None:
    graphs = load(Path("specs") / f"{name}.yaml")
    pattern = Pattern(graphs.supervised if labelled else ())
    rows = {v.name: _values(v, graphs, labelled) for v in graphs.variables.values() if _in_data(v)}
    model = compile_spec(graphs)
    with FlopCounterMode(display=False) as counter:
        model.bound(rows)
    assert counter.get_total_flops() == 2 * ROWS * program_cost(lower(graphs, pattern)).multiply_adds


@pytest.mark.parametrize("network", GROWING)
def test_networks_that_grow_an_image_with_two_heads(network: str) -> None:
    graphs = load("images.yaml", text=IMAGES.replace("NETWORK", network))
    model = compile_spec(graphs)
    with FlopCounterMode(display=False) as counter:
        model.bound({"x": torch.zeros(ROWS, 3, 13, 9)})
    assert counter.get_total_flops() == 2 * ROWS * program_cost(lower(graphs, Pattern(()))).multiply_adds


@pytest.mark.parametrize("blocks", [1, 2])
def test_residual_blocks_that_read(blocks: int) -> None:
    reader = f"{{kind: resnet, channels: [5, 4], blocks: {blocks}, hidden: 6}}"
    graphs = load(
        "images.yaml",
        text=IMAGES.replace("NETWORK", "{kind: mlp, hidden: 5}").replace("{kind: cnn, channels: [3]}", reader),
    )
    with FlopCounterMode(display=False) as counter:
        compile_spec(graphs).bound({"x": torch.zeros(ROWS, 3, 13, 9)})
    assert counter.get_total_flops() == 2 * ROWS * program_cost(lower(graphs, Pattern(()))).multiply_adds


def test_a_feature_without_a_size_has_no_head() -> None:
    """The value is the last hidden layer: 64 -> 30, then two heads on it."""
    graphs = load("specs/digits.yaml", ["recognition.h.network={kind: mlp, hidden: [30]}"])
    sized = load(
        "specs/digits.yaml",
        [
            "recognition.h.network={kind: mlp, hidden: [30]}",
            "variables.h={role: deterministic, domain: real, size: 30}",
        ],
    )
    free, paid = (program_cost(lower(g, Pattern(()))) for g in (graphs, sized))
    assert paid.multiply_adds - free.multiply_adds == 30 * 30


def _in_data(variable: Variable) -> bool:
    return variable.role in ("observed", "supervised")


def _values(variable: Variable, graphs: Graphs, labelled: bool) -> torch.Tensor:
    """Rows of zeros; blanks where the pattern has no labels."""
    blank = variable.name in graphs.supervised and not labelled
    whole = variable.domain in ("category", "integer", "binary")
    if whole:
        return torch.full((ROWS, *variable.shape), -1 if blank else 0)
    return torch.full((ROWS, *variable.shape), math.nan if blank else 0.0)
