"""Is a label as well calibrated as a logistic regression on the same labels would be?

From: predictions on held-out rows, and the rows that have trained. To: both calibration errors and log losses, and
words where the model's is the larger one.
"""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from graphspec.graphs.graph import Graphs
from runtime.data import PreparedData, Rows
from runtime.data.stream.patterns import given_elements
from runtime.measures.label_figures import Prediction
from runtime.measures.metrics import Floats, calibration_error, log_loss

MOST_COLUMNS, MOST_LABELS, FEWEST_ROWS = 300, 5000, 20
"""Beyond them a regression takes long, or tells nothing."""
RESAMPLED, SURE = 300, 0.95


def logistic_beside(
    graphs: Graphs, data: PreparedData, rows: Rows, predictions: Mapping[str, Prediction]
) -> dict[str, Any]:
    """`{label: {calibration, log_loss, logistic_calibration, logistic_log_loss, labels, worse}}` for labels of one
    class a row, where rows are few numbers. worse: the share of resamplings of the rows in which the model's error is
    the larger one."""
    found = dict[str, Any]()
    names = [name for name in graphs.observed if name in data.training.values]
    if graphs.plates or sum(prod(graphs.variables[name].shape) for name in names) > MOST_COLUMNS:
        return found
    for name, prediction in predictions.items():
        given = data.label_rows.get(name)
        if prediction.probabilities is None or prediction.variable.shape or given is None:
            continue
        given = given[:MOST_LABELS]
        labels = data.training.values[name][given].cpu().numpy() - prediction.variable.minimum
        if len(np.unique(labels)) < 2 or prediction.rows < FEWEST_ROWS:
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(_numbers(graphs, names, data.training, given), labels)
        told = np.full(prediction.probabilities.shape, 1e-12)
        asked = torch.from_numpy(np.ascontiguousarray(prediction.row))
        told[:, model.classes_.astype(int)] = model.predict_proba(_numbers(graphs, names, rows, asked))
        found[name] = {**_compared(prediction.probabilities, told, prediction.labels), "labels": len(labels)}
    return found


def _numbers(graphs: Graphs, names: list[str], rows: Rows, places: Tensor) -> Floats:
    """[n, columns]: numbers with blanks at 0, their mean where they are standardized; classes one by one."""
    batch, parts = rows.batch(places, torch.float64), list[Floats]()
    for name in names:
        variable, values = graphs.variables[name], batch[name].double().reshape(len(places), -1).cpu()
        known = given_elements(batch[name], variable.discrete).reshape(len(places), -1).cpu()
        flat = values.masked_fill(~known, 0.0).numpy()
        if variable.domain == "category":
            support, known_there = variable.support or 1, known.numpy()[..., None]
            flat = ((flat[..., None] == np.arange(support) + variable.minimum) & known_there).reshape(len(flat), -1)
        parts.append(flat.astype(np.float64))
    return np.concatenate(parts, axis=1)


def _compared(own: Floats, other: Floats, labels: NDArray[Any]) -> dict[str, float]:
    rng, worse = np.random.default_rng(0), 0
    for _ in range(RESAMPLED):
        some = rng.integers(len(labels), size=len(labels))
        worse += calibration_error(own[some], labels[some]) > calibration_error(other[some], labels[some])
    return {
        "calibration": calibration_error(own, labels),
        "log_loss": log_loss(own, labels),
        "logistic_calibration": calibration_error(other, labels),
        "logistic_log_loss": log_loss(other, labels),
        "worse": worse / RESAMPLED,
    }


def worse_calibrated(found: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Labels whose calibration error is the larger one, in words."""
    for name, each in found.items():
        if each["calibration"] > each["logistic_calibration"]:
            chance = "" if each["worse"] >= SURE else ", or it is chance, which so few rows cannot tell"
            yield (
                f"probabilities of {name} are worse calibrated than a logistic regression's on the same "
                f"{each['labels']} labels{chance}: calibration error {each['calibration']:.3f} against "
                f"{each['logistic_calibration']:.3f} (log loss {each['log_loss']:.3f} against "
                f"{each['logistic_log_loss']:.3f} nats)"
            )
