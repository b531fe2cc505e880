"""Who a row is, whatever other rows stand beside it: a number in [0, 2**64) from its name, else from its place.

Splits and label budgets are drawn by these numbers, so that rows which are added later move no others.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from graphspec.headers.row_names import number_of_name

Identities = NDArray[np.uint64]

_OWN_TEST = np.uint64(1 << 63)
"""Marks places of the source's own test split: a row more for training moves none of them."""


def by_name(names: Iterable[str]) -> Identities:
    """Rows by what they are called. Rows of the same name go the same way."""
    return np.fromiter(map(number_of_name, names), dtype=np.uint64)


def by_place(training_rows: int, test_rows: int = 0) -> Identities:
    """Rows by their place in their own split of the source."""
    training, test = (np.arange(rows, dtype=np.uint64) for rows in (training_rows, test_rows))
    return np.concatenate([training, test | _OWN_TEST])
