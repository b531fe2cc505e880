"""What training rows hold of each variable: between which numbers they lie, and which classes there are. Whoever uses
the model on other rows can tell by it what it has never seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphspec.graphs.graph import Variable
from runtime.data.stream.column_store import Selection
from runtime.data.stream.patterns import given_elements
from runtime.data.stream.ragged_store import Ragged

MOST_ELEMENTS = 20_000
"""Larger values are pictures and the like, of which no element is looked at alone."""


@dataclass(frozen=True)
class Seen:
    """In the model's units, blanks left out. low, high, spread: [elements], the standard deviation of numbers, of
    positive ones that of their logarithms. classes: values of a discrete variable that some element has."""

    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    classes: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, as a manifest has them."""
        return {key: list(value) for key, value in vars(self).items() if value}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Seen":
        """What `to_json` gave. Raises TypeError or ValueError for anything else."""
        floats = {key: tuple(map(float, plain.get(key, ()))) for key in ("low", "high", "spread")}
        return cls(**floats, classes=tuple(map(int, plain.get("classes", ()))))


def seen_in(variables: Mapping[str, Variable], rows: Selection) -> dict[str, Seen]:
    """Of the variables that can be told about, in some rows. Those with blanks only are left out."""
    found = {name: _seen(variable, name, rows) for name, variable in variables.items() if _looked_at(variable, rows)}
    return {name: seen for name, seen in found.items() if seen is not None}


def _looked_at(variable: Variable, rows: Selection) -> bool:
    stored = rows.stored[variable.name]
    if isinstance(stored, Ragged) or not len(rows.rows):
        return False
    if variable.support is not None:
        return len(variable.shape) < 3
    return variable.domain in ("real", "positive", "count") and stored.shape.numel() <= MOST_ELEMENTS


def _seen(variable: Variable, name: str, rows: Selection) -> Seen | None:
    if variable.support is not None:
        there: set[int] = set()
        for values in rows.chunks(name):
            there |= set(values[given_elements(values, discrete=True)].unique().long().tolist())
        return Seen(classes=tuple(sorted(there))) if there else None
    sums: tuple[Tensor, ...] | None = None
    for values, given in _numbers(variable, name, rows):
        kept = torch.where(given, values, 0.0)
        scaled = kept.clamp_min(1e-30).log() * given if variable.domain == "positive" else kept
        ends = torch.where(given, values, torch.inf).amin(0), torch.where(given, values, -torch.inf).amax(0)
        each: tuple[Tensor, ...] = (*ends, given.sum(0).double(), scaled.sum(0), (scaled**2).sum(0))
        if sums is not None:
            added = (before + more for before, more in zip(sums[2:], each[2:], strict=True))
            each = (torch.minimum(sums[0], each[0]), torch.maximum(sums[1], each[1]), *added)
        sums = each
    if sums is None or not bool(sums[2].any()):
        return None
    low, high, count, total, squares = sums
    anything = torch.finfo(torch.float32).max
    low, high = torch.where(count > 0, low, -anything), torch.where(count > 0, high, anything)
    mean = total / count.clamp_min(1)
    spread = (squares / count.clamp_min(1) - mean**2).clamp_min(0).sqrt()
    return Seen(*(tuple(each.tolist()) for each in (low, high, spread)))


def _numbers(variable: Variable, name: str, rows: Selection) -> Iterator[tuple[Tensor, Tensor]]:
    """(values, which are given), [n, elements] each."""
    for values in rows.chunks(name):
        flat = values.double().reshape(len(values), -1)
        yield flat, given_elements(flat, variable.discrete)
