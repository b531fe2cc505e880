"""`--folds K`: every labelled row is a test row once, so that all of them tell what the error is.

From: rows of `results` at the K folds. To: one error over all folds for each label and model, with its interval.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphspec.reading.suggestions import counted
from runtime.measures.error_interval import wilson_interval
from runtime.sweeping.results import per_cent, statistics
from runtime.sweeping.sweep_plan import AS_WRITTEN, SweepPlan
from runtime.sweeping.swept_values import Field

FIELD = "data.test"
FIGURES = ("test_error", "test_constant")


def fold_field(folds: int) -> Field:
    """What is swept: which fold is held out for testing."""
    return Field(FIELD, tuple(f"{{fold: {fold}, of: {folds}}}" for fold in range(folds)))


def over_folds(plan: SweepPlan, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`[{over, model, folds, variable, rows, error, constant, interval}]`, where all folds of a sweep are measured.

    over: the other swept values. error: {mean, std, n} over seeds, each over the rows of all folds together, per cent
    where it is a share (interval: 95 %, by all rows), else the root mean square. constant: likewise, of answering each
    fold with the commonest class, or the mean, of the rows trained on.
    """
    found: list[dict[str, Any]] = []
    for others, points in _groups(rows):
        folds = points[0]["over"][FIELD]["of"]
        for key in plan.titles:
            figures = [point if key == AS_WRITTEN else point[key] for point in points]
            if len(points) == folds:
                found += _of_model(plan, {"over": others, "model": key, "folds": folds}, figures)
    return found


def _groups(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[dict[str, Any], list[Mapping[str, Any]]]]:
    """Points that differ in the fold alone."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        rule = row["over"].get(FIELD)
        if isinstance(rule, Mapping) and {"fold", "of"} <= rule.keys():
            groups.setdefault(repr((_others(row), rule["of"])), []).append(row)
    for points in groups.values():
        yield _others(points[0]), points


def _others(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row["over"].items() if name != FIELD}


def _of_model(plan: SweepPlan, head: dict[str, Any], folds: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name in plan.graphs.supervised:
        share, measured = per_cent(plan.graphs, name), list[list[Mapping[str, Any]]]()
        for seed in plan.seeds:
            known = [each for each in (_measured(fold, seed, name) for fold in folds) if each is not None]
            if len(known) == len(folds) and any(each["test_rows"] for each in known):
                measured.append([each for each in known if each["test_rows"]])
        error, constant = (statistics(_pooled(of_seed, figure, share) for of_seed in measured) for figure in FIGURES)
        if error["mean"] is None:
            continue
        rows = sum(each["test_rows"] for each in measured[-1])
        interval = [100 * end for end in wilson_interval(error["mean"] / 100, rows)] if share else None
        yield {**head, "variable": name, "rows": rows, "error": error, "constant": constant, "interval": interval}


def _measured(fold: Mapping[str, Any], seed: int, name: str) -> Mapping[str, Any] | None:
    """A run's figures of a label; None where there is no run."""
    run = next((each for each in fold["seeds"] if each["seed"] == seed), None)
    return None if run is None else run.get("variables", {}).get(name, run)


def _pooled(folds: Sequence[Mapping[str, Any]], figure: str, share: bool) -> float | None:
    """The figure over the rows of all folds together, which have some each; None where one has not measured it."""
    total, rows = 0.0, sum(fold["test_rows"] for fold in folds)
    for fold in folds:
        if fold.get(figure) is None:
            return None
        total += fold["test_rows"] * (fold[figure] if share else fold[figure] ** 2)
    return total / rows if share else math.sqrt(total / rows)


def fold_notes(plan: SweepPlan, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line each, to stand below the table."""
    return [_told(plan, found) for found in over_folds(plan, rows)]


def _told(plan: SweepPlan, found: Mapping[str, Any]) -> str:
    error, interval = found["error"]["mean"], found["interval"]
    constant = found["constant"]["mean"]
    beside = "" if constant is None else f"; always the mean: {constant:.4g}"
    figure = f"{error:.4g} (root mean square{beside})"
    if interval is not None:
        beside = "" if constant is None else f"; always the commonest class: {constant:.2f} %"
        figure = f"{error:.2f} % (95 % interval {interval[0]:.1f} to {interval[1]:.1f}{beside})"
    where = "".join(f", {name}={value}" for name, value in found["over"].items())
    model = f", {plan.titles[found['model']]}" if found["model"] != AS_WRITTEN else ""
    rows = counted(found["rows"], "labelled row")
    return f"{found['variable']}{model}{where} over {found['folds']} folds, each of {rows} tested once: {figure}"
