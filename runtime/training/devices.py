"""Where the step runs and in which arithmetic: one Hugging Face Accelerator per training.

Accelerate moves the model, scales to several processes, clips gradients and logs to trackers. It is imported here
and nowhere else, and only when a training starts (0.13 s beside torch's own import).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import torch

from runtime.errors import RunError

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class Placement:
    """The choices that were made, for the manifest: device, what it is, arithmetic of the step, number of processes."""

    device: str
    device_name: str
    precision: str
    processes: int


def build_accelerator(device: str, precision: Precision) -> "Accelerator":
    """An Accelerator on `device` ("auto": CUDA where there is one, else CPU), free of any earlier one's state.

    precision "auto" is bf16 on CUDA and fp32 elsewhere. RunError if the device is not there.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    chosen = resolve_device(device)
    if AcceleratorState._shared_state and int(AcceleratorState._shared_state.get("num_processes", 1)) == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
    if chosen.type == "cuda" and chosen.index is not None:
        torch.cuda.set_device(chosen)
    bf16 = precision == "bf16" or (precision == "auto" and chosen.type == "cuda")
    # Patterns of labels differ between batches, so a step need not touch every parameter.
    return Accelerator(
        cpu=chosen.type == "cpu",
        mixed_precision="bf16" if bf16 else "no",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def resolve_device(device: str) -> torch.device:
    """The torch device that a `--device` text means; RunError if this machine does not have it."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise RunError(f"there is no device {device!r}", "use auto, cpu, cuda or cuda:0") from None
    if chosen.type not in ("cpu", "cuda"):
        raise RunError(f"device {device!r} is not supported", "use auto, cpu, cuda or cuda:0")
    if chosen.type == "cuda":
        with warnings.catch_warnings():  # an old driver is a warning of torch's; the message below says it all
            warnings.simplefilter("ignore")
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (chosen.index or 0) >= count:
            raise RunError(f"device {device!r} is not there: torch sees {count} CUDA devices", "use --device cpu")
    return chosen


def placement(accelerator: "Accelerator") -> Placement:
    """What `accelerator` chose, in words."""
    device = torch.device(accelerator.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    precision = "bf16" if accelerator.mixed_precision == "bf16" else "fp32"
    return Placement(str(device), name, precision, int(accelerator.num_processes))


def told_to_all(accelerator: "Accelerator", value: T | None) -> T | None:
    """What the main process has, in every process."""
    if accelerator.num_processes == 1:
        return value
    from accelerate.utils import broadcast_object_list

    parcel: list[T | None] = [value]
    broadcast_object_list(parcel)
    return parcel[0]


def start_tensorboard(accelerator: "Accelerator", folder: Path) -> None:
    """From now on `accelerator.log` writes TensorBoard's event files into `folder`/tensorboard."""
    from accelerate.tracking import TensorBoardTracker

    accelerator.log_with = [TensorBoardTracker("tensorboard", folder)]
    accelerator.init_trackers("graphspec")


def require_tensorboard() -> None:
    """RunError with the line to run if the TensorBoard extra is not installed."""
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise RunError("--tensorboard needs a package that is not installed", "pip install 'tensorboard>=2.18,<3'")
