"""Effective sample sizes: how many of a row's S draws still count once a label below them has weighed them.

A label whose recognition factor reads a sampled variable gives each draw the weight q(label | draw); 1 / sum of the
squared normalised weights says how many equally weighted draws that is worth, between 1 and S.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from runtime.data import Rows
from runtime.measures.evaluation import Binarize, placement

LEAST, LEAST_SHARE = 2.0, 0.2
"""Fewer effective draws than these, or than this share of S, and the mean over an epoch has collapsed."""


def threshold(samples: int) -> float:
    """Below this mean the weights have collapsed: 2 draws, or a fifth of S; for S = 2, halfway between 1 and S."""
    return max(min(LEAST, (1 + samples) / 2), LEAST_SHARE * samples)


class Collapse:
    """Warns once in a training when a label's mean effective sample size is too small."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self._told: set[str] = set()

    def look_back(self, records: Sequence[Mapping[str, Any]]) -> None:
        """What was told before a training was resumed is not told again."""
        for record in records:
            self.after(record)

    def after(self, record: Mapping[str, Any]) -> list[str]:
        """Warnings that an epoch's record gives rise to, one for each label, most often none."""
        found = record.get("ess") or {}
        low = {name: mean for name, mean in found.items() if self._low(name, mean)}
        self._told |= set(low)
        return [self._warning(name, mean, int(record["epoch"])) for name, mean in low.items()]

    def _low(self, name: str, mean: float | None) -> bool:
        return mean is not None and name not in self._told and mean < threshold(self.samples)

    def _warning(self, name: str, mean: float, epoch: int) -> str:
        return (
            f"the effective sample size of label {name} is {mean:.2f} of {self.samples} on average over epoch {epoch}: "
            f"q({name} | ...) reads sampled variables, and nearly all of the weight falls on one draw. Let {name} come "
            f"before the latents in the recognition graph (q({name} | x), then q(z | x, {name})), so that the weights "
            "are constant, or raise objective.samples"
        )


def mean_effective_samples(
    model: Model, rows: Rows, seed: int, binarize: Binarize | None, batch_size: int = 500
) -> dict[str, float]:
    """{label: mean over the rows that have it} of the effective sample size, for labels that weigh draws.

    Rows keep their labels here. Repeatable by `seed`; the model should be in evaluation mode.
    """
    device, dtype = placement(model)
    generator = torch.Generator(device).manual_seed(seed)
    pixels = torch.Generator(rows.device).manual_seed(seed)
    weights = ObjectiveWeights.at(model.graphs, model.rates, math.inf)
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    with torch.no_grad():
        for positions in torch.arange(len(rows)).split(batch_size):
            batch = rows.batch(positions, dtype)
            batch = binarize(batch, pixels) if binarize is not None else batch
            seen = {name: values.to(device) for name, values in batch.items()}
            found = model.evaluate(seen, weights=weights, noise=Noise(generator, len(positions))).effective_samples
            for name, effective in found.items():
                known = ~effective.isnan()
                sums[name] = sums.get(name, 0.0) + float(effective[known].double().sum())
                counts[name] = counts.get(name, 0) + int(known.sum())
    return {name: sums[name] / counts[name] for name in sums if counts[name]}
