"""Rows in an order of which every beginning holds the classes in their proportions."""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def proportional_order(classes: Codes, *, each_first: bool = False) -> NDArray[np.int64]:
    """Places of rows that come in a drawn order, so that any number of the first ones has `classes` [n] in proportion
    (Webster's method: the k-th of n rows of a class has its turn at (k - 1/2) / n) and more of them only adds rows.

    each_first: begin with one row of every class, the largest class first. Ties go to the row drawn first.
    """
    rank, size = ranks_within(classes)
    turn = (rank + 0.5) / size
    if each_first:
        turn = np.where(rank == 0, -size.astype(np.float64), turn)
    return np.argsort(turn, kind="stable").astype(np.int64, copy=False)


def ranks_within(classes: Codes) -> tuple[Codes, Codes]:
    """How many rows of its own class come before each row [n], and how many rows its class has."""
    _, code, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    by_class = np.argsort(code, kind="stable")
    rank = np.empty(len(classes), dtype=np.int64)
    rank[by_class] = np.arange(len(classes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank, sizes[code]
