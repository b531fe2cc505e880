"""The same loss and gradient at equal weights, rows and noise, before anything is timed."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contender import Losses
from benchmarks.pipes import Worker
from benchmarks.settings import Implementation, Setting

BF16_TOLERANCE = 5e-3
"""Relative difference of a bfloat16 loss from the float32 one that passes (8 bits of mantissa; at most 1.2e-3 was
measured on these graphs)."""
GRADIENT_TOLERANCE = 10.0
"""How many times the loss's relative tolerance the gradient's norm has: it is a sum of squares of smaller numbers."""
STANDARD_ERRORS = 5.0
"""How far the mean over an implementation's own draws may be from the exact loss."""


@dataclass(frozen=True)
class Verdict:
    """An implementation's loss (mean over the case's draws, nats per row) beside the first one's."""

    name: str
    found: Losses
    difference: float
    allowed: float
    agrees: bool

    def plain(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "implementation": self.name,
            "loss": statistics.fmean(self.found.each),
            "gradient_norm": self.found.gradient_norm,
            "constant_added": self.found.constant,
            "difference": self.difference,
            "allowed": self.allowed,
            "agrees": self.agrees,
        }

    def __str__(self) -> str:
        facts = self.plain()
        text = (
            f"{self.name:26} loss {facts['loss']:.5f}  difference {self.difference:+.2e} (allowed {self.allowed:.1e})"
        )
        text += f"  gradient norm {self.found.gradient_norm:.5f}  {'agrees' if self.agrees else 'DIFFERS'}"
        return text + (f" (constant added: {self.found.constant:.4f})" if self.found.constant else "")


def ask_losses(worker: Worker, case: Path) -> Losses:
    """What a worker says, which is ended then. Raises Failed."""
    try:
        answer = worker.ask(check=str(case))
    finally:
        worker.close()
    return Losses(tuple(answer["losses"]), answer["gradient_norm"], answer["constant"])


def compare(name: str, implementation: Implementation, found: Losses, reference: Losses, setting: Setting) -> Verdict:
    """Within the tolerance of the implementation's precision: the loss and the gradient's norm.

    A stochastic implementation is compared in the mean, draw by draw against the exact loss at the same noise of the
    other variables; its gradient is not, since the norm of a noisy gradient is larger.
    """
    relative = BF16_TOLERANCE if implementation.bf16 else setting.tolerance
    exact = statistics.fmean(reference.each)
    difference = statistics.fmean(found.each) - exact
    allowed = relative * abs(exact) + _noise(implementation, found, reference)
    gradient_off = abs(found.gradient_norm / reference.gradient_norm - 1)
    agrees = abs(difference) <= allowed
    if not implementation.stochastic:
        agrees = agrees and gradient_off <= GRADIENT_TOLERANCE * relative
    return Verdict(name, found, difference, allowed, agrees)


def _noise(implementation: Implementation, found: Losses, reference: Losses) -> float:
    """What the mean of a stochastic implementation may be off, nats."""
    if not implementation.stochastic:
        return 0.0
    differences: Sequence[float] = [a - b for a, b in zip(found.each, reference.each, strict=True)]
    return STANDARD_ERRORS * statistics.stdev(differences) / math.sqrt(len(differences))
