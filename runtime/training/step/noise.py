"""The noise of a training step, the same for a row however the step's batch is split over processes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.tensors.noise import Noise
from runtime.data.randomness import derived_seed

_Key = tuple[str, str, tuple[int, ...], tuple[int, ...], torch.dtype]


class BatchNoise(Noise):
    """Noise for some rows of a step's whole batch: what a row gets follows from the seed, the name of the draw and the
    row's place in the whole batch, never from which other rows this process or this pattern of labels holds.

    Every draw is made for the whole batch, which costs little beside the networks, and cut to the rows at hand. size:
    rows of the whole batch. places: [n] positions in it, in the order of the rows at hand; None means all of them.
    """

    in_order = False

    def __init__(self, seed: int, size: int, places: Tensor | None = None, device: torch.device | str = "cpu") -> None:
        super().__init__(torch.Generator(device=device).manual_seed(seed), size if places is None else len(places))
        self.seed, self.size = seed, size
        self.places = None if places is None else places.to(device)
        self._drawn: dict[_Key, Tensor] = {}

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Standard normal draws [*lead, n, *event]."""
        return self._rows(("normal", name, tuple(lead), tuple(event), dtype))

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Uniform draws in (0, 1), [*lead, n, *event]."""
        return self._rows(("uniform", name, tuple(lead), tuple(event), dtype)).clamp_min(torch.finfo(dtype).tiny)

    def select(self, rows: slice | Tensor) -> "BatchNoise":
        """Noise for some of the rows at hand (a slice of them, or positions); draws are shared with this one."""
        device = self.generator.device
        places = torch.arange(self.size, device=device) if self.places is None else self.places
        chosen = places[rows if isinstance(rows, slice) else rows.to(device)]
        return BatchNoise(self.seed, self.size, chosen, device)._sharing(self)

    def _sharing(self, other: "BatchNoise") -> "BatchNoise":
        self.generator, self._drawn = other.generator, other._drawn
        return self

    def _rows(self, key: _Key) -> Tensor:
        if self.places is None:
            return self._draw(key)
        if key not in self._drawn:  # every pattern of labels draws under the same names: the numbers are made once
            self._drawn[key] = self._draw(key)
        return self._drawn[key].index_select(len(key[2]), self.places)

    def _draw(self, key: _Key) -> Tensor:
        kind, name, lead, event, dtype = key
        draw = torch.randn if kind == "normal" else torch.rand
        # one generator, seeded anew for each draw: a generator costs more to make than to seed
        self.generator.manual_seed(derived_seed(self.seed, kind, name))
        drawn: Tensor = draw(
            (*lead, self.size, *event), generator=self.generator, dtype=dtype, device=self.generator.device
        )
        return drawn
