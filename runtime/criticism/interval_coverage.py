"""Whether 90 % intervals hold 90 % of the numbers: of labels, of hidden cells, of rows as the model draws them anew.

From: held-out rows. To: plain values, one for each variable of numbers, by column where there are several.
"""

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphspec.graphs.graph import Variable
from runtime.data.stream.patterns import given_elements
from runtime.measures.evaluation import placement
from runtime.predicting.imputing import impute_rows, imputed, reconstructed
from runtime.predicting.row_answers import AskedFor, answer_rows, in_data_units
from runtime.predicting.row_noise import RowNoise, keys_of_contents
from runtime.predicting.used_run import UsedRun

HIDDEN, SAMPLES, BATCH = 0.2, 100, 250
SURE, TELLING = 2.58, 0.03
"""Standard errors (99 %) and shares by which an interval must miss to be told."""
WORST = 3
FEWEST_CELLS = 20
Flags = NDArray[np.bool_]


def interval_coverage(used: UsedRun, held: Mapping[str, Tensor], seed: int) -> list[dict[str, Any]]:
    """`{name, of, holds, interval, cells, off, worst}` of each variable of numbers. of: what intervals are of: a label
    told from the rest; cells that were hidden and imputed, where the variable may be blank; else cells that p draws
    anew at what q makes of the row itself. holds: the share of cells inside, with its 95 % interval. worst: the
    columns farthest from 90 %."""
    labels = [n for n in used.graphs.supervised if _number(used.graphs.variables[n]) and n in held]
    blanks = [n for n in imputed(used) if _number(used.graphs.variables[n])]
    others = [n for n in used.graphs.observed
              if n in used.graphs.generative and n not in blanks and _number(used.graphs.variables[n])]  # fmt: skip
    inside: dict[str, list[tuple[Flags, Flags]]] = {}
    count = len(next(iter(held.values())))
    for first in range(0, count, BATCH):
        rows = {name: value[first : first + BATCH] for name, value in held.items()}
        for name, cells, hold in _batch(used, rows, labels, blanks, others, seed + first):
            inside.setdefault(name, []).append((cells, hold))
    of = dict.fromkeys(labels, "predicted") | dict.fromkeys(blanks, "hidden and imputed")
    of |= dict.fromkeys(others, "drawn anew from the row itself")
    found = []
    for name, parts in inside.items():
        cells, hold = (np.concatenate(each) for each in zip(*parts, strict=True))
        if cells.sum() >= FEWEST_CELLS:
            found.append(
                {"name": used.called(name), "of": of[name], **_share(cells, hold), **_worst(used, name, cells, hold)}
            )
    return found


def _number(variable: Variable) -> bool:
    return variable.support is None and variable.domain not in ("direction", "simplex")


def _batch(
    used: UsedRun, rows: Mapping[str, Tensor], labels: list[str], blanks: list[str], others: list[str], seed: int
) -> Iterator[tuple[str, Flags, Flags]]:
    """(variable, which cells are looked at, whether their interval holds them) [n, elements]."""
    asked = AskedFor("none", samples=SAMPLES, seed=seed)
    observed = {name: value for name, value in rows.items() if name in used.graphs.observed}
    if labels:
        for answer in answer_rows(used, observed or rows, asked, 0):
            name = answer.variable.name
            if name in labels and answer.low is not None and answer.high is not None:
                yield name, *_hold(used, name, rows[name], answer.low, answer.high)
    if blanks:
        lacking, hidden = dict(observed), dict[str, Tensor]()
        generator = torch.Generator().manual_seed(seed)
        for name in blanks:
            drawn = torch.rand(rows[name].shape, generator=generator).to(rows[name].device) < HIDDEN
            hidden[name] = drawn & given_elements(rows[name], False)
            lacking[name] = rows[name].masked_fill(hidden[name], torch.nan)
        for answer in impute_rows(used, lacking, asked):
            name = answer.variable.name
            if name in blanks and answer.low is not None and answer.high is not None:
                _, hold = _hold(used, name, rows[name], answer.low, answer.high)
                cells = hidden[name].reshape(len(hold), -1).cpu().numpy()
                yield name, cells, hold & cells
    if others:
        noise = RowNoise(
            seed, len(next(iter(observed.values()))), lambda: keys_of_contents(observed), placement(used.model)[0]
        )
        drawn_anew = reconstructed(used, observed, SAMPLES, noise)
        for name in others:
            each = [in_data_units(draw, used.units.get(name)) for draw in drawn_anew[name]]
            low, high = np.quantile(each, asked.levels, axis=0)
            yield name, *_hold(used, name, rows[name], low, high)


def _hold(used: UsedRun, name: str, values: Tensor, low: Any, high: Any) -> tuple[Flags, Flags]:
    own = in_data_units(values, used.units.get(name))
    cells: Flags = ~np.isnan(own)
    return cells, cells & (low <= own) & (own <= high)


def _share(cells: Flags, hold: Flags) -> dict[str, Any]:
    """The share with its interval: cells of a row go together."""
    total = int(cells.sum())
    share = hold.sum() / total
    off = (hold.sum(1) - share * cells.sum(1)).astype(np.float64)
    error = max(sqrt(float((off**2).sum())) / total, sqrt(0.9 * 0.1 / total) / 2)
    gap = abs(share - 0.9)
    ends = [float(max(0.0, share - 1.96 * error)), float(min(1.0, share + 1.96 * error))]
    return {"holds": float(share), "interval": ends, "cells": total, "off": bool(gap > SURE * error and gap > TELLING)}


def _worst(used: UsedRun, name: str, cells: Flags, hold: Flags) -> dict[str, Any]:
    """The columns farthest from what they should hold, where there are several."""
    if cells.shape[1] < 2 or cells.shape[1] > 500:
        return {}
    each = hold.sum(0) / np.maximum(cells.sum(0), 1)
    gap = np.where(cells.sum(0) >= FEWEST_CELLS, np.abs(each - 0.9), -1)
    called = used.elements(name)
    worst = [int(place) for place in np.argsort(-gap)[:WORST] if gap[place] > 0]
    return {"worst": {called[place]: float(each[place]) for place in worst}}
