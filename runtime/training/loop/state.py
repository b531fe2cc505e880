"""What resumes: one file with raw weights, their average, the optimizer's tensors, and where training stood.

There is no generator state in it: every draw's seed follows from the spec's seed and the step's number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from runtime.errors import RunError
from runtime.runs.checkpoints import read_tensors, write_tensors
from runtime.training.loop.selection import Best
from runtime.training.step.optimizers import Optimizer


@dataclass(frozen=True)
class Position:
    """epoch: epochs finished; batch: steps done of the next one; step: steps in all; seconds: spent training."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: Best = field(default_factory=Best)


@dataclass(frozen=True)
class TrainState:
    """Everything a training is, between two steps. `average` is empty without ema; `meter` is the open epoch's log."""

    position: Position
    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Mapping[int, Mapping[str, Any]]
    meter: tuple[Mapping[str, Tensor], Mapping[str, Any]]
    spec: str


def save_state(path: Path, state: TrainState) -> None:
    """Write the state; a kill during this leaves the earlier one."""
    numbers, plain = _split_optimizer(state.optimizer)
    meter, meter_plain = state.meter
    groups = {"weights": state.weights, "average": state.average, "optimizer": numbers, "meter": meter}
    tensors = {f"{group}/{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
    position = state.position
    texts = {
        "spec": state.spec,
        "meter": json.dumps(meter_plain),
        "optimizer": json.dumps(plain),
        "position": json.dumps({**vars(position), "best": position.best.to_json()}),
    }
    write_tensors(path, tensors, texts)


def read_state(path: Path) -> TrainState:
    """What `save_state` wrote, on the CPU. RunError if there is no such file or it cannot be read."""
    if not path.exists():
        raise RunError(
            f"there is nothing to resume in {path.parent.parent}: {path.name} is not there",
            "train without --resume, into another folder",
        )
    tensors, texts = read_tensors(path)
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "optimizer": {}, "meter": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups[group][rest] = tensor
    try:
        position = json.loads(texts["position"])
        return TrainState(
            position=Position(**{**position, "best": Best.from_json(position["best"])}),
            weights=groups["weights"],
            average=groups["average"],
            optimizer=_join_optimizer(groups["optimizer"], json.loads(texts["optimizer"])),
            meter=(groups["meter"], json.loads(texts["meter"])),
            spec=texts["spec"],
        )
    except (KeyError, TypeError, ValueError) as error:
        hint = "train without --resume, into another folder"
        raise RunError(f"{path} is not a training state ({error})", hint) from None


def load_optimizer(optimizer: Optimizer, saved: Mapping[int, Mapping[str, Any]]) -> None:
    """Give a freshly built optimizer the saved one's memory; its own settings stay."""
    optimizer.load_state_dict({"state": saved, "param_groups": optimizer.state_dict()["param_groups"]})


def _split_optimizer(memory: Mapping[int, Mapping[str, Any]]) -> tuple[dict[str, Tensor], dict[str, dict[str, Any]]]:
    """{parameter index: {name: tensor or plain value}} as tensors by `index/name`, and the plain rest."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for index, values in memory.items():
        plain[str(index)] = {name: value for name, value in values.items() if not isinstance(value, Tensor)}
        tensors |= {f"{index}/{name}": value for name, value in values.items() if isinstance(value, Tensor)}
    return tensors, plain


def _join_optimizer(tensors: Mapping[str, Tensor], plain: Mapping[str, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    memory: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in plain.items()}
    for key, tensor in tensors.items():
        index, _, name = key.partition("/")
        memory[int(index)][name] = tensor
    return memory
