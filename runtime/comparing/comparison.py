"""Runs held against each other: figures of each, and paired differences of all others from the first."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from compiler.model.model import Model
from graphspec.describe.graph_changes import changes
from runtime.comparing.held_out_rows import Compared
from runtime.comparing.row_likelihoods import row_bounds, row_likelihoods
from runtime.measures.evaluation import measure
from runtime.measures.label_figures import Prediction
from runtime.measures.metrics import sign_test

SURE = 1.96
"""Standard errors of a 95 % interval."""
Floats = NDArray[np.float64]


def compared(runs: Sequence[Compared], samples: int, seed: int = 0) -> dict[str, Any]:
    """`{rows, samples, runs: [figures of each], differences: [of each other run from the first], notes}`.

    A difference is the other run's figure less the first one's, row by row: mean and standard error over the rows, and
    a 95 % interval. Errors of classes: rows that only one of them has right, and McNemar's exact test.
    """
    notes = list[str]()
    densities = _why_not_comparable(runs)
    bounds, likelihoods = list[Tensor](), list[Tensor]()
    if densities:
        notes.append(densities)
    else:
        bounds = [row_bounds(each, samples, seed) for each in runs]
        likelihoods = [row_likelihoods(each, samples, seed) for each in runs]
    predictions = [
        measure(
            each.model, each.rows, units=each.data.units, seed=seed, binarize=each.data.binarize
        ).predictions
        for each in runs
    ]  # fmt: skip
    figures = [_figures(each, found) for each, found in zip(runs, predictions, strict=True)]
    for told, bound, likelihood in zip(figures, bounds, likelihoods, strict=False):
        told["elbo"], told["log_likelihood"] = float(bound.mean()), float(likelihood.mean())
    differences = []
    for place in range(1, len(runs)):
        found: dict[str, Any] = {"first": runs[0].name, "second": runs[place].name}
        if not densities:
            found["elbo"] = paired((bounds[place] - bounds[0]).numpy())
            found["log_likelihood"] = paired((likelihoods[place] - likelihoods[0]).numpy())
        found["labels"] = {
            name: _labels(predictions[0][name], predictions[place][name])
            for name in predictions[0]
            if name in predictions[place] and _same_labels(predictions[0][name], predictions[place][name])
        }
        graphs = [each.model.graphs for each in (runs[0], runs[place])]
        found["changes"] = [
            {"where": each.where, "first": each.first, "second": each.second, "text": str(each)}
            for each in changes(graphs[0], graphs[1])
        ]
        differences.append(found)
    return {
        "rows": len(runs[0].rows),
        "samples": samples,
        "seed": seed,
        "runs": figures,
        "differences": differences,
        "notes": notes,
    }


def paired(differences: Floats) -> dict[str, Any]:
    """Mean, standard error over the rows, and a 95 % interval; no error of a single row."""
    rows = len(differences)
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / math.sqrt(rows)) if rows > 1 else math.nan
    return {"mean": mean, "standard_error": error, "interval": [mean - SURE * error, mean + SURE * error], "rows": rows}


def mcnemar(first_only: int, second_only: int) -> float:
    """Two-sided exact test of rows that only one of two has right: the chance of as uneven a split of fair coins.

    Source: McNemar 1947, Psychometrika 12, 153, in its exact binomial form.
    """
    low, high = sorted((first_only, second_only))
    return 1.0 if low == high else min(1.0, 2 * sign_test(high, low))


def _figures(one: Compared, predictions: Mapping[str, Prediction]) -> dict[str, Any]:
    manifest = one.run.manifest()
    return {
        "run": one.name,
        "parameters": parameters(one.model),
        "epochs": manifest.get("epochs"),
        "wall_seconds": manifest.get("wall_seconds"),
        "errors": {name: float(_wrong(found).mean()) for name, found in predictions.items() if len(found.labels)},
    }


def parameters(model: Model) -> int:
    """Numbers that are learned."""
    return sum(each.numel() for each in model.parameters())


def _wrong(prediction: Prediction) -> Floats:
    """[n]: 1 where a class is wrong; of numbers the squared error, in data's units."""
    if prediction.probabilities is not None:
        return np.asarray(prediction.values != prediction.labels, dtype=np.float64)
    return np.asarray((prediction.values - prediction.labels) ** 2, dtype=np.float64)


def _labels(first: Prediction, second: Prediction) -> dict[str, Any]:
    ours, theirs = _wrong(first), _wrong(second)
    rows, where = np.unique(first.row, return_inverse=True)
    by_row = np.bincount(where, weights=theirs - ours) / np.bincount(where)
    found: dict[str, Any] = {"rows": len(rows), "kind": "classes" if first.probabilities is not None else "numbers"}
    found["difference"] = paired(by_row)
    if first.probabilities is not None and len(rows) == len(ours):
        first_only, second_only = int(((ours == 0) & (theirs == 1)).sum()), int(((ours == 1) & (theirs == 0)).sum())
        found |= {"only_first_right": first_only, "only_second_right": second_only}
        found["p_value"] = mcnemar(first_only, second_only)
    return found


def _same_labels(first: Prediction, second: Prediction) -> bool:
    """Both answer the same labels of the same rows."""
    if (first.probabilities is None) != (second.probabilities is None) or not len(first.labels):
        return False
    names = first.variable.value_names == second.variable.value_names
    return names and len(first.labels) == len(second.labels) and bool(np.allclose(first.labels, second.labels))


def _why_not_comparable(runs: Sequence[Compared]) -> str:
    """Why bounds are of different things, as a sentence; empty where they are of the same values."""
    first, *others = (_modelled(each) for each in runs)
    for each, other in zip(runs[1:], others, strict=True):
        if first.keys() != other.keys():
            apart = sorted(set(first) ^ set(other))
            return f"the bounds are not compared: only one of {runs[0].name} and {each.name} models {', '.join(apart)}"
        changed = [name for name in first if first[name] != other[name]]
        if changed:
            return (
                f"the bounds are not compared: {runs[0].name} and {each.name} read or score {', '.join(changed)} "
                f"as different values ({first[changed[0]]}; {other[changed[0]]})"
            )
    return ""


def _modelled(one: Compared) -> dict[str, str]:
    """By column, how each observed variable that p models is read, and whether it has a density."""
    graphs, found = one.model.graphs, dict[str, str]()
    for name in graphs.observed:
        factor = graphs.generative.get(name)
        if factor is None or factor.family is None:
            continue
        spec = one.data.columns[name]
        read = {k: v for k, v in spec.model_dump(exclude_defaults=True).items() if k in READ}
        scored = "probabilities" if factor.family.discrete else "densities"
        found[", ".join(spec.names) or name] = f"{scored}{f' of {read}' if read else ''}"
    return found


READ = ("resize", "colour", "binarize", "missing")
"""What makes other values of the same column; scales do not, because all is told in data's units."""
