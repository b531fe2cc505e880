"""The optimizer of a spec. Its learning rate is set anew before every step, so schedules need no state of their own."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from graphspec.language import TrainingSection
from runtime.training.speed.fused_adam import FusedAdam


class Optimizer(Protocol):
    """What training asks of an optimizer: torch's have it."""

    param_groups: list[dict[str, Any]]

    def step(self) -> Any:
        """One update."""

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def state_dict(self) -> dict[str, Any]:
        """{"state": {place of a parameter: {name: tensor or number}}, "param_groups": ...}."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What `state_dict` gave."""


def build_optimizer(
    training: TrainingSection, parameters: Iterable[nn.Parameter], factors: Mapping[nn.Parameter, float] | None = None
) -> Optimizer:
    """The optimizer of that name with torch's own defaults; fused where torch offers it (one kernel a step).

    factors: of parameters that move another number of times the learning rate.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = _groups(trained, factors or {})
    if training.optimizer in ("adam", "adamw") and _one_kind(trained):
        return FusedAdam(groups, lr=0.0, weight_decay=training.weight_decay, decoupled=training.optimizer == "adamw")
    kind = _torchs_own(training.optimizer)
    options: dict[str, Any] = {"lr": 0.0, "weight_decay": training.weight_decay}
    if "fused" in inspect.signature(kind).parameters and all(p.is_floating_point() for p in trained):
        options["fused"] = True
    return kind(groups, **options)


def _groups(trained: Sequence[nn.Parameter], factors: Mapping[nn.Parameter, float]) -> list[dict[str, Any]]:
    """In their order, those of one factor together."""
    by_factor: dict[float, list[nn.Parameter]] = {}
    for parameter in trained:
        by_factor.setdefault(factors.get(parameter, 1.0), []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in by_factor.items()]


def trained_by(optimizer: Optimizer) -> list[nn.Parameter]:
    """What it trains, in the order in which its state counts."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _torchs_own(name: str) -> type[torch.optim.Optimizer]:
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }
    return kinds[name]


def _one_kind(parameters: Sequence[nn.Parameter]) -> bool:
    """All stand on one device in one floating type, as the fused kernel wants them."""
    return len({(p.device, p.dtype, p.is_floating_point()) for p in parameters}) == 1 and all(
        p.is_floating_point() for p in parameters
    )


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """The step size of every parameter from now on, times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
