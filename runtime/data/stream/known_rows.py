"""Rows of one source, known again in another: by their names, or by what is observed in them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.data.read.row_identity import Identities
from runtime.data.stream.column_store import CHUNK_BYTES, Stored
from runtime.data.stream.proportions import ranks_within

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]
RowNumbers = NDArray[np.int64]


@dataclass(frozen=True)
class SourceRows:
    """All rows of a source, as other data may know them again.

    place: the known set or the file; named: rows have names. identities: [N]; cells: rows [n] -> a number that stands
    for what is observed in each, before anything is standardized.
    """

    place: str
    fingerprint: str
    named: bool
    identities: Identities
    cells: Callable[[RowNumbers], Hashes]


@dataclass(frozen=True)
class TrainedRows:
    """Rows that trained the weights of `run`, itself or what it started from."""

    run: str
    place: str
    fingerprint: str
    named: bool
    identities: Identities
    cells: Hashes

    def among(self, rows: SourceRows, held_out: Mask) -> Mask:
        """[N] which rows are these: by number in the same data, by name in the same place, else by their contents.

        Of rows with equal contents only as many as trained, those that are `held_out` last.
        """
        known = np.zeros(len(rows.identities), dtype=np.bool_)
        unchanged = rows.place == self.place and rows.fingerprint == self.fingerprint
        if unchanged or (rows.place == self.place and rows.named and self.named):
            known = np.isin(rows.identities, self.identities)
        return known if unchanged else known | self._alike(rows.cells(np.arange(len(known))), known, held_out)

    def _alike(self, cells: Hashes, known: Mask, held_out: Mask) -> Mask:
        values, counts = np.unique(self.cells, return_counts=True)
        if not len(values):
            return np.zeros(len(cells), dtype=np.bool_)
        at = np.minimum(np.searchsorted(values, cells), len(values) - 1)
        trained = np.where(values[at] == cells, counts[at], 0)
        order = np.lexsort((held_out, ~known))
        rank = np.empty(len(cells), dtype=np.int64)
        rank[order] = ranks_within(cells.view(np.int64)[order])[0]
        return np.asarray(rank < trained)


def cell_hashes(observed: Mapping[str, Stored]) -> Callable[[RowNumbers], Hashes]:
    """`SourceRows.cells` of variables by the names of their columns: what they are called has no part in it."""

    def hashes(rows: RowNumbers) -> Hashes:
        return np.fromiter(_digests(observed, rows), dtype=np.uint64, count=len(rows))

    return hashes


def _digests(observed: Mapping[str, Stored], rows: RowNumbers) -> Iterator[int]:
    size = max(1, sum(stored.row_bytes for stored in observed.values()))
    for some in torch.from_numpy(rows).split(max(1, CHUNK_BYTES // size)):
        columns = [observed[name].raw(some).cpu().contiguous().numpy() for name in sorted(observed)]
        columns = columns or [some.numpy()]  # rows of nothing observed are told apart by their place alone
        cells = np.concatenate([column.reshape(len(some), -1).view(np.uint8) for column in columns], axis=1)
        for row in cells:
            yield int.from_bytes(blake2b(row.data, digest_size=8).digest(), "big")
