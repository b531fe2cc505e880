"""IRS, the interventional robustness score: does a code stay put while everything but its own factor changes?

Source: Suter et al. 2019, definitions 2 to 4, estimated from rows grouped by the value of one factor (their section 5).
Their largest deviations are a high quantile here, within groups and overall alike: one row would decide otherwise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.measures.disentanglement.information import UNKNOWN, Floats, Integers

QUANTILE = 0.99


@dataclass(frozen=True)
class Robustness:
    """score: mean over codes weighted by how far each of them moves at all, in [0, 1].

    table: [D, K] robustness of each code while factor k is held; per_code: [D] of its best factor. NaN: the code never
    moves, or no factor varies.
    """

    score: float
    table: Floats
    per_code: Floats


def irs(codes: Floats, factors: Integers, discrete: NDArray[np.bool_] | None = None) -> Robustness:
    """1 - (deviation from the mean within groups of one factor value) / (deviation from the mean of all rows).

    With groups by the value of a factor, the deviation is the 99 % quantile of |code - mean of its group|, averaged
    over the values, each counting once; it is put over that of all rows. A code that is a function of one factor has 1,
    one that no factor moves about 0. A discrete code's mean is its most common value; it deviates by 1 elsewhere.
    codes: [N, D], of which `discrete` [D] ones are class indices. factors: [N, K] classes, -1 where unknown; those with
    one value are left out.
    """
    flags = np.zeros(codes.shape[1], bool) if discrete is None else discrete
    columns = [_deviations(codes[:, d], bool(flags[d]), factors) for d in range(codes.shape[1])]
    reach = np.array([_far(codes[:, d], bool(flags[d])) for d in range(codes.shape[1])])
    moving = reach > 1e-12
    table = np.maximum(0, 1 - np.stack(columns) / np.where(moving, reach, 1)[:, None])
    table[~moving] = np.nan
    known = ~np.isnan(table).all(axis=1)
    per_code = np.full(len(table), np.nan)
    per_code[known] = np.nanmax(table[known], axis=1)
    score = float(np.average(per_code[known], weights=reach[known])) if known.any() else float("nan")
    return Robustness(score, table, per_code)


def _deviations(code: Floats, discrete: bool, factors: Integers) -> Floats:
    """[K] mean over a factor's values of the deviation within the rows of that value."""
    result = np.full(factors.shape[1], np.nan)
    for k, column in enumerate(factors.T):
        values = np.unique(column[column != UNKNOWN])
        if len(values) > 1:
            result[k] = np.mean([_far(code[column == value], discrete) for value in values])
    return result


def _far(code: Floats, discrete: bool) -> float:
    """How far rows [n] are from the middle of them all, at the quantile."""
    if not discrete:
        return float(np.quantile(np.abs(code - code.mean()), QUANTILE))
    values, counts = np.unique(code, return_counts=True)
    return float(np.quantile((code != values[counts.argmax()]).astype(np.float64), QUANTILE))
