"""Scores of what stays still when a factor is held: the FactorVAE and the BetaVAE score.

Both need rows that share a factor's value. They are taken from the rows at hand, grouped by value, so any data set with
factor columns will do; a simulator would draw new ones. Values that fewer than two rows carry are never held.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.measures.disentanglement.information import UNKNOWN, Floats, Integers

VOTES = 1000
"""Training points of either score; half as many are held out to score it."""
HELD_TOGETHER = 64
"""Rows (FactorVAE) or pairs of rows (BetaVAE) behind one point."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class HeldFactorScore:
    """Share of held-out points whose held factor is told: over all, and [K] per factor (NaN for one never held)."""

    accuracy: float
    per_factor: Floats


@dataclass(frozen=True)
class Groups:
    """Rows by value of one factor. rows: [n] sorted by value; first, size: [n] the group that each row belongs to."""

    rows: Integers
    first: Integers
    size: Integers

    def draw(self, points: int, partners: int, random: np.random.Generator) -> Integers:
        """Rows [points, partners] of one value each; the value is that of a row drawn uniformly."""
        anchors = random.integers(len(self.rows), size=points)
        steps = (random.random((points, partners)) * self.size[anchors, None]).astype(np.int64)
        return np.asarray(self.rows[self.first[anchors, None] + steps])

    def draw_pairs(self, shape: tuple[int, int], random: np.random.Generator) -> tuple[Integers, Integers]:
        """Two different rows [*shape] each that share a value; every pair has a value of its own."""
        place = random.integers(len(self.rows), size=shape)
        step = 1 + (random.random(shape) * (self.size[place] - 1)).astype(np.int64)
        other = self.first[place] + (place - self.first[place] + step) % self.size[place]
        return self.rows[place], self.rows[other]


def group(factor: Integers) -> Groups | None:
    """Rows of a factor [N] (-1: unknown) by value; None where it has fewer than two values with two rows or more."""
    rows = np.argsort(factor, kind="stable")
    rows = rows[factor[rows] != UNKNOWN]
    _, index, counts = np.unique(factor[rows], return_inverse=True, return_counts=True)
    rows, index = rows[counts[index] > 1], index[counts[index] > 1]
    kept, index, counts = np.unique(index, return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    return Groups(rows, starts[index], counts[index]) if len(kept) > 1 else None


def factor_vae(codes: Floats, factors: Integers, discrete: Flags | None = None, seed: int = 0) -> HeldFactorScore:
    """The FactorVAE score: which code varies least when a factor is held, and does that code tell the factor?

    One vote: a factor is held, 64 rows of one of its values are drawn, and the vote goes to the code whose variance
    among them, over its variance in all rows, is smallest. A majority vote says which factor each code stands for.
    codes: [N, D], of which `discrete` [D] ones are class indices: their variance is the share of pairs that differ,
    halved. factors: [N, K], -1 where unknown. A code that never varies has no vote. Score in [1 / K, 1] but for chance;
    NaN where fewer than two factors vary or no code does. Source: Kim and Mnih 2018, section 4 and appendix C.
    """
    random = np.random.default_rng(seed)
    flags = np.zeros(codes.shape[1], bool) if discrete is None else discrete
    overall = _variances(codes[None], flags)[0]
    varying = overall > 1e-12
    usable = [(k, groups) for k, column in enumerate(factors.T) if (groups := group(column)) is not None]
    if len(usable) < 2 or not varying.any():
        return _nothing(factors.shape[1])
    votes, truth = [], []
    for k, groups in usable:
        drawn = groups.draw(_points(len(usable)), HELD_TOGETHER, random)
        votes.append((_variances(codes[drawn][:, :, varying], flags[varying]) / overall[varying]).argmin(axis=1))
        truth.append(np.full(len(drawn), k))
    code, factor = np.concatenate(votes), np.concatenate(truth)
    fitted = random.permutation(len(code)) < 2 * len(code) // 3
    table = np.zeros((codes.shape[1], factors.shape[1]), np.int64)
    np.add.at(table, (code[fitted], factor[fitted]), 1)
    return _held(table.argmax(axis=1)[code[~fitted]], factor[~fitted], factors.shape[1])


def beta_vae(codes: Floats, factors: Integers, discrete: Flags | None = None, seed: int = 0) -> HeldFactorScore:
    """The BetaVAE score: can a linear classifier tell the held factor from how codes differ within pairs?

    One point: 64 pairs of rows share their value of one factor; the mean of |code - code'| over the pairs (for discrete
    codes: whether they differ). codes, discrete, factors as in `factor_vae`. Score in [1 / K, 1] but for chance; NaN
    where fewer than two factors vary. Codes are put on one scale first, which the classifier's penalty needs.
    Source: Higgins et al. 2017, section 3 and appendix; logistic regression as in Locatello et al. 2019.
    """
    random = np.random.default_rng(seed)
    flags = np.zeros(codes.shape[1], bool) if discrete is None else discrete
    usable = [(k, groups) for k, column in enumerate(factors.T) if (groups := group(column)) is not None]
    if len(usable) < 2:
        return _nothing(factors.shape[1])
    spread = codes.std(axis=0)
    scaled = np.where(flags, codes, codes / np.where(spread > 0, spread, 1))
    points, truth = [], []
    for k, groups in usable:
        one, other = groups.draw_pairs((_points(len(usable)), HELD_TOGETHER), random)
        gap = np.abs(scaled[one] - scaled[other])
        points.append(np.where(flags, gap > 0, gap).mean(axis=1))
        truth.append(np.full(len(gap), k))
    features, factor = np.concatenate(points), np.concatenate(truth)
    fitted = random.permutation(len(factor)) < 2 * len(factor) // 3
    return _held(_classify(features, factor, fitted), factor[~fitted], factors.shape[1])


def _classify(features: Floats, labels: Integers, fitted: Flags) -> Integers:
    from sklearn.linear_model import LogisticRegression  # a second of import that a training never needs

    middle, spread = features[fitted].mean(axis=0), features[fitted].std(axis=0)
    scaled = (features - middle) / np.where(spread > 0, spread, 1)
    classifier = LogisticRegression(max_iter=2000).fit(scaled[fitted], labels[fitted])
    return np.asarray(classifier.predict(scaled[~fitted]))


def _variances(codes: Floats, discrete: Flags) -> Floats:
    """Variance [P, D] of codes [P, L, D] over L; of a discrete one (1 - sum of squared shares of its values) / 2."""
    result: Floats = codes.var(axis=1)
    for d in np.flatnonzero(discrete):
        values = codes[:, :, d]
        shares = np.stack([(values == value).mean(axis=1) for value in np.unique(values)])
        result[:, d] = (1 - (shares**2).sum(axis=0)) / 2
    return result


def _points(factors: int) -> int:
    return max(2, (VOTES + VOTES // 2) // factors)


def _held(told: Integers, truth: Integers, count: int) -> HeldFactorScore:
    per_factor = np.full(count, np.nan)
    for k in np.unique(truth):
        per_factor[k] = np.mean(told[truth == k] == k)
    return HeldFactorScore(float(np.mean(told == truth)), per_factor)


def _nothing(count: int) -> HeldFactorScore:
    return HeldFactorScore(float("nan"), np.full(count, np.nan))
