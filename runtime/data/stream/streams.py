"""The order of rows in training: one pass over unlabelled rows an epoch, labelled rows beside it without end.

A row with any element of any label, also one given in part, is a labelled row. Every order is a function of (seed,
epoch) or (seed, pass), so that a training resumed at an epoch's start needs no state. Both kinds of batches are uniform
draws, which is what makes the stochastic gradient unbiased for the total.

Very large mapped data are shuffled by blocks (`PreparedData.block_rows`): the blocks change places, and rows do within
windows of WINDOW_BLOCKS blocks, so that a file larger than memory is read nearly in order. Every row is still as likely
at every place.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.data.randomness import derived_seed, shuffled, torch_stream
from runtime.data.stream.rows import PreparedData

WINDOW_BLOCKS = 256
"""Blocks between which rows change places: 1 GiB of blocks of 4 MiB."""


@dataclass(frozen=True)
class BatchRows:
    """Positions in `PreparedData.training` of one step's rows; either may be empty, never both.

    number: of the step since training began, from 0.
    """

    epoch: int
    number: int
    unlabelled: Tensor
    labelled: Tensor
    seed: int

    def seed_for(self, purpose: str) -> int:
        """A seed for one purpose within this step, fixed by (seed, epoch, step)."""
        return derived_seed(self.seed, "step", self.epoch, self.number, purpose)

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator for one purpose within this step, such as `augment unlabelled`."""
        return torch_stream(self.seed, "step", self.epoch, self.number, purpose, device=device)


def steps_per_epoch(data: PreparedData, batch_size: int, labelled_batch_size: int | None = None) -> int:
    """Steps of one pass over the unlabelled rows, or over the labelled rows if there are none."""
    if len(data.unlabelled):
        return math.ceil(len(data.unlabelled) / batch_size)
    return math.ceil(len(data.labelled) / (labelled_batch_size or batch_size))


def epoch_batches(
    data: PreparedData, epoch: int, batch_size: int, labelled_batch_size: int | None, seed: int
) -> Iterator[BatchRows]:
    """The steps of one epoch (from 0).

    The unlabelled rows, shuffled anew each epoch, are split into batches whose sizes differ by one at most. Labelled
    rows come from shuffled passes of their own that run on from one epoch to the next, min(labelled_batch_size or
    batch_size, M) a step. Without unlabelled rows, an epoch is one pass over the labelled rows.
    """
    steps = steps_per_epoch(data, batch_size, labelled_batch_size)
    none = torch.empty(0, dtype=torch.int64)
    if not len(data.unlabelled):
        for index, rows in enumerate(_pass(data.labelled, steps, data.block_rows, seed, "labelled rows", epoch)):
            yield BatchRows(epoch, epoch * steps + index, none, rows, seed)
        return
    size = min(labelled_batch_size or batch_size, len(data.labelled))
    for index, rows in enumerate(_pass(data.unlabelled, steps, data.block_rows, seed, "unlabelled rows", epoch)):
        number = epoch * steps + index
        labelled = endless_passes(data.labelled, number * size, size, seed, data.block_rows) if size else none
        yield BatchRows(epoch, number, rows, labelled, seed)


def _pass(rows: Tensor, steps: int, block: int, seed: int, purpose: str, epoch: int) -> tuple[Tensor, ...]:
    order = torch.from_numpy(order_of(len(rows), block, seed, purpose, epoch))
    return torch.tensor_split(rows[order], steps)


def order_of(count: int, block: int, seed: int, *purpose: str | int) -> NDArray[np.int64]:
    """A permutation of 0..count-1: of all rows alike, or by blocks of `block` neighbours where that is not 0.

    Where the first block begins is drawn too, which makes every row as likely at every place.
    """
    if not block:
        return shuffled(count, seed, *purpose)
    begin = derived_seed(seed, *purpose, "begin") % count
    blocks = shuffled(-(-count // block), seed, *purpose, "blocks")
    windows = []
    for number, start in enumerate(range(0, len(blocks), WINDOW_BLOCKS)):
        first = blocks[start : start + WINDOW_BLOCKS, None] * block
        rows = (first + np.arange(block)).reshape(-1)
        rows = rows[rows < count]
        windows.append(rows[shuffled(len(rows), seed, *purpose, "window", number)])
    return (np.concatenate(windows) + begin) % count


@lru_cache(maxsize=2)
def _labelled_order(total: int, block: int, seed: int, number: int) -> Tensor:
    """Of one pass over the labelled rows; many steps read a part each."""
    return torch.from_numpy(order_of(total, block, seed, "labelled pass", number))


def endless_passes(rows: Tensor, start: int, count: int, seed: int, block: int = 0) -> Tensor:
    """Places `start` to `start + count` of an endless row of passes, each a permutation of `rows` of its own."""
    total = len(rows)
    parts = []
    place, end = start, start + count
    while place < end:
        number, offset = divmod(place, total)
        taken = min(total - offset, end - place)
        order = _labelled_order(total, block, seed, number)
        parts.append(rows[order[offset : offset + taken]])
        place += taken
    return torch.cat(parts)
