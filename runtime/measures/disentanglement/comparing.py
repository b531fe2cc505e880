"""Codes against factors: which columns there are by the roles of a spec, and every metric over them as one report.

From: inferred values of hidden variables, and known columns. To: plain values, ready for JSON. Cost is bounded: metrics
that fit estimators look at a sample of the rows, smaller the more pairs of code and factor there are.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.measures.disentanglement.fixing import Flags, HeldFactorScore, beta_vae, factor_vae
from runtime.measures.disentanglement.importance import dci
from runtime.measures.disentanglement.information import (
    MOST_CLASSES,
    UNKNOWN,
    Floats,
    Integers,
    in_bins,
    information_gaps,
    modularities,
    purity,
)
from runtime.measures.disentanglement.robustness import irs
from runtime.measures.disentanglement.thresholds import sap

METRICS = ("mig", "purity", "dci", "sap", "factor_vae", "beta_vae", "irs", "modularity")
MOST_ROWS = 5000
"""Rows that estimators are fitted to and scored on, at most."""
MOST_CELLS = 500_000
"""Rows times codes times factors that they may have, at most; never fewer rows than `FEWEST_ROWS`."""
FEWEST_ROWS = 500


@dataclass(frozen=True)
class Columns:
    """names: one per column; values: [N, D], codes as floats and factors as classes; discrete: [D] class indices."""

    names: tuple[str, ...]
    values: NDArray[Any]
    discrete: Flags


def code_columns(codes: Mapping[str, NDArray[Any]], discrete: Iterable[str]) -> Columns:
    """Every element of every hidden variable, [N, *shape] by name, as a column; `z[3]` where there are several."""
    names, columns, flags = [], [], []
    for name, values in codes.items():
        flat = values.reshape(len(values), -1)
        for element in range(flat.shape[1]):
            names.append(name if flat.shape[1] == 1 else f"{name}[{element}]")
            columns.append(flat[:, element].astype(np.float64))
            flags.append(name in discrete)
    return Columns(tuple(names), np.stack(columns, axis=1), np.array(flags))


def factor_columns(factors: Mapping[str, NDArray[Any]]) -> Columns:
    """Every element of every factor, [N, *shape] by name, as classes from 0; -1 where it is NaN or an empty text.

    Words, and whole numbers of at most 100 values, are classes as they are; other numbers are cut into 20 equal widths.
    Text counts as numbers where all of it reads so.
    """
    names, columns = [], []
    for name, values in factors.items():
        flat = np.asarray(values).reshape(len(values), -1)
        for element in range(flat.shape[1]):
            names.append(name if flat.shape[1] == 1 else f"{name}[{element}]")
            columns.append(_classes(_numbers(flat[:, element])))
    return Columns(tuple(names), np.stack(columns, axis=1), np.ones(len(names), bool))


def _numbers(column: NDArray[Any]) -> NDArray[Any]:
    """Floats of a column of text where every cell that is not empty reads as one (empty: NaN); else as it is."""
    if column.dtype.kind != "U":
        return column
    try:
        return np.where(column == "", "nan", column).astype(np.float64)
    except ValueError:
        return column


def _classes(column: NDArray[Any]) -> Integers:
    text = column.dtype.kind == "U"
    known = column != "" if text else ~np.isnan(column.astype(np.float64))
    values = column[known]
    whole = not text and bool((values == np.round(values)).all())
    result = np.full(len(column), UNKNOWN, dtype=np.int64)
    if len(values):
        result[known] = in_bins(values, MOST_CLASSES) if whole and _few(values) else in_bins(values)
    return result


def _few(column: NDArray[Any]) -> bool:
    return len(np.unique(column)) <= MOST_CLASSES


def compare(codes: Columns, factors: Columns, metrics: Iterable[str] = METRICS, seed: int = 0) -> dict[str, Any]:
    """`{metric: figures}` for the metrics asked for, in the order of `METRICS`; None or left out where not defined.

    Figures have `mean` and, where the metric has them, `factors` and `codes` by name; dci has its three scores in place
    of the mean. purity: `{discrete code: {factor: share}}`. `rows`: how many the estimators saw.
    """
    wanted = set(metrics)
    bins = np.stack([in_bins(column) for column in codes.values.T], axis=1)
    few = sample(len(bins), codes.values.shape[1] * factors.values.shape[1], seed)
    some = Columns(codes.names, codes.values[few], codes.discrete)
    classes = factors.values[few]
    several_codes, several_factors = len(codes.names) > 1, _varying(factors.values) > 1
    found: dict[str, Callable[[], dict[str, Any] | None]] = {
        "mig": lambda: _by_factor(information_gaps(bins, factors.values), factors) if several_codes else None,
        "purity": lambda: _purities(codes, bins, factors),
        "dci": lambda: _dci(some, classes, factors, seed),
        "sap": lambda: _by_factor(sap(some.values, classes, seed), factors) if several_codes else None,
        "factor_vae": lambda: _held(factor_vae(codes.values, factors.values, codes.discrete, seed), factors),
        "beta_vae": lambda: _held(beta_vae(codes.values, factors.values, codes.discrete, seed), factors),
        "irs": lambda: _irs(codes, factors),
        "modularity": lambda: _by_code(modularities(bins, factors.values), codes) if several_factors else None,
    }
    report = {name: found[name]() for name in METRICS if name in wanted}
    return {name: figures for name, figures in report.items() if figures is not None} | {"rows": len(few)}


def sample(rows: int, pairs: int, seed: int) -> Integers:
    """Positions of the rows that estimators see: all, or a draw of them, in order."""
    most = min(rows, MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // max(1, pairs)))
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most]).astype(np.int64)


def _varying(factors: Integers) -> int:
    return sum(len(np.unique(column[column != UNKNOWN])) > 1 for column in factors.T)


def _purities(codes: Columns, bins: Integers, factors: Columns) -> dict[str, Any]:
    """Of every discrete scalar variable; an element of a vector is none."""
    result: dict[str, Any] = {}
    for d, name in enumerate(codes.names):
        if codes.discrete[d] and not name.endswith("]"):
            columns = zip(factors.names, factors.values.T, strict=True)
            result[name] = {factor: purity(bins[column != UNKNOWN, d], column[column != UNKNOWN])
                            for factor, column in columns if (column != UNKNOWN).any()}  # fmt: skip
    return result


def _dci(codes: Columns, classes: Integers, factors: Columns, seed: int) -> dict[str, Any]:
    found = dci(codes.values, classes, seed)
    return {
        "disentanglement": _plain(found.disentanglement),
        "completeness": _plain(found.completeness),
        "informativeness": _plain(found.informativeness),
        "codes": _named(codes.names, found.per_code),
        "factors": {
            "completeness": _named(factors.names, found.per_factor),
            "informativeness": _named(factors.names, found.accuracy),
        },
    }


def _irs(codes: Columns, factors: Columns) -> dict[str, Any]:
    found = irs(codes.values, factors.values, codes.discrete)
    return {"mean": _plain(found.score), "codes": _named(codes.names, found.per_code)}


def _held(found: HeldFactorScore, factors: Columns) -> dict[str, Any]:
    return {"mean": _plain(found.accuracy), "factors": _named(factors.names, found.per_factor)}


def _by_factor(values: Floats, factors: Columns) -> dict[str, Any]:
    named = _named(factors.names, values)
    return {"mean": _mean(named), "factors": named}


def _by_code(values: Floats, codes: Columns) -> dict[str, Any]:
    named = _named(codes.names, values)
    return {"mean": _mean(named), "codes": named}


def _named(names: Iterable[str], values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True) if not math.isnan(value)}


def _mean(named: Mapping[str, float]) -> float | None:
    return float(np.mean(list(named.values()))) if named else None


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
