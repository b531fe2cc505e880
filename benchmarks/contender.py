"""What an implementation offers to be measured, and the gate that tells its training loop how long to run."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

Answer = Callable[[Mapping[str, Any]], None]
Ask = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """The same few rows, weights and noise for everybody.

    weights: by the names in the hand-written twin's `state_dict`. unlabelled, labelled: [B, inputs], images or a
    table's columns; labels [L].
    draws: for each evaluation the noise by variable, [samples, U + L, *event], unlabelled rows first: standard normal
    for a normal variable, uniform for a category or dropout.
    """

    weights: Mapping[str, Tensor]
    unlabelled: Tensor
    labelled: Tensor
    labels: Tensor
    draws: tuple[Mapping[str, Tensor], ...]

    def on(self, device: str) -> "Case":
        """The same with rows and noise on a device."""
        return Case(
            self.weights,
            self.unlabelled.to(device),
            self.labelled.to(device),
            self.labels.to(device),
            tuple({name: value.to(device) for name, value in draw.items()} for draw in self.draws),
        )


@dataclass(frozen=True)
class Losses:
    """The loss at each draw, and the Euclidean norm of the gradient of their mean.

    constant: what the implementation's own loss leaves out, which is added in `each`.
    """

    each: tuple[float, ...]
    gradient_norm: float
    constant: float = 0.0


class Stop(Exception):
    """The command is over."""


class Contender(Protocol):
    """One implementation of a setting's step.

    The loss of all of them is half the mean over unlabelled rows and half the mean over labelled rows of minus the
    bound, the labelled rows' classifier loss times alpha included (rho = 0.5).
    """

    def losses(self, case: Case) -> Losses:
        """At the case's weights; asked of a process that does nothing else."""
        ...

    def run(self, gate: "Gate") -> None:
        """Take steps for ever: `gate.opens()` before the first one, `gate.passed()` after each."""
        ...


class Gate:
    """Runs a training loop in stretches: each command says how many steps or seconds, each answer what they took."""

    def __init__(self, ask: Ask, answer: Answer, wait: Callable[[], None] = lambda: None) -> None:
        """wait: until the device has done what it was told."""
        self._ask, self._answer, self._wait = ask, answer, wait
        self._built = time.perf_counter()
        self._steps, self._seconds, self._last = 0, 0.0, 0.0
        self._work, self._last_work = 0.0, 0.0
        self._wanted_steps, self._wanted_seconds = 0, 0.0

    def opens(self) -> None:
        """The loop stands before its first step. Raises Stop when there is nothing (more) to do."""
        self._answer({"ready": time.perf_counter() - self._built})
        self._next()

    def passed(self) -> None:
        """A step was taken. Raises Stop when there is nothing more to do."""
        self._look()
        self._steps += 1
        if self._steps >= self._wanted_steps and self._seconds >= self._wanted_seconds:
            self._wait()
            self._look()
            self._answer({"steps": self._steps, "seconds": self._seconds, "processor_seconds": self._work})
            self._next()

    def leave_out(self) -> None:
        """What happened since the last step is no part of training: the clocks go on from here."""
        self._last, self._last_work = time.perf_counter(), time.process_time()

    def _look(self) -> None:
        """At the clock, and at the time that this process had on processors, which others' work changes less."""
        last, last_work = self._last, self._last_work
        self.leave_out()
        self._seconds, self._work = self._seconds + self._last - last, self._work + self._last_work - last_work

    def _next(self) -> None:
        command = self._ask()
        if "run" not in command:
            raise Stop
        self._wanted_steps, self._wanted_seconds = command["run"]["steps"], command["run"]["seconds"]
        self._steps, self._seconds, self._work = 0, 0.0, 0.0
        self.leave_out()
