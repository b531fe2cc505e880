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
    """Leading dimensions along which noise can be drawn. drawn: places of those that count joint samples or elements of
    a plate, in order. sizes: (place, size) of plates, of which a call may hold fewer elements: of those that are there
    each is drawn as if all were."""

    noise: Noise
    drawn: tuple[int, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()

    def uniform(self, name: str, like: Tensor) -> Tensor:
        """Draws in (0, 1) that broadcast over `like` [*lead, *event]: anew for every sample, element and row, the same
        for all values of an enumerated variable."""
        return self._placed(self.noise.uniform(name, *self._shape(like), torch.float32), like)

    def normal(self, name: str, like: Tensor) -> Tensor:
        """Standard normal draws, placed in the same way."""
        return self._placed(self.noise.normal(name, *self._shape(like), torch.float32), like)

    def _shape(self, like: Tensor) -> tuple[tuple[int, ...], torch.Size]:
        """Samples and elements, where the value varies over them, and its event."""
        whole = dict(self.sizes)
        return tuple(whole.get(place, like.shape[place]) for place in self._varying(like)), like.shape[self.dims :]

    def _varying(self, like: Tensor) -> list[int]:
        return [place for place in self.drawn if like.shape[place] > 1]

    def _placed(self, drawn: Tensor, like: Tensor) -> Tensor:
        lead, varying = [1] * (self.dims - 1), self._varying(like)
        for at, place in enumerate(varying):
            lead[place] = like.shape[place]
            drawn = drawn.narrow(at, 0, like.shape[place])
        return drawn.reshape(*lead, drawn.shape[len(varying)], *like.shape[self.dims :]).to(like.device)
