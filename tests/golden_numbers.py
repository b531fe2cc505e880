"""Keyed numbers of the golden steps: what is made up follows from names, and what is large is sketched."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from row_noise import RowNoise
from torch import Tensor

DIRECTIONS = 8
"""One for each bit of a random byte."""
RENAMED: tuple[tuple[str, str], ...] = ()
"""Pairs (pattern of a tensor's name today, what `re.sub` puts in its place to give the name it had): a change that
renames tensors goes here, and the goldens, whose weights and directions follow from the names, stand."""


def original(name: str) -> str:
    """What a tensor of this name was called when the goldens were made."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def philox(*names: str | int) -> np.random.Generator:
    """A generator for what these names stand for."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))


class KeyedNoise(RowNoise):
    """`RowNoise`, from numpy: a row draws the same alone and in a mixed batch."""

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._drawn("normal", name, lead, event).to(dtype)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._drawn("random", name, lead, event).to(dtype).clamp_min(torch.finfo(dtype).tiny)

    def _drawn(self, kind: str, name: str, lead: Sequence[int], event: Sequence[int]) -> Tensor:
        """[*lead, rows, *event], float64."""
        generators = [philox("noise", self.seed, row, name) for row in self.rows]
        shape = (*lead, *event)
        draws = [g.random(shape) if kind == "random" else g.standard_normal(shape) for g in generators]
        return torch.stack([torch.from_numpy(np.asarray(draw)) for draw in draws], dim=len(lead))

    def select(self, rows: slice | Tensor) -> "KeyedNoise":
        return KeyedNoise(self.seed, torch.tensor(self.rows)[rows].tolist())


def sketches(tensors: Mapping[str, Tensor | None]) -> dict[str, list[float] | None]:
    """By the names that the tensors had."""
    named = {original(name): value for name, value in tensors.items()}
    return {name: None if value is None else sketch(name, value) for name, value in sorted(named.items())}


def sketch(name: str, value: Tensor) -> list[float]:
    """Norm, then projections on directions of signs that follow from the name and the shape."""
    flat = value.detach().flatten().numpy()
    signs = _signs(name, flat.size)
    return [float(np.sqrt(np.sum(flat * flat))), *(float(np.sum(np.where(sign, flat, -flat))) for sign in signs)]


def in_one(sketches: Iterable[list[float] | None]) -> list[float]:
    """The sketch of several tensors as one vector, whose directions are theirs one after the other."""
    there = [sketch for sketch in sketches if sketch is not None]
    norms, *projections = zip(*there, strict=True)
    return [math.hypot(*norms), *(math.fsum(each) for each in projections)]


def _signs(name: str, size: int) -> Any:
    """[DIRECTIONS, size] bool."""
    found = np.frombuffer(philox("direction", name, size).bytes(size), dtype=np.uint8)
    return [(found >> bit) & 1 == 1 for bit in range(DIRECTIONS)]


def as_text(value: Any, depth: int = 0) -> str:
    """JSON with one line for each list or number, so that a difference shows what moved."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value)
    inner = ",\n".join(f"{' ' * (depth + 1)}{json.dumps(k)}: {as_text(v, depth + 1)}" for k, v in value.items())
    return "{\n" + inner + "\n" + " " * depth + "}"
