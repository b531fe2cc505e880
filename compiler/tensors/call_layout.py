"""What the leading dimensions of a module's values mean, and what is drawn along them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.tensors.noise import Noise


@dataclass(frozen=True)
class Lead:
    """Values of one call stand on the same number of leading dimensions, [*named axes, B, *event].

    Sizes are whole, or 1 where a value does not vary. dims: how many there are, the rows' included.
    """

    dims: int


@dataclass(frozen=True)
class Layout(Lead):
    """Leading dimensions along which noise can be drawn. sampled: the first of them counts joint samples."""

    noise: Noise
    sampled: bool = False

    def uniform(self, name: str, like: Tensor) -> Tensor:
        """Draws in (0, 1) that broadcast over `like` [*lead, *event]: anew for every sample and row, the same for all
        values of an enumerated variable."""
        return self._placed(self.noise.uniform(name, *self._shape(like), torch.float32), like)

    def normal(self, name: str, like: Tensor) -> Tensor:
        """Standard normal draws, placed in the same way."""
        return self._placed(self.noise.normal(name, *self._shape(like), torch.float32), like)

    def _shape(self, like: Tensor) -> tuple[tuple[int, ...], torch.Size]:
        """Samples, if the value varies over them, and its event."""
        return ((like.shape[0],) if self.sampled and like.shape[0] > 1 else ()), like.shape[self.dims :]

    def _placed(self, drawn: Tensor, like: Tensor) -> Tensor:
        lead, event = self._shape(like)
        rows = drawn.shape[len(lead)]
        return drawn.reshape(*lead, *(1,) * (self.dims - 1 - len(lead)), rows, *event).to(like.device)
