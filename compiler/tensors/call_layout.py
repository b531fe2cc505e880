"""What the leading dimensions of a module's values mean, and what is drawn along them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.tensors.noise import Noise


@dataclass(frozen=True)
class Layout:
    """Values of one call stand on the same leading dimensions, [*named axes, B, *event]: sizes are whole, or 1 where a
    value does not vary.

    dims: how many there are, the rows' included. noise: where draws come from; a call that draws nothing needs none.
    sampled: the first of them counts joint samples.
    """

    dims: int
    noise: Noise | None = None
    sampled: bool = False

    def uniform(self, name: str, like: Tensor) -> Tensor:
        """Draws in (0, 1) that broadcast over `like` [*lead, *event]: anew for every sample and row, the same for all
        values of an enumerated variable."""
        assert self.noise is not None, f"{name} draws, and this call has no noise"
        drawn = self.noise.uniform(name, self._samples(like), like.shape[self.dims :], torch.float32)
        return self._placed(drawn, like)

    def normal(self, name: str, like: Tensor) -> Tensor:
        """Standard normal draws, placed in the same way."""
        assert self.noise is not None, f"{name} draws, and this call has no noise"
        drawn = self.noise.normal(name, self._samples(like), like.shape[self.dims :], torch.float32)
        return self._placed(drawn, like)

    def _samples(self, like: Tensor) -> tuple[int, ...]:
        return (like.shape[0],) if self.sampled and like.shape[0] > 1 else ()

    def _placed(self, drawn: Tensor, like: Tensor) -> Tensor:
        lead = self._samples(like)
        between = (1,) * (self.dims - 1 - len(lead))
        return drawn.reshape(*lead, *between, *drawn.shape[len(lead) :]).to(like.device)
