"""Figures of merit on plain arrays: errors, log loss, calibration.

Not here: how codes line up with factors (`disentanglement`), models, batches, or which rows have a label
(`evaluation.py`). Every function takes at least one row.
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
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table
