"""`learning_rate_factor` of a network: its weights move at another rate, in training, resumed and in emitted files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from graph_specs import codes_in, graphs_of
from tiny_runs import train_tiny, write_tiny

from compiler.emission import emit
from compiler.model.model import Model
from compiler.model.training_of_networks import rate_factors
from graphspec.language import TrainingSection
from runtime.runs.checkpoints import read_weights
from runtime.training.step.optimizers import build_optimizer, set_learning_rate, trained_by

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 4}
  y: {role: latent, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], network: {kind: linear}, parameters: {scale: {parents: [y], network: {kind: linear}}}}
recognition: {y: {parents: [x], network: q}, z: {parents: [x, y], network: {kind: mlp, hidden: [8]}}}
networks: {q: {kind: mlp, hidden: [4]}}
training: {epochs: 1, learning_rate: 0.01}
"""
FASTER = ("networks.q.learning_rate_factor=10", "generative.x.parameters.scale.network.learning_rate_factor=0.5")


def factor_of(name: str) -> float:
    return 10 if "recognition--y" in name else 0.5 if "generative--x" in name and "to_scale" in name else 1


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd", "rmsprop"])
def test_weights_move_at_their_own_rate(kind: str) -> None:
    """Beside an optimizer of torch's own for each rate."""
    training = TrainingSection(epochs=1, optimizer=kind, weight_decay=0.1)
    mine, theirs = (Model(graphs_of(SPEC, *FASTER), dtype=torch.float64) for _ in range(2))
    assert set(rate_factors(mine).values()) == {10, 0.5}
    optimizer = build_optimizer(training, mine.parameters(), rate_factors(mine))
    assert {id(p) for p in trained_by(optimizer)} == {id(p) for p in mine.parameters()}
    torchs = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }
    others = [torchs[kind]([p], lr=0.01 * factor_of(n), weight_decay=0.1) for n, p in theirs.named_parameters()]
    for step in range(3):
        for model in (mine, theirs):
            generator = torch.Generator().manual_seed(step)
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        set_learning_rate(optimizer, 0.01)
        optimizer.step()
        for other in others:
            other.step()
    for (name, one), other in zip(mine.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14, msg=name)


@pytest.mark.parametrize("rate", ["0.01", "{from: 0.01, to: 0.001, epochs: 1}"])
def test_emitted_files_train_alike(rate: str) -> None:
    graphs = graphs_of(SPEC, *FASTER, f"training.learning_rate={rate}", "training.batch_size=8")
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(emit(graphs), space)
    model, made = space["Model"](), []
    kind = torch.optim.Adam
    space["torch"].optim.Adam, before = (lambda groups, **more: made.append(kind(groups, **more)) or made[0]), kind
    try:
        space["train"](model, space["random_rows"](16, torch.Generator().manual_seed(0)), torch.Generator())
    finally:
        space["torch"].optim.Adam = before
    names = {id(p): name for name, p in model.named_parameters()}
    (optimizer,) = made
    moved = {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(moved) == len(names)
    for name, lr in moved.items():
        wanted = 10 if name.startswith("q_y") else 0.5 if name.startswith("p_x") and "scale" in name else 1
        assert lr == pytest.approx(0.01 * wanted), name


def test_a_stopped_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    faster = "recognition.y.network={kind: mlp, hidden: [5], learning_rate_factor: 4}"
    whole = train_tiny(tmp_path, faster, "training.epochs=2", out="whole")
    train_tiny(tmp_path, faster, "training.epochs=1", out="parts")
    parts = train_tiny(tmp_path, faster, "training.epochs=2", out="parts", resume=True, seed=5)
    plain = train_tiny(tmp_path, faster.replace(": 4}", ": 1}"), "training.epochs=2", out="plain")
    one, other, slow = (read_weights(run.last_file).weights for run in (whole, parts, plain))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not all(torch.equal(one[name], slow[name]) for name in one)


def test_a_factor_is_positive_and_of_a_network_with_weights() -> None:
    assert codes_in(SPEC, "networks.q.learning_rate_factor=0") != []
    assert "GS010" in codes_in(
        SPEC.replace("{kind: linear}, parameters", "{kind: sum, learning_rate_factor: 2}, parameters")
    )
