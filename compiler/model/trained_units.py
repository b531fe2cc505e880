"""Whether rows are in the units that a model was trained in, as far as they show it themselves.

Networks take any number: rows as the data have them, where training standardized them, give answers that mean nothing,
in silence. What is clearly such is refused; what may only be unusual is not.
"""

from dataclasses import dataclass

from torch import Tensor

FAR, BEYOND, CLOSE = 3.0, 1.0, 0.1
"""Ranges of training's values, and standard deviations of them: from where on a value cannot be meant, from where on it
is outside, and how far outside it may be where it is read in the data's units."""
FEWEST_CELLS = 8
"""Fewer numbers than these tell nothing about the units of all."""


@dataclass(frozen=True)
class TrainedRange:
    """What training rows hold of one standardized variable: low, high, spread [elements] in the model's units (of
    positive values the logarithms'); mean, std [elements]: value in data units = value * std + mean."""

    low: Tensor
    high: Tensor
    spread: Tensor
    mean: Tensor
    std: Tensor
    logarithm: bool = False

    def refuses(self, values: Tensor) -> bool:
        """Most rows of values [B, elements] lie where none can that is standardized: far beyond training's values; or
        outside of them, while every number of the row is among them once it is standardized."""
        numbers = values.double().cpu()
        numbers = numbers.clamp_min(1e-30).log() if self.logarithm else numbers
        if not numbers.numel():
            return False
        reach = FAR * (self.high - self.low + self.spread)
        far = self._outside(numbers, reach).any(1)
        if _most(far):
            return True
        if int((~numbers.isnan()).sum()) < FEWEST_CELLS:
            return False
        outside = self._outside(numbers, BEYOND * self.spread).any(1)
        raw = (numbers - self.mean) / self.std
        return _most(outside & ~self._outside(raw, CLOSE * self.spread).any(1))

    def _outside(self, numbers: Tensor, margin: Tensor) -> Tensor:
        return (numbers < self.low - margin) | (numbers > self.high + margin)


def outside_unit(values: Tensor) -> bool:
    """Most rows of values [B, elements], which belong between 0 and 1, have some that do not."""
    return bool(values.numel()) and _most(((values < -0.01) | (values > 1.01)).any(1))


def _most(rows: Tensor) -> bool:
    return float(rows.double().mean()) > 0.5
