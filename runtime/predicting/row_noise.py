"""Draws that follow from a row and nothing else: the same whatever rows stand beside it, in whatever order."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.tensors.noise import Noise
from runtime.data.randomness import derived_seed, drawn_numbers

Keys = NDArray[np.uint64]


class RowNoise(Noise):
    """Draws by seed, name and the key of a row. keys: [B], found when something is drawn at all. stream: of the
    generator, for what still draws from it: exact sums.
    """

    in_order = False

    def __init__(
        self, seed: int, rows: int, keys: Callable[[], Keys], device: torch.device | str = "cpu", stream: int = 0
    ) -> None:
        super().__init__(torch.Generator(device=device).manual_seed(derived_seed(seed, "rows", stream)), rows)
        self.seed, self._found_by, self.stream = seed, keys, stream

    @cached_property
    def keys(self) -> Keys:
        """Of the rows at hand."""
        return self._found_by()

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Standard normal draws [*lead, B, *event]."""
        drawn: Tensor = torch.special.ndtri(self._uniforms("normal", name, lead, event))
        return drawn.to(self.generator.device, dtype)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Uniform draws in (0, 1), [*lead, B, *event]."""
        drawn = self._uniforms("uniform", name, lead, event)
        return drawn.to(self.generator.device, dtype).clamp(torch.finfo(dtype).tiny, 1 - torch.finfo(dtype).eps / 2)

    def select(self, rows: slice | Tensor) -> "RowNoise":
        """Noise for some of the rows."""
        chosen = rows if isinstance(rows, slice) else rows.cpu().numpy()
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        return RowNoise(self.seed, count, lambda: self.keys[chosen], self.generator.device, self.stream)

    def repeated(self, times: int) -> "RowNoise":
        """The first draws are the same, however many there are."""
        copies = drawn_numbers(np.arange(times, dtype=np.uint64))
        keys: Callable[[], Keys] = lambda: drawn_numbers(self.keys[:, None] ^ copies).reshape(-1)  # noqa: E731
        return RowNoise(self.seed, self.batch * times, keys, self.generator.device, self.stream)

    def _uniforms(self, kind: str, name: str, lead: Sequence[int], event: Sequence[int]) -> Tensor:
        purpose = np.array([derived_seed(self.seed, kind, name)], dtype=np.uint64)
        rows = drawn_numbers(self.keys ^ drawn_numbers(purpose))
        places = _places((*lead, *event)).reshape(prod(lead), 1, prod(event))
        numbers = drawn_numbers(rows[None, :, None] ^ places)
        found = ((numbers >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        return torch.from_numpy(found.reshape(*lead, len(self.keys), *event))


def _places(sizes: Sequence[int]) -> Keys:
    """[*sizes] numbers of places, each by its own index alone: an axis that is longer in other company changes none."""
    found = np.zeros((), dtype=np.uint64)
    for size in sizes:
        found = drawn_numbers(found[..., None] ^ drawn_numbers(np.arange(size, dtype=np.uint64)))
    return found


def keys_of_contents(rows: Mapping[str, Tensor]) -> Keys:
    """[B] numbers that stand for what rows hold, whatever they are called: equal rows have equal ones."""
    flat = [rows[name].reshape(len(rows[name]), -1).cpu().contiguous() for name in sorted(rows)]
    bits = np.concatenate([each.double().numpy().view(np.uint8) for each in flat], axis=1)
    return np.fromiter(
        (int.from_bytes(hashlib.blake2b(row.data, digest_size=8).digest(), "big") for row in bits), np.uint64, len(bits)
    )


def keys_of_places(first: int, rows: int) -> Keys:
    """[B] numbers of the places where rows stand."""
    return drawn_numbers(np.arange(first, first + rows, dtype=np.uint64))
