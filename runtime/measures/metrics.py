"""Figures of merit on plain arrays: errors, log loss, calibration, and what can be read off a table of confusions.

Not here: how codes line up with factors (`disentanglement`), models, batches, or which rows have a label
(`label_figures.py`). Every function takes at least one row. scikit-learn and scipy have most of these too; training
measures every epoch, and importing them takes a second (the tests hold the functions against theirs).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CALIBRATION_BINS = 15


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
    table: Integers = confusions(predicted, labels, np.zeros_like(labels), 1, classes)[0]
    return table


def confusions(predicted: Integers, labels: Integers, element: Integers, elements: int, classes: int) -> Integers:
    """A table of confusions for each element of a label [elements, classes, classes]; element: whose each label is."""
    cell = (element * classes + labels) * classes + predicted
    return np.bincount(cell, minlength=elements * classes**2).reshape(elements, classes, classes)


def recall(tables: Integers) -> Floats:
    """Of the labels of each class, the share that is found [..., K]; NaN for a class without labels."""
    return _share(_right(tables), tables.sum(axis=-1))


def precision(tables: Integers) -> Floats:
    """Of the answers of each class, the share that is right [..., K]; NaN for a class that is never answered."""
    return _share(_right(tables), tables.sum(axis=-2))


def balanced_error(tables: Integers) -> Floats:
    """1 - the mean recall over the classes that there are [...]; NaN for an empty table."""
    return 1 - _mean(recall(tables))


def macro_f1(tables: Integers) -> Floats:
    """The mean of 2 right / (labels + answers) over the classes that are either [...]: 0 for one never right."""
    return _mean(_share(2 * _right(tables), tables.sum(axis=-1) + tables.sum(axis=-2)))


def area_under_curve(scores: Floats, positive: NDArray[np.bool_]) -> float | None:
    """The chance that a positive row has the higher score of two (ties count half) [n]; None with rows of one kind.

    Source: Mann and Whitney 1947: the sum of the positives' ranks.
    """
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def sign_test(won: int, lost: int) -> float:
    """The chance that a fair coin gives one side at least `won` of `won` + `lost` throws, in [0, 1]."""
    throws = won + lost
    log_factorial = np.concatenate([[0.0], np.log(np.arange(1, throws + 1)).cumsum()])
    ways = log_factorial[throws] - log_factorial[won:] - log_factorial[lost::-1]
    return float(np.exp(ways - throws * np.log(2)).sum())


def _right(tables: Integers) -> Integers:
    return np.diagonal(tables, axis1=-2, axis2=-1)


def _share(part: Integers, whole: Integers) -> Floats:
    share: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return share


def _mean(values: Floats) -> Floats:
    """Over the last axis, of what is a number; NaN where nothing is."""
    known = ~np.isnan(values)
    total = np.asarray(np.where(known, values, 0.0).sum(axis=-1))
    found: Floats = np.divide(total, known.sum(axis=-1), out=np.full(total.shape, np.nan), where=known.any(axis=-1))
    return found
