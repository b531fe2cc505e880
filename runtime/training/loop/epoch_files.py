"""What a run folder keeps of a training: the last epoch's weights, the best ones, and the state that resumes.

The state comes last: killed before it, training resumes where the earlier state stands, and writes the rest again.
Epochs that are shorter than PAUSE are written together. What waits for that is a copy in memory, and whatever ends the
training writes it, so that nothing but a kill costs an epoch.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from runtime.runs.atomic_files import write_copy
from runtime.runs.checkpoints import save_weights
from runtime.runs.run_folder import Run
from runtime.training.loop.state import Position, TrainState, save_state

PAUSE = 1.0
"""Seconds from one writing to the next that the end of an epoch asks for."""


@dataclass(frozen=True)
class Weights:
    """As the model answers with them; facts: what stands beside them in the file."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


class Saving:
    """The checkpoints of one run, written by its main process alone."""

    def __init__(self, run: Run, spec: str) -> None:
        self.run, self.spec = run, spec
        self._last: Weights | None = None
        self._best: Weights | None = None
        self._state: TrainState | None = None
        self._written = time.perf_counter()

    @property
    def due(self) -> bool:
        """Whether what an epoch leaves is written at its end."""
        return time.perf_counter() - self._written >= PAUSE

    def weights(self, found: Weights, best: bool) -> None:
        """Write an epoch's weights, in place of those that wait."""
        self._last, self._best = found, found if best else self._best
        self._write_weights()

    def state(self, state: TrainState) -> None:
        """Write where training stands, after the weights that wait."""
        self._write_weights()
        save_state(self.run.state_file, state)
        self._state, self._written = None, time.perf_counter()

    def weights_later(self, found: Weights, best: bool) -> None:
        """Keep a copy of an epoch's weights; `state` or `write_all` writes it."""
        self._last = replace(found, tensors=_copied(found.tensors))
        self._best = self._last if best else self._best

    def state_later(self, state: TrainState) -> None:
        """Keep a copy of where training stands; `write_all` writes it."""
        meter, names = state.meter
        self._state = replace(
            state,
            weights=_copied(state.weights),
            average=_copied(state.average),
            optimizer={place: _copied(memory) for place, memory in state.optimizer.items()},
            meter=(_copied(meter), names),
        )

    def write_all(self) -> Position | None:
        """Write what waits; returns where a resumed training would stand then. Raises UnwritableError."""
        if (state := self._state) is None:
            return None
        self.state(state)
        return state.position

    def _write_weights(self) -> None:
        """The best ones first where they are of an earlier epoch; else both files are one."""
        if self._best is not None and self._best is not self._last:
            save_weights(self.run.best_file, self._best.tensors, self.spec, self._best.facts)
        if self._last is not None:
            save_weights(self.run.last_file, self._last.tensors, self.spec, self._last.facts)
            if self._best is self._last:
                write_copy(self.run.last_file, self.run.best_file)
        self._last = self._best = None


def _copied(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.detach().clone() if isinstance(value, Tensor) else value for name, value in named.items()}
