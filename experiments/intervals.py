"""Whether intervals hold what they say, probabilities are calibrated, and blanks are filled well: four real tables.

    python -m experiments.intervals --output results/intervals.json

scikit-learn's wine, breast cancer, iris and diabetes, a third of the rows as test rows, five seeds, models as
`GraphspecClassifier` and `GraphspecRegressor` make them of X and y (the recipe of `graphspec new --from`).
numbers: a column (diabetes: its target) is the label of a regression, and its 90 % intervals are held against the test
rows. classes: log loss and calibration error beside logistic regression's. blanks: 15 % of the cells of all rows are
taken out at random; those of test rows are imputed from 200 draws. Error: root mean square in the training column's
standard deviations. Log density of the hidden cell in nats, of the standardized column: of draws a kernel's; of a
method that gives a number alone, the mean, nearest neighbours and iterative imputation of scikit-learn, a normal
density around it with the spread of its errors on training cells that were taken out as well.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets as tables
from numpy.typing import NDArray
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from runtime import GraphspecClassifier, GraphspecRegressor, open_predictor
from runtime.measures.metrics import calibration_error
from runtime.training.loop.manifest import versions

Floats = NDArray[np.float64]
SEEDS, HIDDEN, DRAWS = 5, 0.15, 200


def main() -> None:
    """Measure, and write after each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    started, rows = time.time(), list[dict[str, Any]]()
    for seed in range(asked.seeds):
        for name in ("wine", "breast_cancer", "iris", "diabetes"):
            X, y = getattr(tables, f"load_{name}")(return_X_y=True)
            rows += measured(name, X, y, seed)
            print(json.dumps(rows[-1]), flush=True)
        facts = {"seconds": round(time.time() - started), "seeds": seed + 1, "versions": versions()}
        report = {"summary": summary(rows), "runs": rows, **facts}
        asked.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def measured(name: str, X: Floats, y: NDArray[Any], seed: int) -> list[dict[str, Any]]:
    """All figures of a table and a seed."""
    numeric = name == "diabetes"
    parts = train_test_split(X, y, test_size=1 / 3, random_state=seed, stratify=None if numeric else y)
    X_train, X_test, y_train, y_test = parts
    where = {"table": name, "seed": seed}
    target = (X_train, y_train, X_test, y_test) if numeric else column_as_label(X_train, X_test)
    found = [where | {"what": "numbers", **numbers(*target, seed)}]
    if not numeric:
        found.append(where | {"what": "classes", **classes(X_train, y_train, X_test, y_test, seed)})
    found.append(where | {"what": "blanks", **blanks(X_train, y_train, X_test, numeric, seed)})
    return found


def column_as_label(X_train: Floats, X_test: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The last column as what is to be told from the others."""
    return X_train[:, :-1], X_train[:, -1], X_test[:, :-1], X_test[:, -1]


def numbers(X_train: Floats, y_train: Floats, X_test: Floats, y_test: Floats, seed: int) -> dict[str, Any]:
    """Error and coverage of a predicted number."""
    model = GraphspecRegressor(random_state=seed).fit(X_train, y_train)
    told = open_predictor(model.run_).predict({f"x{i}": X_test[:, i] for i in range(X_test.shape[1])}, latents="none")
    inside = (np.asarray(told["y.low"]) <= y_test) & (y_test <= np.asarray(told["y.high"]))
    width = np.mean(np.asarray(told["y.high"]) - np.asarray(told["y.low"])) / y_train.std()
    off = (np.asarray(told["y"], dtype=float) - y_test) / y_train.std()
    return {"coverage": inside.mean(), "cells": len(y_test), "width": width, "error": float(np.sqrt((off**2).mean()))}


def classes(X_train: Floats, y_train: NDArray[Any], X_test: Floats, y_test: NDArray[Any], seed: int) -> dict[str, Any]:
    """Calibration beside logistic regression's."""
    ours = GraphspecClassifier(random_state=seed).fit(X_train, y_train).predict_proba(X_test)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X_train, y_train)
    both = {"ours": ours, "logistic": theirs.predict_proba(X_test)}
    return {
        f"{figure} {who}": float(of(told))
        for who, told in both.items()
        for figure, of in {
            "calibration": lambda p: calibration_error(p, y_test),
            "log loss": lambda p: log_loss(y_test, p),
            "error": lambda p: (p.argmax(1) != y_test).mean(),
        }.items()
    }


def blanks(X_train: Floats, y_train: NDArray[Any], X_test: Floats, numeric: bool, seed: int) -> dict[str, Any]:
    """Hidden cells imputed, by ours and by scikit-learn's."""
    rng = np.random.default_rng(seed)
    out_train, out_test = (rng.random(part.shape) < HIDDEN for part in (X_train, X_test))
    mean, scale = X_train.mean(0), X_train.std(0)
    train, test = (X_train - mean) / scale, (X_test - mean) / scale
    lacking_train, lacking = np.where(out_train, np.nan, X_train), np.where(out_test, np.nan, X_test)
    kind = GraphspecRegressor if numeric else GraphspecClassifier
    model = kind(random_state=seed).fit(lacking_train, y_train)
    predictor = open_predictor(model.run_)  # as long as `model` is there
    table = {f"x{i}": lacking[:, i] for i in range(lacking.shape[1])}
    told = predictor.impute(table, samples=DRAWS, seed=seed)
    drawn = predictor.impute(table, draws=DRAWS, seed=seed)
    names = list(table)
    filled, low, high = (
        np.stack([np.asarray(told[f"{name}{end}"], dtype=float) for name in names], 1) for end in ("", ".low", ".high")
    )
    draws = np.stack([np.asarray(drawn[name], dtype=float) for name in names], 1).reshape(DRAWS, *lacking.shape)
    inside = ((low <= X_test) & (X_test <= high))[out_test]
    found = {"coverage": inside.mean(), "cells": int(out_test.sum())}
    found["error ours"] = error((filled - mean) / scale, test, out_test)
    found["log density ours"] = kernel_density((draws - mean) / scale, test)[out_test].mean()
    # what scikit-learn's fill in training cells that were taken out as well tells how far off they are
    for who, imputer in imputers(seed).items():
        ready = imputer.fit((lacking_train - mean) / scale)
        spread = error(ready.transform((lacking_train - mean) / scale), train, out_train)
        off = ready.transform((lacking - mean) / scale) - test
        found[f"error {who}"] = error(off, np.zeros_like(off), out_test)
        density = -0.5 * (off / spread) ** 2 - np.log(spread * np.sqrt(2 * np.pi))
        found[f"log density {who}"] = density[out_test].mean()
    return {key: float(value) for key, value in found.items()}


def imputers(seed: int) -> dict[str, Any]:
    """scikit-learn's."""
    return {
        "mean": SimpleImputer(),
        "neighbours": KNNImputer(n_neighbors=5),
        "iterative": IterativeImputer(max_iter=20, random_state=seed, tol=1e-2),
    }


def error(filled: Floats, truth: Floats, where: NDArray[np.bool_]) -> float:
    """Root mean square."""
    return float(np.sqrt(((filled - truth)[where] ** 2).mean()))


def kernel_density(draws: Floats, values: Floats) -> Floats:
    """log density of values [N, C] among draws [S, N, C], by normal kernels of Silverman's width."""
    ends = np.quantile(draws, (0.25, 0.75), axis=0)
    spread = np.minimum(draws.std(0), (ends[1] - ends[0]) / 1.349)
    width = np.maximum(0.9 * spread * len(draws) ** -0.2, 1e-3)
    each = -0.5 * ((draws - values) / width) ** 2 - np.log(width * np.sqrt(2 * np.pi))
    top = each.max(0)
    found: Floats = top + np.log(np.exp(each - top).mean(0))
    return found


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """By what and table: the mean over seeds and its deviation."""
    found: dict[str, Any] = {}
    for what in ("numbers", "classes", "blanks"):
        for name in dict.fromkeys(row["table"] for row in rows):
            some = [row for row in rows if (row["what"], row["table"]) == (what, name)]
            for key in some[0].keys() - {"table", "seed", "what"} if some else ():
                values = [row[key] for row in some]
                found.setdefault(what, {}).setdefault(name, {})[key] = [
                    round(float(np.mean(values)), 4),
                    round(float(np.std(values)), 4),
                ]
    return found


if __name__ == "__main__":
    main()
