"""What resumes: one file with raw weights, their average, the optimizer's tensors, and where training stood.

There is no generator state in it: every draw's seed follows from the spec's seed and the step's number.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
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
    """What `save_state` wrote, on the CPU. RunError if there is no such file or it cannot be read.

    Names and kinds are checked here, shapes by what takes the tensors (`load_weights`, `load_optimizer`, ...).
    """
    if not path.exists():
        raise RunError(f"there is nothing to resume in {path.parent.parent}: {path.name} is not there", _ELSEWHERE)
    tensors, texts = read_tensors(path)
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "optimizer": {}, "meter": {}}
    try:
        for name, tensor in tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = tensor
        return TrainState(
            position=_position(json.loads(texts["position"])),
            weights=groups["weights"],
            average=groups["average"],
            optimizer=_join_optimizer(groups["optimizer"], json.loads(texts["optimizer"])),
            meter=(groups["meter"], _meter_names(json.loads(texts["meter"]))),
            spec=texts["spec"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise not_a_state(path, str(error)) from None


_ELSEWHERE = "train without --resume, into another folder"


def not_a_state(path: Path, why: str) -> RunError:
    """What is at `path` cannot be resumed."""
    return RunError(f"{path} is not a training state ({why})", _ELSEWHERE)


def _position(plain: Mapping[str, Any]) -> Position:
    counts = {name: plain[name] for name in ("epoch", "batch", "step")}
    if any(type(count) is not int or count < 0 for count in counts.values()):
        raise ValueError(f"it stands at {counts}")
    return Position(**counts, seconds=float(plain["seconds"]), best=Best.from_json(plain["best"]))


def _meter_names(plain: Mapping[str, Any]) -> dict[str, list[str]]:
    names = {key: plain[key] for key in ("names", "samples")}
    if not all(isinstance(listed, list) and all(isinstance(n, str) for n in listed) for listed in names.values()):
        raise TypeError("its log has no names")
    return names


def load_optimizer(
    optimizer: Optimizer, saved: Mapping[int, Mapping[str, Any]], parameters: Sequence[Tensor], origin: Path
) -> None:
    """Give a freshly built optimizer the saved one's memory; its own settings stay.

    parameters: what it steps, by their places. RunError for memory of other parameters: kernels write where it is told.
    """
    for index, memory in saved.items():
        if not 0 <= index < len(parameters):
            raise not_a_state(origin, f"its optimizer has {index + 1} parameters or more, this one {len(parameters)}")
        for name, value in memory.items():
            _check_memory(index, name, value, parameters[index], origin)
    try:
        optimizer.load_state_dict({"state": saved, "param_groups": optimizer.state_dict()["param_groups"]})
    except (KeyError, TypeError, ValueError) as error:
        raise not_a_state(origin, f"its optimizer lacks {error}") from None


def _check_memory(index: int, name: str, value: Any, parameter: Tensor, origin: Path) -> None:
    """A count of steps is one float32 number, any other memory is like its parameter."""
    if not isinstance(value, Tensor):
        if name == "step" or isinstance(value, Mapping | list):
            raise not_a_state(origin, f"{name} of its optimizer's parameter {index} is no tensor")
        return
    shape, dtype = ((), torch.float32) if name == "step" else (tuple(parameter.shape), parameter.dtype)
    if (tuple(value.shape), value.dtype) != (shape, dtype):
        found, wanted = (
            f"{str(d).removeprefix('torch.')} {list(s)}" for s, d in ((value.shape, value.dtype), (shape, dtype))
        )
        raise not_a_state(origin, f"{name} of its optimizer's parameter {index} is {found}, not {wanted}")


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
