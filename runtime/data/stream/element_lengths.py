"""How many elements the rows of each split have of a plate: a table for people, plain values for files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from graphspec.graphs.graph import Plate
from runtime.data.stream.column_store import Selection


@dataclass(frozen=True)
class Lengths:
    """Elements of one plate in one split. least, median, most: of those that could have some (rows, or in nested plates
    elements of the plate outside); all: of them together; without: how many have none; unknown: whose count is blank.
    """

    plate: str
    split: str
    least: int
    median: int
    most: int
    all: int
    without: int
    unknown: int

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the names."""
        return {name: value for name, value in vars(self).items() if name not in ("plate", "split")}


def lengths_of(plates: Iterable[Plate], splits: Mapping[str, Selection]) -> tuple[Lengths, ...]:
    """Of every plate with a count that rows have, and every split that has rows."""
    found = []
    for plate in plates:
        for split, chosen in splits.items():
            if plate.count is not None and plate.count in chosen and len(chosen.rows):
                found.append(_of(plate, plate.count, split, chosen))
    return tuple(found)


def _of(plate: Plate, count: str, split: str, chosen: Selection) -> Lengths:
    parts, unknown = [torch.zeros(0, dtype=torch.int64)], 0
    for values, there in chosen.chunks_there(count):
        known = values if there is None else values[there]
        unknown += int((known == -1).sum())
        parts.append(known[known != -1].flatten().cpu())
    lengths = torch.cat(parts)
    if not len(lengths):
        return Lengths(plate.name, split, 0, 0, 0, 0, 0, unknown)
    least, median, most = int(lengths.min()), int(lengths.median()), int(lengths.max())
    return Lengths(plate.name, split, least, median, most, int(lengths.sum()), int((lengths == 0).sum()), unknown)


def describe_lengths(found: Sequence[Lengths]) -> str:
    """A table: a line per plate and split; empty without plates of varying length.

    elements of visits  least  median  most  all  none at all
      training              0       4     9   83  2
    """
    lines: list[tuple[str, ...]] = []
    for each in found:
        if not lines or all(each.plate != other.plate for other in found[: found.index(each)]):
            lines.append((f"elements of {each.plate}", "least", "median", "most", "all", "none at all"))
        numbers = (each.least, each.median, each.most, each.all, each.without)
        lines.append((f"  {each.split}", *map(str, numbers)))
        if each.unknown:
            lines[-1] = (*lines[-1][:-1], f"{each.without} ({each.unknown} unknown)")
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        "  ".join([f"{line[0]:<{widths[0]}}", *(f"{line[i]:>{widths[i]}}" for i in range(1, 5)), line[5]])
        for line in lines
    )
