"""Style leakage: how well a label can be read, by a straight line, from what a latent keeps of a row."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOLDS = 5
ITERATIONS = 2000


def leakage(codes: Floats, labels: NDArray[np.int64], seed: int = 0) -> dict[str, Any] | None:
    """{accuracy, std, chance, folds} of logistic regression that predicts `labels` [n] from `codes` [n, d].

    accuracy, std: mean and standard deviation over folds of the share of held-out rows read right; chance: the share
    of the most common label. Codes are standardized on each fold's training rows; folds are stratified. Labels with
    fewer rows than folds are left out; None where fewer than two remain.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values, counts = np.unique(labels, return_counts=True)
    common = np.isin(labels, values[counts >= FOLDS])
    codes, labels = codes[common], labels[common]
    if len(np.unique(labels)) < 2:
        return None
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a line that nearly converged reads as well
        scores = cross_val_score(line, codes, labels, cv=folds)
    return {
        "accuracy": float(scores.mean()),
        "std": float(scores.std()),
        "chance": float(np.bincount(np.unique(labels, return_inverse=True)[1]).max() / len(labels)),
        "folds": FOLDS,
    }
