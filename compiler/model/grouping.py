"""Which rows share a pattern of labels and blanks: one program serves a pattern.

From: prepared rows. To: a number a row (`row_patterns`), and the rows of each `Pattern` (`group`).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compiler.symbolic.lowering import one_program_for_all
from compiler.symbolic.program import Pattern
from compiler.tensors import blanks, presence
from graphspec.graphs.graph import Graphs

ABSENT, PARTIAL, WHOLE = 0, 1, 2
"""How much of a label a row has."""
_STATES = 3


def row_patterns(graphs: Graphs, rows: Mapping[str, Tensor]) -> Tensor:
    """[B] int64: each row's pattern of labels and blanks as one number, equal where the patterns are.

    For prepared rows. Computed once for a data set, it spares every step a look at the device.
    """
    first, masks = next(iter(rows.values())), presence.presence(graphs, rows)
    codes = torch.zeros(len(first), dtype=torch.int64, device=first.device)
    for name in graphs.observed:
        if graphs.variables[name].missing:
            lacking = ~blanks.given(graphs, name, rows[name])
            there = presence.of_variable(graphs, masks, graphs.variables[name])
            lacking = lacking if there is None else lacking & there
            codes = codes | lacking.reshape(len(first), -1).any(dim=1).long()
    if one_program_for_all(graphs):
        return codes
    for name in graphs.supervised:
        mask = blanks.given(graphs, name, rows[name])
        there = presence.of_variable(graphs, masks, graphs.variables[name])
        some = (mask if there is None else mask & there).reshape(len(first), -1).any(dim=1)
        whole = (mask if there is None else mask | ~there).reshape(len(first), -1).all(dim=1)
        codes = codes * _STATES + torch.where(~some, ABSENT, torch.where(whole, WHOLE, PARTIAL))
    return codes


def group(
    graphs: Graphs, rows: Mapping[str, Tensor], codes: Tensor | None = None
) -> list[tuple[Pattern, slice | Tensor | None]]:
    """Rows by observation pattern: where they are, as positions [n], a slice where they stand side by side, or None
    where all rows share one pattern. codes: their `row_patterns`, if known.

    A label of which a row has some elements and lacks others is masked; with more supervised variables than programs
    are worth, all of them are, for every row. Where some rows have blanks, a mask serves the others too: one group less
    for each pattern of labels.
    """
    codes = row_patterns(graphs, rows) if codes is None else codes
    numbers = as_one_kind(graphs, codes.cpu().numpy())
    bounds = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), len(numbers)]
    if len(bounds) == 2:
        return [(pattern_of(graphs, int(numbers[0])), None)]
    stretches: dict[int, list[slice]] = {}
    for start, stop in pairwise(bounds):
        stretches.setdefault(int(numbers[start]), []).append(slice(start, stop))
    return [
        (pattern_of(graphs, code), rows[0] if len(rows) == 1 else torch.from_numpy(np.flatnonzero(numbers == code)))
        for code, rows in sorted(stretches.items())
    ]


def as_one_kind(graphs: Graphs, numbers: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Numbers of `row_patterns` as if every row had blanks, if one has."""
    first_blank = first_with_blanks(graphs)
    return (
        np.where(numbers < first_blank, numbers + first_blank, numbers) if (numbers >= first_blank).any() else numbers
    )


def first_with_blanks(graphs: Graphs) -> int:
    """The smallest number of `row_patterns` that stands for rows with blanks."""
    return 1 if one_program_for_all(graphs) else _STATES ** len(graphs.supervised)


def pattern_of(graphs: Graphs, code: int) -> Pattern:
    """What a number of `row_patterns` stands for."""
    names, states = graphs.supervised, []
    if one_program_for_all(graphs):
        states = [PARTIAL] * len(names)
    else:
        for _ in names:
            code, state = divmod(code, _STATES)
            states.insert(0, state)
    return Pattern(
        tuple(name for name, state in zip(names, states, strict=True) if state == WHOLE),
        tuple(name for name, state in zip(names, states, strict=True) if state == PARTIAL),
        tuple(name for name in graphs.observed if graphs.variables[name].missing) if code else (),
    )
