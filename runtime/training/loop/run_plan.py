"""What a training is given before it starts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphspec.language import TrainingSection
from runtime.runs.run_folder import Run
from runtime.training.loop.selection import Criterion
from runtime.training.loop.state import Position

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

    def over(self, position: Position) -> bool:
        """Nothing is left to train there: all epochs are done, or patience has run out."""
        out_of_patience = self.training.patience is not None and position.best.waited >= self.training.patience
        return position.epoch >= self.training.epochs or out_of_patience
