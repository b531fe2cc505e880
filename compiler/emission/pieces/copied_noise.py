"""Noise of networks in an emitted file: the compiler's, less what only the compiler needs."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Noise:
    """Draws for `batch` rows from one generator, in the order asked."""

    def __init__(self, generator: torch.Generator, batch: int) -> None:
        self.generator, self.batch = generator, batch

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Standard normal draws [*lead, batch, *event]."""
        shape, device = (*lead, self.batch, *event), self.generator.device
        return torch.randn(shape, generator=self.generator, dtype=dtype, device=device)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Uniform draws in (0, 1), [*lead, batch, *event]."""
        shape, device = (*lead, self.batch, *event), self.generator.device
        drawn = torch.rand(shape, generator=self.generator, dtype=dtype, device=device)
        return drawn.clamp_min(torch.finfo(dtype).tiny)
