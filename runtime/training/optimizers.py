"""The optimizer of a spec. Its learning rate is set anew before every step, so schedules need no state of their own."""

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from graphspec.schema import TrainingSection

_KINDS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


def build_optimizer(training: TrainingSection, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Torch's optimizer of that name with torch's own defaults; fused where torch offers it (one kernel a step)."""
    kind = _KINDS[training.optimizer]
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    options: dict[str, Any] = {"lr": 0.0, "weight_decay": training.weight_decay}
    if "fused" in inspect.signature(kind).parameters and all(p.is_floating_point() for p in trained):
        options["fused"] = True
    return kind(trained, **options)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The step size of every parameter from now on."""
    for group in optimizer.param_groups:
        group["lr"] = rate
