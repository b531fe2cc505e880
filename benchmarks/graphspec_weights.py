"""The hand-written twins' weights in a compiled model: its first layers hold one matrix per parent, theirs one matrix
for the concatenation; its heads are one per parameter, theirs one for all."""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from benchmarks.settings import SCALE_FLOOR
from compiler.model.model import Model

SHIFT = math.log(math.expm1(1 - SCALE_FLOOR))
"""graphspec's scale is softplus(head + SHIFT) + floor, so that a head of zeros gives scale one."""

NETWORKS = {
    "q_a": ("recognition--a", ("x",), ("loc", "scale")),
    "q_y": ("recognition--y", ("a", "h", "x"), ("logits",)),
    "q_z": ("recognition--z", ("a", "h", "x", "y"), ("loc", "scale")),
    "p_x": ("generative--x", ("y", "z"), ("logits",)),
    "p_a": ("generative--a", ("x", "y", "z"), ("loc", "scale")),
    "q_diagnosis": ("recognition--diagnosis", ("h",), ("logits",)),
    "q_condition": ("recognition--condition", ("h", "diagnosis"), ("loc", "scale")),
    "p_diagnosis": ("generative--diagnosis", ("age", "condition"), ("logits",)),
    "p_labs": ("generative--labs", ("diagnosis", "condition"), ("loc",)),
    "p_glucose": ("generative--glucose", ("diagnosis", "condition"), ("loc", "scale")),
    "p_visits": ("generative--visits", ("diagnosis", "condition"), ("rate",)),
    "p_smoker": ("generative--smoker", ("condition",), ("logits",)),
    "p_site": ("generative--site", ("diagnosis", "condition"), ("logits",)),
}
"""By the twin's name: the factor, the parents in the order of the twin's concatenation (those that there are), and the
parameters in the order of the twin's head."""

TRUNK = "factors.recognition--h.network"
TRUNK_LAYERS = {
    "0": {"weight": "first.convolutions.from_x.weight", "bias": "first.others.bias"},
    "1": {kind: f"between.0.normalization.{kind}" for kind in ("weight", "bias")},
    "3": {"weight": "convolutions.0.weight", "bias": "convolutions.0.bias"},
    "4": {kind: f"between.1.normalization.{kind}" for kind in ("weight", "bias")},
    "7": {"weight": "readout.first.weight", "bias": "readout.first.bias"},
    "8": {kind: f"readout.hidden.between.0.normalization.{kind}" for kind in ("weight", "bias")},
}
"""The convolutional twin's trunk: place in its nn.Sequential to names in the model."""

CELLS = (
    *("age", "labs", "glucose", "visits", "smoker", "site"),
    *("labs present", "glucose present", "visits present", "smoker present", "site present"),
)
"""What the table's features read, in the order of the twin's concatenation."""
SHIFTED = ("scale", "rate")
"""Parameters that are a shifted softplus."""

Piece = tuple[str, Tensor]


def fill(model: Model, weights: Mapping[str, Tensor], *, turned: bool = False) -> None:
    """Copy a twin's `state_dict` into the model. AssertionError where a weight of either is left over.

    turned: everything that has pixels is turned by 180 degrees (see `Setting.turned`). Running averages are left alone:
    the loss of a training step does not read them.
    """
    own = dict(model.named_parameters())
    pieces = dict(_pieces(own, weights, turned))
    assert set(pieces) == set(own), f"not the same weights: {sorted(set(pieces) ^ set(own))}"
    given = sum(value.numel() for name, value in weights.items() if name.endswith(("weight", "bias", "raw_scale")))
    assert sum(value.numel() for value in own.values()) == given, "the twin has another number of weights"
    for name, values in pieces.items():
        _copy(own[name], values)


def _pieces(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], turned: bool) -> Iterator[Piece]:
    """Every weight of the model with its values from the twin."""
    for twin, (factor, parents, outputs) in NETWORKS.items():
        layers = sorted({int(name.split(".")[1]) for name in weights if name.startswith(f"{twin}.")})
        at = f"factors.{factor}.sources.{2 if twin == 'p_labs' else 0}.network"
        for depth, layer in enumerate(layers):
            weight, bias = weights[f"{twin}.{layer}.weight"], weights[f"{twin}.{layer}.bias"]
            last = layer == layers[-1]
            if turned and twin == "p_x" and last:
                weight, bias = weight.flip(0), bias.flip(0)
            if depth == 0 and last:
                yield from _linear(own, f"{at}.heads", parents, outputs, weight, bias)
            elif depth == 0:
                yield from _first(own, f"{at}.first", parents, weight, bias)
            elif last:
                yield from _heads(own, f"{at}.heads.heads", outputs, weight, bias)
            else:
                yield f"{at}.hidden.dense.{depth - 1}.weight", weight
                yield f"{at}.hidden.dense.{depth - 1}.bias", bias
    if "trunk.0.weight" in weights:
        yield from _trunk(weights, turned)
    if "raw_scale" in weights:
        yield from _table(own, weights)


def _first(
    own: Mapping[str, Tensor], at: str, parents: tuple[str, ...], weight: Tensor, bias: Tensor
) -> Iterator[Piece]:
    """One matrix per parent."""
    names = [f"{at}.maps.from_{parent}.weight" for parent in parents if f"{at}.maps.from_{parent}.weight" in own]
    yield from zip(names, weight.split([own[name].shape[1] for name in names], dim=1), strict=True)
    yield f"{at}.bias", bias


def _heads(
    own: Mapping[str, Tensor], at: str, outputs: tuple[str, ...], weight: Tensor, bias: Tensor
) -> Iterator[Piece]:
    """One matrix per parameter of the distribution."""
    for output, rows, constant in _by_output(own, at, outputs, weight, bias):
        yield f"{at}.to_{output}.weight", rows
        yield f"{at}.to_{output}.bias", constant


def _linear(
    own: Mapping[str, Tensor],
    at: str,
    parents: tuple[str, ...],
    outputs: tuple[str, ...],
    weight: Tensor,
    bias: Tensor,
) -> Iterator[Piece]:
    """One matrix per parameter and parent."""
    for output, rows, constant in _by_output(own, at, outputs, weight, bias):
        yield from _first(own, f"{at}.to_{output}", parents, rows, constant)


def _by_output(
    own: Mapping[str, Tensor], at: str, outputs: tuple[str, ...], weight: Tensor, bias: Tensor
) -> Iterator[tuple[str, Tensor, Tensor]]:
    sizes = [own[f"{at}.to_{output}.bias"].shape[0] for output in outputs]
    for output, rows, constant in zip(outputs, weight.split(sizes), bias.split(sizes), strict=True):
        yield output, rows, constant - SHIFT if output in SHIFTED else constant


def _trunk(weights: Mapping[str, Tensor], turned: bool) -> Iterator[Piece]:
    for layer, names in TRUNK_LAYERS.items():
        for kind, name in names.items():
            values = weights[f"trunk.{layer}.{kind}"]
            if turned and values.dim() == 4:
                values = values.flip(2, 3)
            if turned and name == "readout.first.weight":  # [units, channels * pixels]
                values = values.unflatten(1, (-1, 7 * 7)).flip(2).flatten(1)
            yield f"{TRUNK}.{name}", values


def _table(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Iterator[Piece]:
    at = "factors.recognition--h.network"
    yield from _first(own, f"{at}.first", CELLS, weights["h.0.weight"], weights["h.0.bias"])
    yield from ((f"{at}.hidden.dense.0.{kind}", weights[f"h.1.{kind}"]) for kind in ("weight", "bias"))
    yield "factors.generative--labs.sources.1.learned.raw", weights["raw_scale"]


@torch.no_grad()
def _copy(parameter: Tensor, values: Tensor) -> None:
    assert parameter.shape == values.shape, f"{list(parameter.shape)} is not {list(values.shape)}"
    parameter.copy_(values)
