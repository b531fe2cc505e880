"""SAP, the separated attribute predictability: how far the best single code is ahead of the next best.

Source: Kumar, Sattigeri and Balakrishnan 2018, section 3. Factors are classes here (continuous ones come in bins), so
each score is the balanced accuracy of thresholds on one code; their squared correlation, for continuous factors, would
miss what a code tells in other ways than along a line.
"""

import numpy as np

from runtime.measures.disentanglement.information import UNKNOWN, Floats, Integers


def sap(codes: Floats, factors: Integers, seed: int = 0) -> Floats:
    """Balanced accuracy of the best code minus that of the next best: [K], in [0, 1 - 1 / classes].

    codes: [N, D], D at least 2. factors: [N, K] classes, -1 where unknown; NaN for a factor of one value. The SAP score
    is the mean over factors. Chance is 1 / classes, so a perfect code is 1 - 1 / classes above one of noise.
    """
    best, second = -np.sort(-threshold_scores(codes, factors, seed), axis=0)[:2]
    return np.asarray(best - second)


def threshold_scores(codes: Floats, factors: Integers, seed: int = 0) -> Floats:
    """Balanced accuracy on the half of rows held out, of classes - 1 thresholds on one code: [D, K]."""
    result = np.full((codes.shape[1], factors.shape[1]), np.nan)
    for k, column in enumerate(factors.T):
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(column != UNKNOWN))
        fitted, held_out = rows[len(rows) // 2 :], rows[: len(rows) // 2]
        classes = len(np.unique(column[rows]))
        if classes < 2 or len(held_out) == 0:
            continue
        for d in range(codes.shape[1]):
            result[d, k] = _score(codes[:, d], column, fitted, held_out, classes)
    return result


def _score(code: Floats, labels: Integers, fitted: Integers, held_out: Integers, classes: int) -> float:
    """A tree of `classes` leaves on one code is classes - 1 thresholds, each chosen best given those before."""
    from sklearn.tree import DecisionTreeClassifier  # a second of import that a training never needs

    tree = DecisionTreeClassifier(max_leaf_nodes=classes, class_weight="balanced", random_state=0)
    tree.fit(code[fitted, None], labels[fitted])
    return balanced_accuracy(tree.predict(code[held_out, None]), labels[held_out])


def balanced_accuracy(predicted: Integers, labels: Integers) -> float:
    """Mean over the classes among `labels` [n] of the share of their rows that is predicted right."""
    return float(np.mean([np.mean(predicted[labels == value] == value) for value in np.unique(labels)]))
