"""Numbers that are none: where training stops before it saves them."""

import math
from pathlib import Path

from torch import nn

from runtime.errors import RunError
from runtime.training.step.step_metrics import StepInfo


def refuse_broken(info: StepInfo, epoch: int, folder: Path) -> None:
    """RunError naming the terms at fault if the open epoch's objective is not a number. epoch: the last whole one."""
    if info.broken:
        kind = "infinite" if math.isinf(info.loss) else "not a number"
        terms = f" in {', '.join(info.culprits)}" if info.culprits else ""
        raise _diverged(f"the objective became {kind}{terms}", epoch, folder)


def check_weights(model: nn.Module, epoch: int, folder: Path) -> None:
    """RunError naming a factor whose weights are not numbers: its gradient shows in the loss one step later only."""
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            factor = name.split(".")[1].replace("--", ".")
            raise _diverged(f"weights of factor {factor} became not a number (its gradient did)", epoch, folder)


def _diverged(what: str, kept: int, folder: Path) -> RunError:
    return RunError(
        f"{what}, in epoch {kept + 1}",
        "try a lower training.learning_rate or training.gradient_clip: 5, and look at the data's range; "
        + (f"epoch {kept} is kept in {folder}" if kept else "no weights were kept"),
    )
