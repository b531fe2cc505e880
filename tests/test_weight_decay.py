"""`weight_decay` of a network: half of it times its squared weights, once a step, in training and in emitted files."""

from typing import Any

import torch
from graph_specs import codes_in, graphs_of

from compiler.emission import emit
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.training.step.loss import Loss

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 4}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], network: {kind: linear}, parameters: {scale: {parents: [y], network: {kind: linear}}}}
recognition: {y: {parents: [x], network: q}, z: {parents: [x, y], network: {kind: mlp, hidden: [8]}}}
networks: {q: {kind: mlp, hidden: [4], normalization: layer}}
"""
DECAYED = ("networks.q.weight_decay=0.1", "generative.x.parameters.scale.network.weight_decay=0.3")


def loss_of(model: Model, rows: dict[str, torch.Tensor], processes: int = 1) -> torch.Tensor:
    weights = ObjectiveWeights.at(model.graphs, None, 0)
    loss, _ = Loss(model, processes)(rows, torch.full((6,), 1 / 6).double(), weights, Noise(0, 6))
    return loss


def rows() -> dict[str, torch.Tensor]:
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()
    return {"x": x, "y": torch.tensor([0, 1, 2, -1, -1, -1])}


def by_hand(model: Model) -> torch.Tensor:
    """Named weights of the two networks, and no others."""
    named = dict(model.named_parameters())
    of_y = [named[n] for n in named if "recognition--y" in n and n.endswith("weight") and "normalization" not in n]
    of_scale = [named[n] for n in named if "generative--x" in n and "to_scale.maps" in n]
    assert len(of_y) == 2 and len(of_scale) == 1
    return 0.05 * sum((w**2).sum() for w in of_y) + 0.15 * sum((w**2).sum() for w in of_scale)


def test_half_the_squared_weights_are_added_to_the_loss_once() -> None:
    plain = Model(graphs_of(SPEC), dtype=torch.float64)
    model = Model(graphs_of(SPEC, *DECAYED), dtype=torch.float64)
    for processes in (1, 2):
        more = loss_of(model, rows(), processes) - loss_of(plain, rows())
        torch.testing.assert_close(more, by_hand(model) / processes, rtol=1e-12, atol=1e-12)


def test_the_bound_knows_nothing_of_it() -> None:
    plain = Model(graphs_of(SPEC), dtype=torch.float64)
    model = Model(graphs_of(SPEC, *DECAYED), dtype=torch.float64)
    assert torch.equal(plain.bound(rows(), noise=Noise(0, 6)), model.bound(rows(), noise=Noise(0, 6)))


def test_an_emitted_file_adds_the_same() -> None:
    model = Model(graphs_of(SPEC, *DECAYED), dtype=torch.float64)
    space: dict[str, Any] = {"__name__": "emitted"}
    torch.set_default_dtype(torch.float64)
    try:
        exec(emit(graphs_of(SPEC, *DECAYED)), space)
        twin = space["Model"]()
        twin.load_state_dict(space["from_graphspec"](model.state_dict()))
        with_cost = space["loss"](twin, rows(), torch.Generator().manual_seed(0))
        space["WEIGHT_DECAY"] |= dict.fromkeys(space["WEIGHT_DECAY"], 0.0)
        without = space["loss"](twin, rows(), torch.Generator().manual_seed(0))
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(with_cost - without, by_hand(model), rtol=1e-12, atol=1e-12)


def test_what_has_no_weights_has_no_such_field() -> None:
    assert "GS010" in codes_in(SPEC.replace("{kind: linear}, parameters", "{kind: sum, weight_decay: 1}, parameters"))
    assert codes_in(SPEC, "networks.q.weight_decay=-1") != []
    assert load("a.yaml", text=SPEC).spec.networks
