"""Rows that an earlier training took, and what `prepare` makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from runtime.data.preparation.splits import Mask, RowNumbers, Splits
from runtime.data.stream.known_rows import TrainedRows
from runtime.errors import DataError


@dataclass(frozen=True)
class RecordedRows:
    """The rows of a run's splits and labels, valid for data of this fingerprint only."""

    fingerprint: str
    validation: RowNumbers
    test: RowNumbers
    labelled: Mapping[str, RowNumbers]

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "RecordedRows | None":
        """What a manifest tells; None if it does not say all of it. (The oldest ones have every key.)"""
        try:
            validation, test = (np.array(manifest[part], dtype=np.int64) for part in ("validation", "test"))
            labelled = {str(name): np.array(rows, dtype=np.int64) for name, rows in manifest["labelled"].items()}
            return cls(str(manifest["fingerprint"]), validation, test, labelled)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None

    def splits(self, rows: int) -> Splits:
        """The splits of a source of so many rows. DataError if the numbers are none of its rows."""
        held_out = np.concatenate([self.validation, self.test])
        if len(np.unique(held_out)) < len(held_out) or not np.isin(held_out, np.arange(rows)).all():
            raise DataError("the manifest of the run names rows that the data do not have", "the run folder is damaged")
        training = np.setdiff1d(np.arange(rows), held_out)
        return Splits(training, np.sort(self.validation), np.sort(self.test))

    def kept(self, name: str, available: Mask) -> Mask:
        """[N] the rows in which label `name` was kept; all of `available` where the run did not have it."""
        if name not in self.labelled:
            return available
        rows = self.labelled[name]
        kept = np.zeros_like(available)
        kept[rows[(rows >= 0) & (rows < len(kept))]] = True
        return kept & available


@dataclass(frozen=True)
class EarlierRows:
    """What earlier trainings ask of the splits. recorded: taken over whole where the data are still those; trained:
    never held out."""

    recorded: RecordedRows | None = None
    trained: tuple[TrainedRows, ...] = ()


NONE = EarlierRows()
