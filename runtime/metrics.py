"""Figures of merit on plain arrays: errors, log loss, calibration, and how well codes line up with factors.

Not here: models, batches, or which rows have a label (`evaluation.py`). Every function takes at least one row.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CALIBRATION_BINS = 15
CODE_BINS = 20


def share_wrong(predicted: Integers, labels: Integers) -> float:
    """Share of labels [n] that differ from the predicted class [n], in [0, 1]."""
    return float(np.mean(predicted != labels))


def root_mean_square(predicted: Floats, labels: Floats) -> float:
    """sqrt(mean (predicted - label)^2) over [n] elements, in the units of its arguments."""
    return float(np.sqrt(np.mean((predicted - labels) ** 2)))


def log_loss(probabilities: Floats, labels: Integers) -> float:
    """Mean of -log p(label) in nats; probabilities [n, K], labels [n] in 0..K-1.

    A probability that single precision rounded to zero counts as the smallest positive one, so the loss is finite.
    """
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(chosen, np.finfo(np.float32).tiny))))


def calibration_error(probabilities: Floats, labels: Integers, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: |share right - mean confidence| over equal bins of confidence, weighted by rows.

    probabilities [n, K], labels [n]. Confidence is the largest probability of a row.
    Source: Guo et al. 2017, eq. 3, with 15 bins.
    """
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def confusion(predicted: Integers, labels: Integers, classes: int) -> Integers:
    """Counts [classes, classes]: row = true class, column = predicted class."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def purity(clusters: Integers, factor: Integers) -> float:
    """Share of rows that carry their cluster's most common factor value; 1 when every cluster is of one value.

    clusters, factor: [n] class indices. Source: Manning, Raghavan and Schuetze 2008, section 16.3.
    """
    _, cluster_of = np.unique(clusters, return_inverse=True)
    values, value_of = np.unique(factor, return_inverse=True)
    table = np.zeros((cluster_of.max() + 1, len(values)), dtype=np.int64)
    np.add.at(table, (cluster_of, value_of), 1)
    return float(table.max(axis=1).sum() / len(factor))


def in_bins(values: NDArray[np.generic], bins: int = CODE_BINS) -> Integers:
    """A bin index per value [n]: one bin per value where at most `bins` differ, else equal widths over the range."""
    distinct, index = np.unique(values, return_inverse=True)
    if len(distinct) <= bins or not np.issubdtype(values.dtype, np.number):
        return np.asarray(index, dtype=np.int64)
    edges = np.linspace(float(distinct[0]), float(distinct[-1]), bins + 1)[1:-1]
    return np.asarray(np.digitize(values.astype(np.float64), edges), dtype=np.int64)


def information_gap(codes: Mapping[str, Integers], factor: Integers) -> float:
    """(I(best code; factor) - I(next best code; factor)) / H(factor), in [0, 1]; NaN for a factor that never varies.

    codes: at least two binned codes [n] by name; factor: binned [n]. One factor's part of the mutual information gap.
    Source: Chen et al. 2018, eq. 6, with the plug-in estimate on `CODE_BINS` bins (Locatello et al. 2019).
    """
    from sklearn.metrics import mutual_info_score  # a second of import that a training never needs

    entropy = float(mutual_info_score(factor, factor))
    if entropy <= 0:
        return float("nan")
    information = sorted((float(mutual_info_score(code, factor)) for code in codes.values()), reverse=True)
    return (information[0] - information[1]) / entropy
