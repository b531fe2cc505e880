"""The objective's numbers at one moment of training: rho, alpha, beta, free bits, temperatures (no torch)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from compiler.symbolic.program import Pattern
from graphspec.graphs.graph import Graphs
from graphspec.language import ObjectiveSection, OverRho, Schedule, TotalCorrelation
from graphspec.language.objective import EstimatorSpec


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
    progress = (epoch - value.begin) / value.epochs
    if progress <= 0:
        return value.start
    if progress >= 1:
        return value.to
    within = progress * value.cycles
    return _between(value, within - math.floor(within))


def _between(schedule: Schedule, part: float) -> float:
    """`from` to `to` at `part` of the way in [0, 1)."""
    if schedule.shape == "cosine":
        part = (1 - math.cos(math.pi * part)) / 2
    if schedule.shape == "exponential":
        return float(schedule.start * (schedule.to / schedule.start) ** part)
    return schedule.start + (schedule.to - schedule.start) * part


@dataclass(frozen=True)
class ObjectiveWeights:
    """Weights by variable name; beta and free bits for hidden variables, alpha for supervised ones.

    parts: {variable: {mutual_information, total_correlation, dimension_wise}} where the divergence is split.
    """

    rho: float
    alpha: Mapping[str, float]
    beta: Mapping[str, float] = field(default_factory=dict)
    free_bits: Mapping[str, float] = field(default_factory=dict)
    temperature: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def at(cls, graphs: Graphs, rates: Rates | None, epoch: float) -> "ObjectiveWeights":
        """The weights of `graphs.spec.objective` at a fractional epoch.

        Without `rates` (no data at hand) every supervised variable counts as labelled in every labelled row.
        """
        objective = graphs.spec.objective
        rates = rates or Rates(1, 1)
        rho = objective.labelled_share(rates.labelled, rates.unlabelled)
        return cls(
            rho=rho,
            alpha={name: _alpha(objective, name, rho * rates.share(name), epoch) for name in graphs.supervised},
            beta={
                name: value_at(b, epoch) for name, b in objective.beta.items() if not isinstance(b, TotalCorrelation)
            },
            parts={name: _parts(b, epoch) for name, b in objective.beta.items() if isinstance(b, TotalCorrelation)},
            free_bits={name: value_at(bits, epoch) for name, bits in objective.free_bits.items()},
            temperature={
                name: value_at(objective.estimators.get(name, _RELAX).temperature, epoch)
                for name in (*graphs.supervised, *graphs.latent)
            },
        )

    def plain(self) -> "ObjectiveWeights":
        """The ELBO itself: alpha 0, beta 1, no free bits (what `evaluate` reports)."""
        return ObjectiveWeights(self.rho, dict.fromkeys(self.alpha, 0.0), temperature=self.temperature)


def _parts(split: TotalCorrelation, epoch: float) -> dict[str, float]:
    return {
        "mutual_information": value_at(split.mutual_information, epoch),
        "total_correlation": value_at(split.total_correlation, epoch),
        "dimension_wise": value_at(split.dimension_wise, epoch),
    }


_RELAX = EstimatorSpec(kind="relax")


def _alpha(objective: ObjectiveSection, name: str, rate: float, epoch: float) -> float:
    """alpha of one label; `25/rho` divides by the label's own rate gamma M_j / (N + gamma M) (design, Objective)."""
    alpha = objective.alpha.get(name, 50.0) if isinstance(objective.alpha, dict) else objective.alpha
    if isinstance(alpha, OverRho):
        return alpha.over_rho / rate if rate > 0 else 0.0
    return value_at(alpha, epoch)
