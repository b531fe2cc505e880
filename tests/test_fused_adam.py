"""Our Adam takes torch's steps bit for bit, and training brings in no compiler."""

import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

from graphspec.language import TrainingSection
from runtime.training.speed.fused_adam import FusedAdam
from runtime.training.step.optimizers import build_optimizer, set_learning_rate

KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def _parameters(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(7, 5), (3,), (), (4, 2, 3, 3)]
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def _gradients(parameters: list[nn.Parameter], step: int) -> None:
    """Some parameters have none in some steps; a transposed one is of another layout than its parameter."""
    generator = torch.Generator().manual_seed(step)
    for index, parameter in enumerate(parameters):
        gradient = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.grad = None if (step + index) % 3 == 0 else gradient
    if parameters[0].grad is not None:
        parameters[0].grad = torch.randn((5, 7), generator=generator, dtype=parameters[0].dtype).t()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_steps_are_torchs(name: str, weight_decay: float, dtype: torch.dtype) -> None:
    ours, theirs = _parameters(dtype), _parameters(dtype)
    training = TrainingSection(epochs=1, optimizer=name, weight_decay=weight_decay)
    mine = build_optimizer(training, ours)
    assert isinstance(mine, FusedAdam)
    other = KINDS[name](theirs, lr=0.0, weight_decay=weight_decay, fused=True)
    for step in range(12):
        for optimizer, parameters in ((mine, ours), (other, theirs)):
            set_learning_rate(optimizer, 0.01 * (step + 1))
            _gradients(parameters, step)
            optimizer.step()
            optimizer.zero_grad()
        assert all(parameter.grad is None for parameter in ours)
        for a, b in zip(ours, theirs, strict=True):
            assert torch.equal(a, b), f"step {step}"


@pytest.mark.parametrize("name", KINDS)
def test_memory_is_exchanged_with_torchs(name: str) -> None:
    """A run that torch's optimizer saved goes on with ours, bit for bit, and the other way round."""
    ours, theirs = _parameters(), _parameters()
    other = KINDS[name](theirs, lr=0.01, fused=True)
    for step in range(5):
        _gradients(theirs, step)
        other.step()
    for mine, his in zip(ours, theirs, strict=True):
        mine.data.copy_(his.data)
    mine = FusedAdam(ours, lr=0.01, weight_decay=other.param_groups[0]["weight_decay"], decoupled=name == "adamw")
    mine.load_state_dict(other.state_dict())
    again = KINDS[name](theirs, lr=0.01, fused=True)
    memory = deepcopy(mine.state_dict()["state"])
    again.load_state_dict({"state": memory, "param_groups": again.state_dict()["param_groups"]})
    for step in range(5, 10):
        for optimizer, parameters in ((mine, ours), (again, theirs)):
            _gradients(parameters, step)
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_nothing_to_update() -> None:
    parameters = _parameters()
    before = [parameter.detach().clone() for parameter in parameters]
    FusedAdam(parameters, lr=1.0, weight_decay=0.0, decoupled=False).step()
    assert all(torch.equal(a, b) for a, b in zip(parameters, before, strict=True))


def test_mixed_types_are_left_to_torch() -> None:
    mixed = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, dtype=torch.float64))]
    assert isinstance(build_optimizer(TrainingSection(epochs=1), mixed), torch.optim.Adam)


_TRAIN = """
import sys
from tiny_runs import train_tiny
from pathlib import Path
train_tiny(Path(sys.argv[1]), "training.epochs=1")
heavy = [name for name in ("torch._dynamo", "sympy", "torchvision", "sklearn", "matplotlib") if name in sys.modules]
assert not heavy, heavy
"""


def test_training_brings_in_nothing_it_does_not_use(tmp_path: Path) -> None:
    root = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root.parent)])},
    )
    assert done.returncode == 0, done.stderr
