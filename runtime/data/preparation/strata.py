"""What the splits keep in proportion without being asked: who has which label.

From: the labels as read. To: one whole number a row, the same for rows that count as alike.
"""

from collections.abc import Mapping

import numpy as np

from graphspec.graphs.graph import Variable
from graphspec.language import DataSection
from runtime.data.preparation.values import Values
from runtime.data.stream.label_counts import is_class
from runtime.data.stream.proportions import Codes

RARE = 5
"""Several labels together: a combination of fewer rows only says which of the labels its rows have."""


def strata_of_labels(
    data: DataSection, variables: Mapping[str, Variable], values: Mapping[str, Values], rows: int
) -> Codes:
    """[rows] codes by class of every label that is a class, and by whether a row has it of all others.

    A variable under `data.labels` has no part: its hidden labels are as if nobody knew them.
    """
    known = [name for name in values if name not in data.labels]
    classes, given = (np.zeros(rows, dtype=np.int64) for _ in range(2))
    for name in known:
        classes = _together(classes, class_codes(variables[name], values[name]))
        given = _together(given, values[name].present.astype(np.int64))
    if len(known) < 2:
        return classes
    size = np.bincount(classes)[classes]
    return _together(np.where(size < RARE, -1, classes), given)


def class_codes(variable: Variable, values: Values) -> Codes:
    """[N] the class of each row, counted from 0; 0 where the label is no single class, -1 for a blank."""
    codes = np.zeros(len(values.present), dtype=np.int64)
    if is_class(variable):
        codes = values.tensor.numpy().reshape(-1) - variable.minimum
    return np.asarray(np.where(values.present, codes, -1), dtype=np.int64)


def _together(codes: Codes, others: Codes) -> Codes:
    """One code for each combination of codes from -1 on."""
    joined = (codes + 1) * (int(others.max(initial=0)) + 2) + others + 1
    codes = np.unique(joined, return_inverse=True)[1]
    return np.asarray(codes, dtype=np.int64)
