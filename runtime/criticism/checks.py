"""`evaluate --checks`: a model's draws and intervals against held-out rows, and what of them it explains worst.

From: a run, opened, and rows of a split. To: plain values, and texts about what is off.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compiler.tensors.noise import Noise
from runtime.criticism.draws_beside_rows import MOST_ELEMENTS, ColumnOfDraws, by_class, distances, pairs
from runtime.criticism.interval_coverage import interval_coverage
from runtime.data import Rows
from runtime.data.stream.patterns import given_elements
from runtime.measures.evaluation import placement
from runtime.predicting.imputing import in_data_numbers
from runtime.predicting.row_answers import as_rows
from runtime.predicting.used_run import UsedRun

MOST_ROWS, REPLICATIONS = 1000, 20
APART = 0.05
"""A share of cells in 90 % intervals that is so far from 90 % is told, be it by chance."""


def check_rows(used: UsedRun, rows: Rows, seed: int = 0) -> dict[str, Any]:
    """`{rows, columns, pairs, by_class, intervals, notes, warnings}`; of at most 1,000 rows, chosen by the seed."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(rows), generator=generator)[:MOST_ROWS].sort().values
    held = as_rows(used, rows.batch(chosen, placement(used.model)[1]))
    with torch.no_grad():
        columns = _columns(used, held, seed)
        intervals = interval_coverage(used, held, seed)
    labels = {c.name: c for c in columns if c.variable.role == "supervised" and c.classes is not None}
    found: dict[str, Any] = {
        "rows": len(chosen),
        "columns": distances(columns),
        "pairs": pairs(columns),
        "by_class": by_class(columns, labels),
        "intervals": intervals,
    }
    notes = [*_notes(used, columns, len(rows)), *_few_cells(intervals)]
    return found | {"notes": notes, "warnings": list(_told(found))}


def _notes(used: UsedRun, columns: list[ColumnOfDraws], rows: int) -> list[str]:
    """What was not looked at."""
    looked = {column.variable.name for column in columns}
    left = [name for name in used.graphs.observed if name in used.graphs.generative and name not in looked]
    notes = [f"draws of {name} are not compared: it has more than {MOST_ELEMENTS} elements" for name in left]
    return notes + ([f"checks look at {MOST_ROWS} of {rows} rows"] if rows > MOST_ROWS else [])


def _columns(used: UsedRun, held: Mapping[str, Tensor], seed: int) -> list[ColumnOfDraws]:
    """Every element of what p models, but of variables with very many."""
    graphs, model = used.graphs, used.model
    names = [name for name in (*graphs.observed, *graphs.supervised) if name in graphs.generative]
    count = len(next(iter(held.values())))
    given = {name: value for name, value in held.items() if name not in names}
    drawn: dict[str, list[Any]] = {name: [] for name in names}
    for each in range(REPLICATIONS):
        made = model.generate(given, count, noise=Noise(seed + 1 + each, count), means=False)
        for name in names:
            drawn[name].append(in_data_numbers(used, graphs.variables[name], made[name]))
    found = []
    for name in names:
        own, variable = in_data_numbers(used, graphs.variables[name], held[name]), graphs.variables[name]
        blank = ~_given(held[name], variable.discrete)
        if own.shape[1] > MOST_ELEMENTS:
            continue
        own[blank], draws = np.nan, np.stack(drawn[name])
        draws[:, blank] = np.nan
        found += [
            ColumnOfDraws(called, variable, own[:, place], draws[:, :, place])
            for place, called in enumerate(used.elements(name))
        ]
    return found


def _given(values: Tensor, discrete: bool) -> Any:
    return given_elements(values, discrete).reshape(len(values), -1).cpu().numpy()


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    """What is off, in words."""
    off = [each for each in found["columns"] if each["off"]]
    for each in sorted(off, key=lambda each: -each["distance"])[:5]:
        told = ""
        if "rows" in each:
            told = f": rows {_spread(each['rows'])}, draws {_spread(each['draws'])}"
        yield (
            f"draws of {each['column']} differ from the rows: distance {each['distance']:.2f} "
            f"({each['interval'][0]:.2f} to {each['interval'][1]:.2f}), by chance up to {each['chance']:.2f}{told}"
        )
    for each in found["pairs"]:
        if each["off"]:
            first, second = each["pair"]
            yield (
                f"{first} and {second} hang together otherwise: correlation of ranks {each['rows']:.2f} in the rows, "
                f"{each['draws']:.2f} in draws ({each['interval'][0]:.2f} to {each['interval'][1]:.2f})"
            )
    for each in found["intervals"]:
        if each["off"]:
            yield f"{_held(each)}: they are too {_narrow(each)}"


def _few_cells(intervals: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Intervals that hold much less or more than they say, on so few rows that it may be chance."""
    for each in intervals:
        if abs(each["holds"] - 0.9) > APART and not each["off"]:
            yield f"{_held(each)}: they may be too {_narrow(each)}, or it is chance, which so few rows cannot tell"


def _held(each: Mapping[str, Any]) -> str:
    low, high = each["interval"]
    return (
        f"90 % intervals of {each['name']} ({each['of']}) hold {100 * each['holds']:.1f} % of {each['cells']} "
        f"cells ({100 * low:.1f} to {100 * high:.1f})"
    )


def _narrow(each: Mapping[str, Any]) -> str:
    return "narrow" if each["holds"] < 0.9 else "wide"


def _spread(numbers: list[float]) -> str:
    return f"{numbers[0]:.4g} ± {numbers[1]:.3g}"
