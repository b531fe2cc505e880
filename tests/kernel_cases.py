"""The row kernels' functions as torch has them, and a small model to run with and without kernels."""

import torch
import torch.nn.functional as F
from distributions import Distribution
from torch import Tensor

from compiler.families import ENTRIES, Extras
from compiler.tensors.noise import Noise

DOUBLE = torch.float64
IN_TORCH = {"softplus": F.softplus}
DENSITIES = {
    "bernoulli": lambda logits, x: -F.binary_cross_entropy_with_logits(*torch.broadcast_tensors(logits, x), reduction="none"),
}  # fmt: skip
INPUTS = {"bernoulli": 2}

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, shape: [60]}
  y: {role: supervised, domain: category, classes: 7}
  z: {role: latent, domain: real, size: 20}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x, y]}}
networks: {default: {kind: mlp, hidden: [64, 64], activation: ACTIVATION}}
objective: {alpha: 3}
"""


def distribution(name: str, shape: tuple[int, ...], **parameters: Tensor) -> Distribution:
    """A family at parameters [B, *shape]."""
    return Distribution(ENTRIES[name], Extras(shape), parameters)


def draw(*shape: int, seed: int, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs_of(shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """Legal inputs of a density."""
    return [draw(*shape, seed=i, scale=1.5) for i, shape in enumerate(shapes)]


def close(found: Tensor, expected: Tensor, tolerance: float = 3e-6) -> None:
    """Against the largest number expected."""
    error = (found.double() - expected).abs().max() / expected.abs().max().clamp_min(1e-30)
    assert float(error.detach()) < tolerance


class SameNoise(Noise):
    """The same draws in every precision."""

    def normal(self, name, lead, event, dtype):  # type: ignore[no-untyped-def]
        return super().normal(name, lead, event, DOUBLE).to(dtype)

    def select(self, rows):  # type: ignore[no-untyped-def]
        return SameNoise(self.generator, super().select(rows).batch)
