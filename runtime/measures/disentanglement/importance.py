"""DCI: how codes share the work of predicting factors, by the importances of random forests.

Source: Eastwood and Williams 2018, section 2, with random forests as one of the regressors they use; as in Locatello
et al. 2019 factors are classes, and informativeness is accuracy instead of an error (so larger is better throughout).
"""

from dataclasses import dataclass

import numpy as np

from runtime.measures.disentanglement.information import UNKNOWN, Floats, Integers

TREES = 20
DEEPEST = 12
HELD_OUT = 0.25


@dataclass(frozen=True)
class Importance:
    """DCI of a table of importances.

    disentanglement: does a code serve one factor only; completeness: is a factor in one code only; both in [0, 1].
    informativeness: mean share of held-out rows whose factor is predicted, in [0, 1]. per_code: [D] disentanglement,
    NaN where no factor needs the code; per_factor: [K] completeness; accuracy: [K]. NaN where not defined:
    disentanglement of fewer than two factors, completeness of fewer than two codes, all of a factor with one value.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    per_code: Floats
    per_factor: Floats
    accuracy: Floats


def dci(codes: Floats, factors: Integers, seed: int = 0) -> Importance:
    """Fit one forest per factor, on three quarters of its rows, and read the table of importances.

    codes: [N, D]; factors: [N, K] classes, -1 where unknown. A discrete code is its class index: trees can cut it
    anywhere. Forests do not care about a code's scale or direction.
    """
    table = np.full((codes.shape[1], factors.shape[1]), np.nan)
    accuracy = np.full(factors.shape[1], np.nan)
    for k, column in enumerate(factors.T):
        known = column != UNKNOWN
        if len(np.unique(column[known])) > 1 and known.sum() >= 4:
            table[:, k], accuracy[k] = _fit(codes[known], column[known], seed)
    return from_importances(table, accuracy)


def from_importances(table: Floats, accuracy: Floats) -> Importance:
    """Scores of importances R [D, K], none negative; a column of NaN is a factor that is left out.

    With P_ij = R_ij / sum_k R_ik, a code's disentanglement is 1 - H_K(P_i), and the score their mean weighted by the
    code's share of all importance; with Q_ij = R_ij / sum_d R_dj a factor's completeness is 1 - H_D(Q_j), and the score
    their plain mean. H_B is entropy to base B.
    """
    used = ~np.isnan(table).any(axis=0)
    held = table[:, used]
    per_factor = np.full(table.shape[1], np.nan)
    per_factor[used] = _concentration(held.T)
    per_code = _concentration(held)
    share = held.sum(axis=1)
    serving = ~np.isnan(per_code)
    disentanglement = float(np.average(per_code[serving], weights=share[serving])) if serving.any() else np.nan
    return Importance(disentanglement, _mean(per_factor), _mean(accuracy), per_code, per_factor, accuracy)


def _concentration(weights: Floats) -> Floats:
    """1 - entropy of each row [n, B] as shares, to base B; NaN for rows of zeros, and where B is less than two."""
    total = weights.sum(axis=1, keepdims=True)
    if weights.shape[1] < 2:
        return np.full(len(weights), np.nan)
    shares = weights / np.where(total > 0, total, 1)
    logs = np.log(np.where(shares > 0, shares, 1))
    entropy = -(shares * logs).sum(axis=1) / np.log(weights.shape[1])
    return np.where(total[:, 0] > 0, 1 - entropy, np.nan)


def _fit(codes: Floats, labels: Integers, seed: int) -> tuple[Floats, float]:
    """Importances [D], which sum to 1 (0 where no code helps), and accuracy on the rows held out."""
    from sklearn.ensemble import RandomForestClassifier  # a second of import that a training never needs

    order = np.random.default_rng(seed).permutation(len(labels))
    cut = max(1, round(HELD_OUT * len(labels)))
    forest = RandomForestClassifier(TREES, max_depth=DEEPEST, max_features=None, random_state=seed)
    forest.fit(codes[order[cut:]], labels[order[cut:]])
    accuracy = float(np.mean(forest.predict(codes[order[:cut]]) == labels[order[:cut]]))
    return np.asarray(forest.feature_importances_, dtype=np.float64), accuracy


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
