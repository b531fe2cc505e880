"""What is there and what is blank: rows per observation pattern, and elements given per variable.

A label of which a row has some elements and lacks others is given in part. Such a row counts as labelled.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from runtime.data.stream.column_store import Selection

WITHOUT, IN_PART, WHOLE = 0, 1, 2
MOST_PATTERNS = 16
"""Lines that `describe_splits` gives to the patterns of one split; twenty labels could have a million."""


@dataclass(frozen=True)
class Given:
    """How much of one variable the rows of a split have. whole, part, without: rows; elements: given, of `possible`.

    per_element: [*shape] rows that have each element. absent: elements that are not there in a plate.
    """

    whole: int
    part: int
    without: int
    per_element: Tensor
    absent: int = 0

    @property
    def rows(self) -> int:
        """All rows, with and without."""
        return self.whole + self.part + self.without

    @property
    def elements(self) -> int:
        """Elements given."""
        return int(self.per_element.sum())

    @property
    def possible(self) -> int:
        """Elements there would be without blanks."""
        return self.rows * self.per_element.numel() - self.absent


def given_elements(values: Tensor, discrete: bool = False) -> Tensor:
    """[N, *shape] True where an element is there: not NaN, and not -1 where values are whole numbers, by their type or
    because the variable is `discrete`."""
    there = ~values.isnan()
    whole_numbers = discrete or not (values.is_floating_point() or values.dtype == torch.uint8)
    return there & (values != -1) if whole_numbers else there


def count_given(chosen: Selection, name: str) -> Given:
    """How much of variable `name` the rows have."""
    states, each, absent = _look(chosen, name)
    found = torch.bincount(states.long(), minlength=3).tolist()
    return Given(found[WHOLE], found[IN_PART], found[WITHOUT], each, absent)


def _look(chosen: Selection, name: str) -> tuple[Tensor, Tensor, int]:
    """[N] WITHOUT, IN_PART or WHOLE; [*shape] rows that have each element; elements that are not there in a plate."""
    each = torch.zeros(chosen.stored[name].shape, dtype=torch.int64)
    states = torch.empty(len(chosen.rows), dtype=torch.uint8)
    start = absent = 0
    for values, there in chosen.chunks_there(name):
        mask = given_elements(values).cpu()
        gone = torch.zeros_like(mask) if there is None else ~as_wide(there.cpu(), mask)
        mask &= ~gone
        absent += int(gone.sum())
        each += mask.sum(dim=0)
        flat, nothing = mask.unsqueeze(-1).flatten(1), gone.unsqueeze(-1).flatten(1)
        found = torch.where((flat | nothing).all(dim=1), WHOLE, IN_PART)
        states[start : start + len(found)] = torch.where(flat.any(dim=1), found, WITHOUT)
        start += len(found)
    return states, each, absent


def as_wide(there: Tensor, values: Tensor) -> Tensor:
    """[n, *plates] as [n, *plates, *shape] of the values."""
    return there.reshape(*there.shape, *(1,) * (values.dim() - there.dim())).expand_as(values)


def count_patterns(chosen: Selection, labels: Iterable[str]) -> list[tuple[tuple[str, ...], int]]:
    """(labels a row has, how many rows have exactly these), most labels first; `y (in part)` is a label of its own."""
    names = tuple(labels)
    if not len(chosen.rows):
        return []
    if not names:
        return [((), len(chosen.rows))]
    states = torch.stack([_look(chosen, name)[0] for name in names], dim=1)
    found = [(tuple(code), count) for code, count in _distinct(states)]
    found.sort(key=lambda entry: (entry[0].count(WITHOUT), [-state for state in entry[0]]))
    return [(_shown(names, code), count) for code, count in found]


def _distinct(states: Tensor) -> list[tuple[list[int], int]]:
    """The different rows of [N, L], and how often each is there. (`unique` of rows takes a minute for 5 million.)"""
    code = torch.zeros(len(states), dtype=torch.int64)
    for column in states.unbind(dim=1):
        code = code * 3 + column
        if int(code.max()) > 2**60:
            code = torch.unique(code, return_inverse=True)[1]
    _, code, counts = torch.unique(code, return_inverse=True, return_counts=True)
    example = torch.empty_like(counts).scatter_(0, code, torch.arange(len(states)))
    return list(zip(states[example].tolist(), counts.tolist(), strict=True))


def _shown(names: Sequence[str], code: Sequence[int]) -> tuple[str, ...]:
    marks = {WHOLE: "", IN_PART: " (in part)"}
    return tuple(name + marks[state] for name, state in zip(names, code, strict=True) if state != WITHOUT)


def describe_splits(splits: Mapping[str, Selection], variables: Sequence[str], labels: Sequence[str]) -> str:
    """A table: one line per split, one per pattern within it.

    training     50000
      x y          100
      x          49900
    """
    always = [name for name in variables if name not in labels]
    lines: list[tuple[str, int]] = []
    for split, chosen in splits.items():
        lines.append((split, len(chosen.rows)))
        patterns = count_patterns(chosen, labels)
        if len(patterns) > MOST_PATTERNS:
            patterns = sorted(patterns, key=lambda entry: -entry[1])
        for there, count in patterns[:MOST_PATTERNS]:
            lines.append(("  " + " ".join([*always, *there]), count))
        rest = patterns[MOST_PATTERNS:]
        if rest:
            lines.append((f"  {len(rest)} other patterns", sum(count for _, count in rest)))
    width = max(len(text) for text, _ in lines)
    digits = max(len(str(count)) for _, count in lines)
    return "\n".join(f"{text:<{width}}  {count:>{digits}}" for text, count in lines)


def describe_blanks(chosen: Selection, names: Iterable[str]) -> str:
    """A table of the variables that some rows have in part only; empty where there are none.

    rows that have      all  some  none  elements given
      has                 0   576     0  6912 of 11520 (60 %)
    """
    found = {name: count_given(chosen, name) for name in names}
    lines = [
        (f"  {name}", str(g.whole), str(g.part), str(g.without),
         f"{g.elements} of {g.possible} ({100 * g.elements / g.possible:.0f} %)")
        for name, g in found.items() if g.elements < g.possible
    ]  # fmt: skip
    if not lines:
        return ""
    table = [("training rows that have", "all", "some", "none", "elements given"), *lines]
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    return "\n".join(
        "  ".join([f"{line[0]:<{widths[0]}}", *(f"{line[i]:>{widths[i]}}" for i in (1, 2, 3)), line[4]])
        for line in table
    )
