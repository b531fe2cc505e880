"""Where the step runs and in which arithmetic: one Hugging Face Accelerator per training.

Accelerate moves the model, scales to several processes, clips gradients and logs to trackers. It is imported here
and nowhere else, and only when a training starts (0.13 s beside torch's own import).
"""

import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from runtime.errors import RunError
from runtime.training.processes.launcher import started_with

if TYPE_CHECKING:
    from accelerate import Accelerator

TIMEOUT = timedelta(hours=2)
"""How long a process waits for the others, which may be waiting for the main one to measure the validation rows."""

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class Placement:
    """The choices that were made, for the manifest: device, what it is, arithmetic of the step, number of processes."""

    device: str
    device_name: str
    precision: str
    processes: int


def join_processes(device: torch.device) -> None:
    """Meet the other processes of this training, where a launcher started several: NCCL on CUDA, gloo on CPUs.

    Does nothing for one process, or the second time.
    """
    if started_with() == 1:
        return
    from accelerate import PartialState

    PartialState(cpu=device.type == "cpu", timeout=TIMEOUT)


def leave_processes() -> None:
    """Part from the other processes; the last thing a program does with them."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def build_accelerator(device: torch.device, bf16: bool) -> "Accelerator":
    """An Accelerator on `device` (see `resolve_device`), free of any earlier one's state but for the processes."""
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    join_processes(device)
    if AcceleratorState._shared_state:
        AcceleratorState._reset_state(reset_partial_state=started_with() == 1)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision="bf16" if bf16 else "no",
        # Patterns of labels differ between processes, so a step need not touch every parameter in each of them.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True, gradient_as_bucket_view=True)],
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
