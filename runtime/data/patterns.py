"""Observation patterns of a split: how many rows have exactly which labels."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from runtime.data.rows import Rows


def has_label(values: Tensor) -> Tensor:
    """[N] True where a row's label is there: not NaN, and not -1 where values are whole numbers."""
    blank = values.isnan() if values.is_floating_point() else values == -1
    return ~blank.reshape(len(values), -1).all(dim=1)


def count_patterns(rows: "Rows", labels: Iterable[str]) -> list[tuple[tuple[str, ...], int]]:
    """(labels a row has, how many rows have exactly these), most labels first."""
    names = tuple(labels)
    if not len(rows):
        return []
    if not names:
        return [((), len(rows))]
    masks = torch.stack([has_label(rows.values[name]) for name in names], dim=1)
    patterns, counts = torch.unique(masks, dim=0, return_counts=True)
    found = [
        (tuple(name for name, there in zip(names, pattern, strict=True) if there), int(count))
        for pattern, count in zip(patterns.tolist(), counts, strict=True)
    ]
    return sorted(found, key=lambda entry: (-len(entry[0]), [names.index(name) for name in entry[0]]))


def describe_splits(splits: Mapping[str, "Rows"], variables: Sequence[str], labels: Sequence[str]) -> str:
    """A table: one line per split, one per pattern within it.

    training     50000
      x y          100
      x          49900
    """
    always = [name for name in variables if name not in labels]
    lines: list[tuple[str, int]] = []
    for split, rows in splits.items():
        lines.append((split, len(rows)))
        for there, count in count_patterns(rows, labels):
            lines.append(("  " + " ".join([*always, *there]), count))
    width = max(len(text) for text, _ in lines)
    digits = max(len(str(count)) for _, count in lines)
    return "\n".join(f"{text:<{width}}  {count:>{digits}}" for text, count in lines)
