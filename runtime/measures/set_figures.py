"""Figures of labels that are a set: whether all of a row's are right, whichever element has which."""

from typing import Any

import numpy as np

from runtime.measures.label_figures import Prediction


def set_figures(prediction: Prediction) -> dict[str, Any]:
    """`{sets_right}`: the share of rows whose predicted classes are those of its labels, as multisets. Of the elements
    that labels went to; nothing for a label without finitely many values, or where no row has one."""
    if prediction.probabilities is None or not len(prediction.labels):
        return {}
    told, answered = (_sorted_within(prediction.row, values) for values in (prediction.labels, prediction.values))
    wrong = np.unique(np.sort(prediction.row)[told != answered])
    return {"sets_right": 1 - len(wrong) / prediction.rows}


def _sorted_within(row: "np.ndarray[Any, Any]", values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Values in the order of rows, and of their size within each."""
    return values[np.lexsort((values, row))]
