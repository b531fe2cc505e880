"""The objective's numbers at one moment of training: rho, alpha, beta, free bits, temperatures (no torch)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import get_args

from compiler.symbolic.program import Pattern
from graphspec.graphs.graph import Graphs
from graphspec.language import OverRho, Schedule
from graphspec.language.objective import NumberKind


@dataclass(frozen=True)
class Rates:
    """How many training rows carry labels: M (`labelled`), N (`unlabelled`), and M_j per supervised variable.

    per_pattern: {text of a pattern: training rows that have it}.
    """

    labelled: int
    unlabelled: int
    per_label: Mapping[str, int] = field(default_factory=dict)
    per_pattern: Mapping[str, int] = field(default_factory=dict)

    def stands_for(self, pattern: Pattern) -> int:
        """How many training rows a group with this pattern is drawn from; for a pattern that no training row has, those
        with labels or those without."""
        known = self.per_pattern.get(str(pattern))
        return known or (self.labelled if pattern.labels else self.unlabelled or self.labelled)

    def share(self, name: str) -> float:
        """M_j / M: the share of labelled rows that have this label; 1 where unknown."""
        return self.per_label.get(name, self.labelled) / self.labelled if self.labelled else 1.0


def value_at(value: float | Schedule, epoch: float) -> float:
    """The number at a (fractional) epoch. Before `begin` it is `from`; past the end it stays at `to`."""
    if not isinstance(value, Schedule):
        return float(value)
    return CURVES[value.shape](value.start, value.to, progress(epoch, value.begin, value.epochs, value.cycles))


def progress(epoch: float, begin: float, epochs: float, cycles: int) -> float:
    """How far the change has come, in [0, 1]: it repeats `cycles` times within `epochs`."""
    part = (epoch - begin) / epochs
    if part <= 0:
        return 0.0
    return 1.0 if part >= 1 else part * cycles - math.floor(part * cycles)


def straight(start: float, end: float, part: float) -> float:
    """A straight line."""
    return start * (1 - part) + end * part


def cosine(start: float, end: float, part: float) -> float:
    """Half a cosine wave: slow at both ends."""
    return straight(start, end, (1 - math.cos(math.pi * part)) / 2)


def exponential(start: float, end: float, part: float) -> float:
    """A constant factor per epoch."""
    return float(start ** (1 - part) * end**part)


CURVES = {"linear": straight, "cosine": cosine, "exponential": exponential}
"""By the shape of a schedule; emitted files hold copies of these functions."""

KINDS = get_args(NumberKind)
NOTHING = {"free_bits": -math.inf}
"""What counts where nothing is written; of every other weight 1."""


@dataclass(frozen=True)
class ObjectiveWeights:
    """rho, and every number that the objective section has, by kind and variable (`language.objective.NumberKind`)."""

    rho: float
    numbers: Mapping[tuple[str, str], float]

    @classmethod
    def at(cls, graphs: Graphs, rates: Rates | None, epoch: float) -> "ObjectiveWeights":
        """The weights of `graphs.spec.objective` at a fractional epoch.

        Without `rates` (no data at hand) every supervised variable counts as labelled in every labelled row.
        """
        objective, rates = graphs.spec.objective, rates or Rates(1, 1)
        rho = objective.labelled_share(rates.labelled, rates.unlabelled)
        numbers = {}
        for kind, name in product(KINDS, (*graphs.supervised, *graphs.latent)):
            written = objective.number_of(kind, name)
            if written is not None:
                numbers[kind, name] = _number(written, rho * rates.share(name), epoch)
        return cls(rho, numbers)

    def number(self, kind: str, variable: str) -> float:
        """One of the numbers."""
        return self.numbers.get((kind, variable), NOTHING.get(kind, 1.0))

    def plain(self) -> "ObjectiveWeights":
        """The ELBO itself: alpha 0, beta 1, no free bits (what `evaluate` reports)."""
        kept = {key: 0.0 if key[0] == "alpha" else value for key, value in self.numbers.items()}
        return ObjectiveWeights(self.rho, {key: v for key, v in kept.items() if key[0] in ("alpha", "temperature")})


def _number(written: float | Schedule | OverRho, rate: float, epoch: float) -> float:
    """`25/rho` divides by the label's own rate gamma M_j / (N + gamma M) (design, Objective)."""
    if isinstance(written, OverRho):
        return written.over_rho / rate if rate > 0 else 0.0
    return value_at(written, epoch)
