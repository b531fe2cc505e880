"""Noise of a query as tensors that come with its rows: which ones it asks for, and how it is given them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from compiler.tensors.noise import Noise


class Draw(NamedTuple):
    """Noise of one kind (`normal`, or `uniform` in (0, 1)) for a variable, [B, *lead, *event]."""

    kind: str
    name: str
    lead: tuple[int, ...]
    event: tuple[int, ...]


class RecordingNoise(Noise):
    """Notes what is asked for."""

    in_order = False

    def __init__(self, batch: int) -> None:
        super().__init__(torch.Generator().manual_seed(0), batch)
        self.asked: dict[Draw, None] = {}

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        self.asked[Draw("normal", name, tuple(lead), tuple(event))] = None
        return super().normal(name, lead, event, dtype)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        self.asked[Draw("uniform", name, tuple(lead), tuple(event))] = None
        return super().uniform(name, lead, event, dtype)

    def select(self, rows: slice | Tensor) -> "RecordingNoise":
        return self


class GivenNoise:
    """Noise [B, *lead, *event] that a query is given, by kind, variable, samples and shape."""

    in_order = False

    def __init__(self, draws: Mapping[tuple[str, str, tuple[int, ...], tuple[int, ...]], Tensor]) -> None:
        self.draws = draws

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Standard normal draws for variable (or layer) `name`, rows behind `lead`."""
        return self.draws["normal", name, tuple(lead), tuple(event)].movedim(0, len(lead)).to(dtype)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Uniform draws in (0, 1)."""
        return self.draws["uniform", name, tuple(lead), tuple(event)].movedim(0, len(lead)).to(dtype)
