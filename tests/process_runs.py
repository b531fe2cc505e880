"""Trainings that one process and two must end alike. As a script, one of two processes: `process_runs.py FOLDER`."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from tiny_runs import write_tiny

ROOT = Path(__file__).parent.parent

# No batch statistics (they are of the rows that a process holds), everything random that a step can have, float64.
LAYERS = "recognition.h.network={kind: mlp, hidden: [8], normalization: layer, dropout: 0.2}"
SGD = ("training.optimizer=sgd", "training.learning_rate=0.05", "training.epochs=2")
GREY = (
    "variables.x={role: observed, domain: unit, shape: [1, 4, 6]}",
    "generative.x={parents: [y, z], distribution: bernoulli}",
    "data.source=pixels.npz",
    "data.variables.x={column: x, binarize: dynamic, augment: {shift: 1, elastic: 0.3}}",
)
AGREE = (*SGD, *GREY, "objective.consistency={y: {weight: 5, after: 0.5, confidence: 0.4}}")
BELOW = (  # q(y | x, z): the label weighs four draws of z
    "recognition={h: {parents: [x], network: {kind: mlp, hidden: [8]}}, z: {parents: [h]}, y: {parents: [h, z]}}",
    "objective.samples=4",
)


@dataclass(frozen=True)
class Case:
    """One training: overrides of the tiny spec. stop: Ctrl-C after this step, then another number of processes."""

    name: str
    overrides: tuple[str, ...]
    stop: int | None = None


CASES = (
    Case("plain", SGD),
    Case("adam", ("training.gradient_clip=0.5", "training.ema=0.9", "training.epochs=2")),
    Case("one-labelled-row", (*SGD, "training.labelled_batch_size=1")),
    Case(
        "one-unlabelled-row", (*SGD[:2], "training.epochs=1", "training.batch_size=1", "training.labelled_batch_size=4")
    ),
    Case("one-row", (*SGD[:2], "training.epochs=1", "data.labels=null", "training.batch_size=1")),
    Case("weighed", (*SGD, *BELOW)),
    Case("pixels", (*SGD, *GREY)),
    Case("consistency", AGREE),
    Case("consistency-below", (*AGREE, *BELOW, "training.ema=0.9")),
    Case("consistency-moved", (*AGREE, *BELOW, "objective.consistency.y.adversarial=0.7")),
    Case("consistency-one-unlabelled-row", (*AGREE, "training.epochs=1", "training.batch_size=1")),
    Case("from-two-to-one", (*SGD, "training.epochs=3"), stop=6),
    Case("from-one-to-two", (*SGD, "training.epochs=3"), stop=6),
)

MESSAGES = ("adam", "one-labelled-row", "consistency")
"""The cases that two processes which share no memory train too."""

EXCHANGES: set[str] = set()
"""How this process's gradients were added up so far."""


def write_data(folder: Path) -> None:
    """The tiny spec with its rows, and grey images for it."""
    import numpy as np

    write_tiny(folder)
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (120, 4, 6), dtype=np.uint8)
    np.savez(folder / "pixels.npz", x=pixels, y=np.arange(120) % 3)


def train_case(folder: Path, case: Case, out: str, *, stop: int | None = None, resume: bool = False) -> None:
    """Train one case in float64 into folder/out; `stop`: press Ctrl-C (in the last process only) after that step."""
    from compiler import compile_spec
    from graphspec.loading import load
    from runtime.training.loop.fitting import fit
    from runtime.training.loop.loop import Training
    from runtime.training.loop.progress import SilentReporter

    model = compile_spec(load(folder / "tiny.yaml", [LAYERS, *case.overrides]), dtype=torch.float64)
    step_of = Training._step

    def step_and_press(self: Training, step: object) -> None:
        step_of(self, step)  # type: ignore[arg-type]
        EXCHANGES.add("messages" if self.stepper.meeting is None else "memory")
        if self.position.step == stop and self.accelerator.process_index == self.accelerator.num_processes - 1:
            signal.raise_signal(signal.SIGINT)

    Training._step = step_and_press  # type: ignore[method-assign]
    try:
        fit(model, out=folder / out, resume=resume, device="cpu", progress=SilentReporter())
    finally:
        Training._step = step_of  # type: ignore[method-assign]


def start_two(*command: str, **variables: str) -> list[subprocess.Popen[str]]:
    """The command as two processes that find each other, as torchrun starts them."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = str(chosen.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={
                **os.environ,
                **common,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "PYTHONPATH": f"{ROOT}{os.pathsep}tests",
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def main(folder: Path, ways: str) -> None:
    """Every case's part for two processes; ways: `messages` for some of them as on two machines."""
    if ways == "messages":
        for case in CASES:
            if case.name in MESSAGES:
                train_case(folder, case, f"{case.name}-messages")
        return leave(folder, ways)
    for case in CASES:
        if case.name == "from-two-to-one":
            train_case(folder, case, f"{case.name}-mixed", stop=case.stop)
        elif case.name == "from-one-to-two":
            train_case(folder, case, f"{case.name}-mixed", resume=True)
        else:
            train_case(folder, case, f"{case.name}-two")
    from runtime.errors import RunError

    try:  # only the main process looks at folders
        train_case(folder, CASES[0], "plain-two")
    except RunError as error:
        (folder / f"told-{os.environ['RANK']}.txt").write_text(error.message)
    leave(folder, ways)


def leave(folder: Path, ways: str) -> None:
    """Say how gradients were added up, and part."""
    from runtime.training.processes.devices import leave_processes

    (folder / f"{ways}-{os.environ['RANK']}.txt").write_text(" ".join(sorted(EXCHANGES)))
    leave_processes()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
