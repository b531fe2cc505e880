"""`graphspec train` of one commit, whichever is first on the path: only what every commit offers is used here."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from benchmarks.contender import Case, Gate, Losses
from benchmarks.settings import CLASSES, Implementation, Setting
from compiler import compile_spec
from graphspec.loading import load
from runtime import fit

FOR_EVER = 10**6
"""Epochs: the gate ends the training."""


class WholeTraining:
    """A setting's spec through the public path; see `Contender`."""

    def __init__(
        self, setting: Setting, implementation: Implementation, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> None:
        self.implementation, self.dtype, self.device = implementation, dtype, device
        rows = (f"data.source={digits_rows(setting)}",) if setting.rows_from == "the spec" else ()
        self.model = compile_spec(load(setting.spec, (*setting.overrides, *rows)), dtype=dtype)

    def losses(self, case: Case) -> Losses:
        """The loss that one epoch from the spec's own start logs; as the gradient, how far it moved the weights."""
        before = [parameter.detach().clone() for parameter in self.model.parameters()]
        reporter = LossReporter()
        self._fit(1, reporter)
        moved = [now.detach().to("cpu") - then for now, then in zip(self.model.parameters(), before, strict=True)]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each.double()) for each in moved]))
        return Losses((reporter.loss,), float(norm))

    def run(self, gate: Gate) -> None:
        """Train until the gate stops it."""
        self._fit(FOR_EVER, GateReporter(gate))

    def _fit(self, epochs: int, reporter: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fit(
                self.model,
                out=Path(folder) / "run",
                epochs=epochs,
                device=self.device,
                precision="bf16" if self.implementation.bf16 else "fp32",
                compile_step=self.implementation.compiled,
                progress=reporter,
            )


def digits_rows(setting: Setting) -> Path:
    """The first rows of scikit-learn's digits as a file that goes with the process, images in [0, 1]; the first of each
    class keep their label."""
    images, labels = load_digits(return_X_y=True)
    images, labels = images[: setting.rows], labels[: setting.rows].astype(np.int64)
    place = np.array([np.sum(labels[:row] == label) for row, label in enumerate(labels)])
    labels[place >= setting.labels // CLASSES] = -1
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = Path(folder) / "rows.npz"
    np.savez(target, image=(images / 16).astype(np.float32).reshape(-1, 1, 8, 8), label=labels)
    return target


class Silent:
    """What training tells, and nobody hears."""

    @property
    def interval(self) -> float:
        """Seconds between reads of the running numbers, as without a terminal."""
        return 10.0

    @interval.setter
    def interval(self, seconds: float) -> None:
        raise AttributeError("the interval is fixed")

    def start(self, epochs: int, steps_per_epoch: int, done: int) -> None:
        """Everything is built; the first step comes next."""

    def step(self, epoch: int, done: int, info: Any) -> None:
        """Nothing is shown."""

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Checkpoint and record are written."""

    def note(self, text: str) -> None:
        """Nothing is shown."""

    def stop(self) -> None:
        """Nothing to close."""


class LossReporter(Silent):
    """Keeps the last epoch's loss, nats a row."""

    loss = float("nan")

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Checkpoint and record are written."""
        self.loss = float(record["loss"])


class GateReporter(Silent):
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

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Checkpoint and record are written."""
        self.gate.leave_out()
