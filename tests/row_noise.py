"""Noise keyed by row: a row has the same draws whatever batch it stands in."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.tensors.noise import Noise


class RowNoise(Noise):
    """The same draws for a row whatever batch it stands in: keyed by (seed, row, name)."""

    in_order = False

    def __init__(self, seed: int, rows: Sequence[int]) -> None:
        super().__init__(seed, len(rows))
        self.seed = seed
        self.rows = tuple(int(row) for row in rows)

    def _generator(self, name: str, row: int) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed}/{row}/{name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        draws = [torch.randn((*lead, *event), generator=self._generator(name, row), dtype=dtype) for row in self.rows]
        return torch.stack(draws, dim=len(lead))

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        draws = [torch.rand((*lead, *event), generator=self._generator(name, row), dtype=dtype) for row in self.rows]
        return torch.stack(draws, dim=len(lead)).clamp_min(torch.finfo(dtype).tiny)

    def select(self, rows: slice | Tensor) -> "RowNoise":
        return RowNoise(self.seed, torch.tensor(self.rows)[rows].tolist())
