"""What a training is given before it starts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphspec.language import TrainingSection
from runtime.runs.run_folder import Run
from runtime.training.loop.selection import Criterion

if TYPE_CHECKING:
    from runtime.data import PreparedData

TRACE = "profile/trace.json"
"""Where `--profile` writes, in the run folder."""


@dataclass(frozen=True)
class RunPlan:
    """What a training is given and never changes. `spec` is the resolved text that goes into every checkpoint;
    `compiled`: networks run through torch.compile; `profile`: trace a few steps."""

    run: Run
    data: "PreparedData"
    training: TrainingSection
    criterion: Criterion
    spec: str
    tensorboard: bool
    compiled: bool = False
    profile: bool = False
