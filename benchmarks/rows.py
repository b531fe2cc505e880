"""The rows that implementations other than graphspec train on, in memory at once, and endless batches of them by index.

MNIST's training images from the data folder, or the table beside this file.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.settings import PIXELS, TABLE, Setting

_HEADER = {"images": 16, "labels": 8}
_FILES = {"images": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte"}

COLUMNS = ("age", "pressure", "iron", "glucose", "visits", "smoker", "site")
"""Of the table's matrix."""
_NAMES = {
    "smoker": ("no", "yes"),
    "site": ("arm", "leg", "back"),
    "diagnosis": ("healthy", "mild", "severe"),
}


@dataclass(frozen=True)
class Rows:
    """values: [N, inputs], images as bytes, columns as numbers with NaN where they are blank. labels: [N] int64.

    without, labelled: positions of the rows that train without their label, and with it.
    """

    values: Tensor
    labels: Tensor
    without: Tensor
    labelled: Tensor

    def at(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """[B, inputs]; images in [0, 1]."""
        found = self.values[positions].to(dtype)
        return found / 255 if self.values.dtype == torch.uint8 else found


def mnist_folder() -> Path | None:
    """MNIST/raw in the data folder GRAPHSPEC_DATA; None where the files are not there."""
    place = Path(os.environ.get("GRAPHSPEC_DATA", "")) / "MNIST" / "raw"
    return place if all((place / name).is_file() for name in _FILES.values()) else None


def read(setting: Setting) -> Rows:
    """A setting's rows."""
    return _table() if setting.rows_from == "table" else _images(setting)


def _images(setting: Setting) -> Rows:
    """The first `labels` rows keep their label: MNIST's order is as good as any for timing."""
    place = mnist_folder()
    assert place is not None, "the command looks for the files before it starts anything"
    raw = {kind: np.fromfile(place / name, np.uint8)[_HEADER[kind] :] for kind, name in _FILES.items()}
    images, labels = torch.from_numpy(raw["images"]).reshape(-1, PIXELS), torch.from_numpy(raw["labels"]).long()
    return Rows(images, labels, torch.arange(setting.labels, setting.rows), torch.arange(setting.labels))


def _table() -> Rows:
    """The two lab values standardized, names as their place, labels where the table has them."""
    with TABLE.open(newline="") as file:
        lines = list(csv.DictReader(file))
    numbers = {name: torch.tensor([_number(name, line[name]) for line in lines]) for name in (*COLUMNS, "diagnosis")}
    for name in ("pressure", "iron"):
        known = numbers[name][~numbers[name].isnan()]
        numbers[name] = (numbers[name] - known.mean()) / known.std(correction=0)
    values, labels = torch.stack([numbers[name] for name in COLUMNS], dim=1), numbers["diagnosis"]
    has = ~labels.isnan()
    return Rows(values, labels.nan_to_num(-1).long(), (~has).nonzero()[:, 0], has.nonzero()[:, 0])


def _number(name: str, cell: str) -> float:
    """A cell's number; NaN where it is blank."""
    if not cell:
        return float("nan")
    return float(_NAMES[name].index(cell)) if name in _NAMES else float(cell)


class Batches:
    """Endless batches of a semi-supervised step: (unlabelled rows, labelled rows, their labels), on one device.

    Rows are [B, inputs]; both streams are shuffled anew each pass.
    """

    def __init__(self, setting: Setting, dtype: torch.dtype = torch.float32, device: str = "cpu") -> None:
        self.setting, self.dtype = setting, dtype
        rows = read(setting)
        self.rows = Rows(*(part.to(device) for part in (rows.values, rows.labels, rows.without, rows.labelled)))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        unlabelled = _passes(self.rows.without, self.setting.unlabelled)
        labelled = _passes(self.rows.labelled, self.setting.labelled)
        for first, second in zip(unlabelled, labelled, strict=True):
            yield self.rows.at(first, self.dtype), self.rows.at(second, self.dtype), self.rows.labels[second]


def _passes(positions: Tensor, size: int) -> Iterator[Tensor]:
    """Positions `size` at a time, in passes without end; a short last batch is left out."""
    while True:
        order = positions[torch.randperm(len(positions), device=positions.device)]
        yield from order[: len(order) // size * size].split(size)
