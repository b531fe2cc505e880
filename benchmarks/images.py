"""MNIST's training images for the implementations that are not graphspec: one tensor of bytes, batches by index."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.settings import PIXELS, Setting

_HEADER = {"images": 16, "labels": 8}
_FILES = {"images": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte"}


def folder() -> Path | None:
    """MNIST/raw in the data folder GRAPHSPEC_DATA; None where the files are not there."""
    place = Path(os.environ.get("GRAPHSPEC_DATA", "")) / "MNIST" / "raw"
    return place if all((place / name).is_file() for name in _FILES.values()) else None


def read() -> tuple[Tensor, Tensor]:
    """Images [60000, 784] uint8 and labels [60000] int64."""
    place = folder()
    assert place is not None, "the command looks for the files before it starts anything"
    raw = {kind: np.fromfile(place / name, np.uint8)[_HEADER[kind] :] for kind, name in _FILES.items()}
    return torch.from_numpy(raw["images"]).reshape(-1, PIXELS), torch.from_numpy(raw["labels"]).long()


class Batches:
    """Endless batches of a semi-supervised step: (unlabelled images, labelled images, their labels).

    Images are [B, 784] in [0, 1]; both streams are shuffled anew each pass. The first `labels` rows keep their label:
    MNIST's order is as good as any for timing.
    """

    def __init__(self, setting: Setting, dtype: torch.dtype = torch.float32) -> None:
        self.setting, self.dtype = setting, dtype
        images, labels = read()
        self.images, self.labels = images[: setting.rows], labels

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        setting = self.setting
        unlabelled = _passes(setting.labels, setting.rows, setting.unlabelled)
        labelled = _passes(0, setting.labels, setting.labelled)
        for first, second in zip(unlabelled, labelled, strict=True):
            yield self._pixels(first), self._pixels(second), self.labels[second]

    def _pixels(self, rows: Tensor) -> Tensor:
        return self.images[rows].to(self.dtype) / 255


def _passes(begin: int, end: int, size: int) -> Iterator[Tensor]:
    """Row numbers in [begin, end), `size` at a time, in passes without end; a short last batch is left out."""
    while True:
        order = torch.randperm(end - begin) + begin
        yield from order[: len(order) // size * size].split(size)
