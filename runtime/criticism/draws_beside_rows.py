"""Draws from p beside held-out rows: column by column, pair by pair, and within each class.

Replicated data sets of p, as large as the rows, tell what chance does: a column is off where the rows are farther from
draws than draws are from one another. From: rows and draws as columns [n, elements]. To: plain values.
Source: Gelman, Meng and Stern 1996 (predictive checks by replication).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable

Floats = NDArray[np.float64]
MOST_ELEMENTS, MOST_PAIRED, MOST_CLASSES, FEWEST_ROWS = 100, 40, 20, 20
"""Elements of a variable of which each is listed, columns that are paired, classes that are told apart, rows of one."""
PAIRS_SHOWN, CORRELATION_OFF, SURE = 5, 0.1, 4.0


@dataclass(frozen=True)
class ColumnOfDraws:
    """One element of a variable. rows: [n], NaN for blanks; classes by index. draws: [R, n], blank where rows are."""

    name: str
    variable: Variable
    rows: Floats
    draws: Floats

    @property
    def classes(self) -> int | None:
        """How many values there are, of a discrete one."""
        return self.variable.support

    def within(self, rows: NDArray[np.bool_], draws: NDArray[np.bool_]) -> "ColumnOfDraws":
        """Of some rows and some draws [R, n], all else blank."""
        return ColumnOfDraws(
            self.name, self.variable, np.where(rows, self.rows, np.nan), np.where(draws, self.draws, np.nan)
        )


def distances(columns: list[ColumnOfDraws]) -> list[dict[str, Any]]:
    """Of each column `{column, kind, distance, interval, chance, off, rows, draws}`: between rows and draws the largest
    difference of distribution functions (Kolmogorov), of classes half the sum of differences of shares (total
    variation), over replications; chance: below it are 95 % of those between two replications. rows, draws: mean and
    deviation of numbers."""
    return [found for column in columns if (found := _distance(column)) is not None]


def _distance(column: ColumnOfDraws) -> dict[str, Any] | None:
    if (~np.isnan(column.rows)).sum() < FEWEST_ROWS:
        return None
    apart = [_apart(column.rows, draw, column.classes) for draw in column.draws]
    chance = [_apart(one, other, column.classes) for one, other in pairwise(column.draws)]
    low, high = np.nanquantile(apart, (0.05, 0.95))
    limit = float(np.nanquantile(chance, 0.95))
    found = {
        "column": column.name,
        "kind": "number" if column.classes is None else "class",
        "distance": float(np.nanmean(apart)),
        "interval": [float(low), float(high)],
        "chance": limit,
        "off": bool(low > limit),
    }
    if column.classes is None:
        pooled = column.draws[~np.isnan(column.draws)]
        found["rows"] = [float(np.nanmean(column.rows)), float(np.nanstd(column.rows))]
        found["draws"] = [float(pooled.mean()), float(pooled.std())]
    return found


def _apart(one: Floats, other: Floats, classes: int | None) -> float:
    one, other = one[~np.isnan(one)], other[~np.isnan(other)]
    if not len(one) or not len(other):
        return float("nan")
    if classes is not None:
        shares = [np.bincount(each.astype(np.int64), minlength=classes) / len(each) for each in (one, other)]
        return float(np.abs(shares[0] - shares[1]).sum() / 2)
    places = np.concatenate([one, other])
    below = [np.searchsorted(np.sort(each), places, side="right") / len(each) for each in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def pairs(columns: list[ColumnOfDraws]) -> list[dict[str, Any]]:
    """The pairs of columns whose dependence differs most: `{pair, rows, draws, interval, off}`, correlations of ranks
    (of indicators, for classes). off: beyond what replications differ by, and by more than 0.1."""
    features = list(_features(columns))[:MOST_PAIRED]
    if len(features) < 2:
        return []
    own = _correlations(np.stack([rows for _, rows, _ in features]))
    drawn = np.stack(
        [_correlations(np.stack([draws[r] for _, _, draws in features])) for r in range(len(features[0][2]))]
    )
    middle, spread = np.nanmean(drawn, axis=0), np.nanstd(drawn, axis=0)
    found = []
    for i, j in zip(*np.triu_indices(len(features), 1), strict=True):
        same = features[i][0].split("=")[0] == features[j][0].split("=")[0]
        gap = abs(own[i, j] - middle[i, j])
        if same or not np.isfinite(gap):
            continue
        ends = np.nanquantile(drawn[:, i, j], (0.05, 0.95)).tolist()
        off = bool(gap > CORRELATION_OFF and gap > SURE * max(float(spread[i, j]), 1e-6))
        found.append({"pair": [features[i][0], features[j][0]], "rows": float(own[i, j]),
                      "draws": float(middle[i, j]), "interval": ends, "off": off})  # fmt: skip
    return sorted(found, key=lambda each: -abs(each["rows"] - each["draws"]))[:PAIRS_SHOWN]


def _features(columns: list[ColumnOfDraws]) -> Iterator[tuple[str, Floats, Floats]]:
    """Numbers as their ranks, each class as an indicator (of two, one)."""
    for column in columns:
        if column.classes is None:
            yield column.name, _ranks(column.rows), np.stack([_ranks(draw) for draw in column.draws])
            continue
        names = column.variable.value_names
        for index in range(1, 2) if column.classes == 2 else range(min(column.classes, MOST_CLASSES)):
            one, many = (np.where(np.isnan(v), np.nan, v == index) for v in (column.rows, column.draws))
            yield f"{column.name}={names[index]}", one, many


def _ranks(values: Floats) -> Floats:
    found, known = np.full(values.shape, np.nan), ~np.isnan(values)
    found[known] = np.argsort(np.argsort(values[known], kind="stable"), kind="stable")
    return found


def _correlations(features: Floats) -> Floats:
    """[F, F] of features [F, n], over rows that have both."""
    known = ~np.isnan(features)
    both = known.astype(np.float64)
    filled = np.where(known, features - np.nanmean(features, axis=1, keepdims=True), 0.0)
    sums, squares, counts = filled @ both.T, filled**2 @ both.T, both @ both.T
    products = filled @ filled.T
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = products - sums * sums.T / counts
        spread = squares - sums**2 / counts
        found: Floats = covariance / np.sqrt(spread * spread.T)
    return found


def by_class(columns: list[ColumnOfDraws], labels: Mapping[str, ColumnOfDraws]) -> list[dict[str, Any]]:
    """The distances of columns within each class of each label, where enough rows have it: `{label, class, rows,
    ...distance}`, the farthest columns first, those only that are off."""
    found = []
    for name, label in labels.items():
        for index, called in enumerate(label.variable.value_names[:MOST_CLASSES]):
            rows, draws = label.rows == index, label.draws == index
            if rows.sum() < FEWEST_ROWS or draws.sum(axis=1).min() < FEWEST_ROWS:
                continue
            others = [column.within(rows, draws) for column in columns if column.name != label.name]
            told = sorted((each for each in distances(others) if each["off"]), key=lambda each: -each["distance"])
            found += [{"label": name, "class": called, **each} for each in told]
    return found
