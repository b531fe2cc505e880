"""Randomness by purpose: one seed, many independent draws, none of which moves when another is used more."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed in [0, 2**63) for one purpose, such as `derived_seed(0, "labels", "y")`; the same on every machine."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def shuffled(count: int, seed: int, *purpose: str | int) -> NDArray[np.int64]:
    """A permutation of 0..count-1 for one purpose.

    Made from PCG64's raw output, which numpy promises to keep (of `Generator.permutation` it does not): the rows of a
    split or a budget stay the same rows under every version.
    """
    raw = np.random.PCG64(derived_seed(seed, *purpose)).random_raw(count)
    return np.argsort(raw, kind="stable").astype(np.int64, copy=False)


def drawn_order(identities: NDArray[np.uint64], seed: int, *purpose: str | int) -> NDArray[np.int64]:
    """Places 0..N-1 in an order for one purpose in which each row stands by its own identity alone: a row more or less
    changes nothing about which of two others comes first. Rows of one identity stay beside each other, in order."""
    key = np.array([derived_seed(seed, *purpose)], dtype=np.uint64)
    return np.argsort(drawn_numbers(identities ^ drawn_numbers(key)), kind="stable").astype(np.int64, copy=False)


def drawn_numbers(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Other numbers for these, one to one and without a trace of their order: the output function of SplitMix64 (Steele
    et al. 2014)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


@dataclass(frozen=True)
class Portion:
    """Rows at hand out of a whole batch: `places` [n] in a batch of `size` rows."""

    size: int
    places: Tensor


def draw_rows(
    draw: Callable[..., Tensor], shape: tuple[int, ...], axis: int, portion: Portion | None, **options: Any
) -> Tensor:
    """`draw(shape, **options)`, where `axis` counts rows; a row of a portion gets what it gets in the whole batch."""
    if portion is None:
        return draw(shape, **options)
    whole = draw((*shape[:axis], portion.size, *shape[axis + 1 :]), **options)
    return whole.index_select(axis, portion.places.to(whole.device))


def torch_stream(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator for one purpose, on the device whose tensors it fills."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, *purpose))
