"""Initial weights: every tensor from a generator of its own, keyed by its name.

So the weights of one factor do not depend on which other factors, parents or layers exist, nor on any order, and a
single-precision model starts from the rounded weights of the double-precision one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import nn


@dataclass(frozen=True)
class Initializer:
    """Draws initial weights below one place in the model. path: `recognition.z` and what was appended by `at`."""

    seed: int
    path: str
    dtype: torch.dtype

    def at(self, name: str) -> "Initializer":
        """One level deeper."""
        return Initializer(self.seed, f"{self.path}/{name}", self.dtype)

    def derived_seed(self) -> int:
        """A seed that depends on nothing but the model's seed and this place."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{self.path}".encode()).digest()[:7], "big")

    def uniform(self, name: str, shape: Sequence[int], fan_in: float, gain: float = 1.0) -> nn.Parameter:
        """Uniform within gain / sqrt(fan_in) of zero: torch's own choice for linear layers (He et al., a = sqrt 5)."""
        generator = torch.Generator().manual_seed(self.at(name).derived_seed())
        bound = gain / sqrt(max(fan_in, 1))
        drawn = torch.rand(tuple(shape), generator=generator, dtype=torch.float64) * (2 * bound) - bound
        return nn.Parameter(drawn.to(self.dtype))

    def constant(self, shape: Sequence[int], value: float) -> nn.Parameter:
        """Every element the same."""
        return nn.Parameter(torch.full(tuple(shape), value, dtype=self.dtype))
