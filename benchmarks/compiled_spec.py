"""graphspec itself, as `graphspec train` runs it: spec -> Model -> `fit`. The reporter is the only hook."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.contender import Case, Gate, Losses
from benchmarks.graphspec_weights import fill
from benchmarks.hand import losses_of
from benchmarks.settings import Implementation, Setting
from compiler import compile_spec
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime import fit
from runtime.training.step.compilation import compiled_networks
from runtime.training.step.loss import Loss
from runtime.training.step.share import share_of

FOR_EVER = 10**6
"""Epochs: the gate ends the training."""


class CompiledSpec:
    """The setting's spec; see `Contender`."""

    def __init__(self, setting: Setting, implementation: Implementation, dtype: torch.dtype = torch.float32) -> None:
        self.implementation, self.dtype, self.turned = implementation, dtype, setting.turned
        self.model = compile_spec(load(setting.spec, setting.overrides), dtype=dtype)

    def losses(self, case: Case) -> Losses:
        """The loss that the training step calls, on the case's rows and noise."""
        fill(self.model, case.weights, turned=self.turned)
        self.model.train()
        counts = (len(case.unlabelled), len(case.labelled))
        images = torch.cat([case.unlabelled, case.labelled])
        images = (images.flip(1) if self.turned else images).reshape(-1, 1, 28, 28)
        rows = {"x": images, "y": torch.cat([torch.full((counts[0],), -1), case.labels])}
        weights = ObjectiveWeights.at(self.model.graphs, None, 0.0)
        positions = torch.arange(sum(counts))
        share = share_of(positions[: counts[0]], positions[counts[0] :], weights.rho)
        loss = Loss(self.model)

        def value(eps: Mapping[str, Tensor]) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.implementation.bf16):
                found: Tensor = loss(rows, share.weights.to(self.dtype), weights, GivenNoise(eps))[0]
            return found

        with compiled_networks(self.model, self.implementation.compiled):
            return losses_of(value, case.draws, list(self.model.parameters()))

    def run(self, gate: Gate) -> None:
        """Train through the public path until the gate stops it."""
        with tempfile.TemporaryDirectory() as folder:
            fit(
                self.model,
                out=Path(folder) / "run",
                epochs=FOR_EVER,
                device="cpu",
                precision="bf16" if self.implementation.bf16 else "fp32",
                compile_step=self.implementation.compiled,
                progress=GateReporter(gate),
            )


class GivenNoise(Noise):
    """The case's draws, by variable; `places` are the rows at hand."""

    in_order = False

    def __init__(self, eps: Mapping[str, Tensor], places: Tensor | None = None) -> None:
        size = next(iter(eps.values())).shape[1]
        super().__init__(0, size if places is None else len(places))
        self.eps, self.places = eps, torch.arange(size) if places is None else places

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """[*lead, n, *event]."""
        return self._rows(name, lead)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """[*lead, n, *event]."""
        return self._rows(name, lead)

    def _rows(self, name: str, lead: Sequence[int]) -> Tensor:
        found = self.eps[name].index_select(1, self.places)
        return found if lead else found[0]

    def select(self, rows: slice | Tensor) -> "GivenNoise":
        """The draws of some of the rows at hand."""
        return GivenNoise(self.eps, self.places[rows])


class GateReporter:
    """Tells the gate of every step: the loop asks for `interval` after each, and only then.

    What lies between an epoch's last step and its record (checkpoint, log) is left out of the time.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.open = False

    @property
    def interval(self) -> float:
        """Seconds between reads of the running numbers, as without a terminal."""
        if self.open:
            self.gate.passed()
        return 10.0

    @interval.setter
    def interval(self, seconds: float) -> None:
        raise AttributeError("the gate's interval is fixed")

    def start(self, epochs: int, steps_per_epoch: int, done: int) -> None:
        """Everything is built; the first step comes next."""
        self.gate.opens()
        self.open = True

    def step(self, epoch: int, done: int, info: Any) -> None:
        """Nothing is shown."""

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Checkpoint and record are written."""
        self.gate.leave_out()

    def note(self, text: str) -> None:
        """Nothing is shown."""

    def stop(self) -> None:
        """Nothing to close."""
