"""What the predictions of one label are worth: its figures, beside those of an answer that looks at nothing.

From: a `Prediction`. To: plain values (a variable's entry in `evaluate --json`). Not here: models and batches.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from runtime.measures.error_interval import wilson_interval
from runtime.measures.metrics import (
    Floats,
    Integers,
    area_under_curve,
    balanced_error,
    calibration_error,
    confusions,
    log_loss,
    macro_f1,
    precision,
    recall,
    root_mean_square,
    share_wrong,
    sign_test,
)

MOST_CONFUSED = 100
"""Beyond this many classes a table of confusions is too long to be read."""
MOST_CELLS, MOST_AREAS = 10**7, 1000
"""Labels of more elements have one table for all of them, and no areas under curves: seconds an epoch."""
SURE = 0.025
"""What chance may contribute on one side where something is said to be clearly better (95 % two-sided)."""


@dataclass(frozen=True)
class Prediction:
    """One supervised variable over a split, elements whose label is blank left out: n of them in all.

    labels: [n] class index (discrete with a finite support) or value; probabilities: [n, K] or None;
    values: [n] most likely class index, or mean. row, element: [n], where each label stands in [N, *shape].
    angles: [d] degrees between the true and the predicted direction, where the label is one.
    """

    variable: Variable
    labels: NDArray[Any]
    values: NDArray[Any]
    probabilities: Floats | None
    row: Integers
    element: Integers
    angles: Floats | None = None

    @property
    def rows(self) -> int:
        """Rows with at least one label."""
        return len(np.unique(self.row))

    @property
    def part(self) -> Integers:
        """[n] which element of the label's own value each is: elements of its plates are one more case of the same."""
        return self.element % max(math.prod(self.variable.of_element), 1)


def summarize(prediction: Prediction) -> dict[str, Any]:
    """A label's figures; the error is None where no row of the split has the label.

    Finite support: error and majority_error (of always answering an element's commonest class: `majority`, if there is
    one element), shares in [0, 1]; interval: 95 % of the error; log_loss in nats, calibration, balanced_error,
    macro_f1, auc (two values), classes: {NAME: {rows, recall, precision}} (None: no such row, or never answered),
    confusion [K][K] (row: true class). All elements of a plate are counted in one table; of a label whose own value has
    several elements the mean over them, and no table of classes.
    Else: error = rmse, mae, median_error (absolute) and mean_error (always answering an element's mean), in data
    units, and r2; of a direction also angle_rms and angle_median, in degrees from 0 to 180. A bounded count has both.
    clearly_better: than that constant answer, on these rows (95 %).
    """
    if not len(prediction.labels):
        return {"error": None, "rows": 0}
    size = {"rows": prediction.rows, **_elements(prediction)}
    if prediction.probabilities is None:
        return {"error": root_mean_square(prediction.values, prediction.labels), **size, **_of_numbers(prediction)}
    error = share_wrong(prediction.values, prediction.labels)
    return {
        "error": error,
        "interval": list(wilson_interval(error, prediction.rows)),
        **size,
        "log_loss": log_loss(prediction.probabilities, prediction.labels),
        "calibration": calibration_error(prediction.probabilities, prediction.labels),
        **_of_classes(prediction, prediction.probabilities),
    }


def figure_named(figures: Mapping[str, Any], name: str) -> float | None:
    """One of a label's figures as `training.select` calls it, `recall.CLASS` among them; None where it is no number."""
    kind, _, of_class = name.partition(".")
    value = figures.get("classes", {}).get(of_class, {}).get(kind) if of_class else figures.get(kind)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _elements(prediction: Prediction) -> dict[str, int]:
    """How many elements the figures are over, where rows have more than one."""
    return {"elements": len(prediction.labels)} if prediction.variable.shape not in ((), (1,)) else {}


def _of_classes(prediction: Prediction, probabilities: Floats) -> dict[str, Any]:
    classes, labels = probabilities.shape[1], prediction.labels
    part, parts = _counted(prediction.part, classes)
    tables = confusions(prediction.values, labels, part, parts, classes)
    element, elements = _counted(prediction.element, classes)
    answer = confusions(labels, labels, element, elements, classes).sum(axis=2).argmax(axis=1)
    gain = (labels != answer[element]).astype(np.float64) - (prediction.values != labels)
    found: dict[str, Any] = {
        **({"majority": prediction.variable.value_names[int(answer[0])]} if elements == 1 else {}),
        "majority_error": share_wrong(answer[element], labels),
        "clearly_better": _more_often_right(_per_row(prediction.row, gain)),
        "balanced_error": float(np.nanmean(balanced_error(tables))),
        "macro_f1": float(np.nanmean(macro_f1(tables))),
    }
    if classes == 2 and parts <= MOST_AREAS:
        found["auc"] = _mean_area(probabilities[:, 1], labels == 1, part)
    if prediction.variable.domain == "count":
        found |= _of_counts(prediction, probabilities)
    return found | (_by_class(prediction.variable, tables[0]) if parts == 1 else {})


def _by_class(variable: Variable, table: Integers) -> dict[str, Any]:
    of_class = zip(variable.value_names, table.sum(axis=1), recall(table), precision(table), strict=True)
    shares = {
        name: {"rows": int(rows), "recall": _known(found), "precision": _known(right)}
        for name, rows, found, right in of_class
    }
    return {"classes": shares} | ({"confusion": table.tolist()} if len(table) <= MOST_CONFUSED else {})


def _counted(element: Integers, classes: int) -> tuple[Integers, int]:
    """The element of each label, and how many there are; one for all where tables of each would be too many."""
    elements = int(element.max()) + 1
    return (element, elements) if elements * classes**2 <= MOST_CELLS else (element * 0, 1)


def _mean_area(scores: Floats, positive: NDArray[np.bool_], element: Integers) -> float | None:
    of = [np.flatnonzero(element == each) for each in np.unique(element)]
    areas = [area for where in of if (area := area_under_curve(scores[where], positive[where])) is not None]
    return float(np.mean(areas)) if areas else None


def _of_counts(prediction: Prediction, probabilities: Floats) -> dict[str, Any]:
    """How far off a bounded count is, as a number: its mean under the prediction against its value."""
    numbers = {"values": probabilities @ np.arange(probabilities.shape[1]), "labels": prediction.labels}
    of_numbers = _of_numbers(Prediction(**{**vars(prediction), **numbers, "probabilities": None}))
    return {name: value for name, value in of_numbers.items() if name != "clearly_better"}


def _of_numbers(prediction: Prediction) -> dict[str, Any]:
    labels, element = prediction.labels.astype(np.float64), prediction.element
    mean = np.bincount(element, weights=labels) / np.maximum(np.bincount(element), 1)
    off: Floats = prediction.values - labels
    spread: Floats = mean[element] - labels
    total = float((spread**2).sum())
    gain = _per_row(prediction.row, spread**2 - off**2)
    return {
        "rmse": root_mean_square(prediction.values, labels),
        "mae": float(np.abs(off).mean()),
        "median_error": float(np.median(np.abs(off))),
        "r2": 1 - float((off**2).sum()) / total if total > 0 else None,
        "mean_error": math.sqrt(total / len(labels)),
        "clearly_better": _surely_positive(gain),
        **_of_angles(prediction.angles),
    }


def _of_angles(angles: Floats | None) -> dict[str, float]:
    if angles is None:
        return {}
    return {"angle_rms": float(np.sqrt(np.mean(angles**2))), "angle_median": float(np.median(angles))}


def _per_row(row: Integers, gain: Floats) -> Floats:
    """The sum over the labels of each row that has one: elements of a row go together."""
    return np.asarray(np.bincount(row, weights=gain), dtype=np.float64)[np.unique(row)]


def _more_often_right(gain: Floats) -> bool:
    """Rows [n] that gain against those that lose: a coin would hardly have favoured the former as often (sign test)."""
    won, lost = int((gain > 0).sum()), int((gain < 0).sum())
    return won > lost and sign_test(won, lost) < SURE


def _surely_positive(gain: Floats) -> bool:
    """The mean of [n] lies above 0 by two standard errors."""
    return len(gain) > 2 and bool(gain.mean() > 1.96 * gain.std(ddof=1) / math.sqrt(len(gain)))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
