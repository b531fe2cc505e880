"""What codes tell about factors, in nats: the mutual information gap, modularity, and purity.

From: codes and factors in bins. Mutual information is the plug-in estimate of the table of counts, which for N rows is
about (bins - 1)(values - 1) / 2N nats too large.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CODE_BINS = 20
MOST_CLASSES = 100
UNKNOWN = -1


def in_bins(values: NDArray[np.generic], bins: int = CODE_BINS) -> Integers:
    """A bin index per value [n]: one bin per value where at most `bins` differ, else equal widths over the range."""
    distinct, index = np.unique(values, return_inverse=True)
    if len(distinct) <= bins or not np.issubdtype(values.dtype, np.number):
        return np.asarray(index, dtype=np.int64)
    edges = np.linspace(float(distinct[0]), float(distinct[-1]), bins + 1)[1:-1]
    return np.asarray(np.digitize(values.astype(np.float64), edges), dtype=np.int64)


def mutual_information(codes: Integers, factors: Integers) -> Floats:
    """I(code; factor) in nats of every pair, [D, K]; never negative.

    codes: [N, D] bins from 0. factors: [N, K] classes from 0, -1 where unknown: such a row does not count for that
    factor. 0 where no row does.
    """
    result = np.zeros((codes.shape[1], factors.shape[1]))
    for k in range(factors.shape[1]):
        known = factors[:, k] != UNKNOWN
        for d in range(codes.shape[1]):
            result[d, k] = _information(_counts(codes[known, d], factors[known, k]))
    return result


def entropies(factors: Integers) -> Floats:
    """H(factor) in nats of each column [N, K], rows where it is unknown (-1) left out: [K]."""
    return np.array([_information(_counts(column[known], column[known]))
                     for column in factors.T for known in (column != UNKNOWN,)])  # fmt: skip


def _counts(first: Integers, second: Integers) -> Floats:
    """Rows with each pair of values."""
    shape = (int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1)
    return np.bincount(first * shape[1] + second, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def _information(counts: Floats) -> float:
    """sum p(a, b) log [p(a, b) / p(a) p(b)] of a table of counts."""
    if counts.sum() == 0:
        return 0.0
    joint = counts / counts.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return max(0.0, float((joint[there] * np.log(joint[there] / apart[there])).sum()))


def information_gaps(codes: Integers, factors: Integers) -> Floats:
    """(I(best code; factor) - I(next best code; factor)) / H(factor), [K] in [0, 1]; NaN for a factor of one value.

    codes: [N, D] bins, D at least 2. factors: [N, K] classes, -1 where unknown. The mutual information gap (MIG) is
    the mean over factors. Source: Chen et al. 2018, eq. 6, with the plug-in estimate on bins of a code's mean
    (Locatello et al. 2019) in place of draws from q.
    """
    information, entropy = mutual_information(codes, factors), entropies(factors)
    best, second = -np.sort(-information, axis=0)[:2]
    varying = entropy > 0
    return np.where(varying, (best - second) / np.where(varying, entropy, 1), np.nan)


def modularities(codes: Integers, factors: Integers) -> Floats:
    """1 - sum_{f != best} m_f^2 / (m_best^2 (K - 1)) of each code, m_f = I(code; factor f): [D] in [0, 1].

    1 where a code tells about one factor only, 0 where it tells as much about each; NaN where it tells nothing of any.
    The modularity score is the mean over codes. codes: [N, D] bins. factors: [N, K] classes, -1 where unknown, of which
    at least two vary (those that do not are left out). The estimate's bias makes a code of noise look as if it told
    most of the factor with most values. Source: Ridgeway and Mozer 2018, eq. 2.
    """
    information = mutual_information(codes, factors[:, entropies(factors) > 0])
    best = information.max(axis=1)
    telling = best > 1e-12
    others = (information**2).sum(axis=1) - best**2
    spread = others / np.where(telling, best**2, 1) / (information.shape[1] - 1)
    return np.where(telling, 1 - spread, np.nan)


def purity(clusters: Integers, factor: Integers) -> float:
    """Share of rows that carry their cluster's most common factor value; 1 when every cluster is of one value.

    clusters, factor: [n] class indices. Source: Manning, Raghavan and Schuetze 2008, section 16.3.
    """
    _, cluster_of = np.unique(clusters, return_inverse=True)
    _, value_of = np.unique(factor, return_inverse=True)
    return float(_counts(cluster_of, value_of).max(axis=1).sum() / len(factor))
