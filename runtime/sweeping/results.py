"""What finished runs reached: figures of one run, statistics over seeds, rows of the table.

From: run folders, as `train` leaves them (validation figures of the chosen epoch in metrics.jsonl, test figures in
evaluation-test.json). To: plain values, ready for JSON. Nothing is measured here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphspec.graphs.graph import Graphs
from graphspec.language import LabelBudget
from runtime.errors import RunError
from runtime.measures.error_interval import wilson_interval
from runtime.runs.records import read_object
from runtime.runs.run_folder import Run as TrainedRun
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import AS_WRITTEN, Column, Point, SweepPlan

Stats = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A run that did not end well: what it said last, and where all that it said is."""

    message: str
    log: str


def statistics(values: Iterable[float | None]) -> Stats:
    """`{mean, std, n}` of the numbers among `values`; std with n - 1 in the denominator, null below two of them."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return {"mean": None, "std": None, "n": 0}
    mean = math.fsum(known) / len(known)
    spread = None if len(known) < 2 else math.sqrt(math.fsum((v - mean) ** 2 for v in known) / (len(known) - 1))
    return {"mean": mean, "std": spread, "n": len(known)}


def is_done(run: TrainedRun, test: bool) -> bool:
    """Trained to its end, and measured on its test rows where they are wanted (and there are any)."""
    try:
        manifest = run.manifest()
    except RunError:
        return False
    measured = not test or not manifest.get("test") or (run.folder / "evaluation-test.json").exists()
    return manifest.get("status") == "finished" and measured


def figures_of(run: TrainedRun, test: bool = True) -> dict[str, Any]:
    """One run's figures: seconds of training, the chosen epoch, and per split what `evaluate_rows` reported."""
    manifest = run.manifest()
    best = manifest.get("best_epoch") or manifest.get("epochs")
    record = next((entry for entry in run.metrics() if entry.get("epoch") == best), {})
    report = run.folder / "evaluation-test.json"
    found = read_object(report) if test and report.exists() else None
    return {
        "seconds": manifest.get("wall_seconds"),
        "epochs": manifest.get("epochs"),
        "best_epoch": best,
        "validation": record.get("validation"),
        "test": found,
    }


def in_table_units(graphs: Graphs, name: str, report: Mapping[str, Any] | None, figure: str = "error") -> float | None:
    """A variable's error, or another figure of its kind: in per cent where it has finitely many values, else in data
    units. None if unknown."""
    error = ((report or {}).get("variables") or {}).get(name, {}).get(figure)
    if error is None:
        return None
    return float(100 * error if per_cent(graphs, name) else error)


def constant_in_table_units(graphs: Graphs, name: str, report: Mapping[str, Any] | None) -> float | None:
    """The error of one answer for all rows: the commonest class of the training rows, or their mean."""
    return in_table_units(graphs, name, report, "majority_error" if per_cent(graphs, name) else "mean_error")


def interval_in_table_units(
    graphs: Graphs, name: str, split: str, reports: Sequence[Mapping[str, Any] | None], mean: float | None
) -> dict[str, Any]:
    """`{SPLIT_interval: [low, high], SPLIT_rows}`: the 95 % interval in per cent of the mean error over runs, as sure
    as the labelled rows of one of them make it (runs share held-out rows). Empty where the error is no share."""
    found = [((report or {}).get("variables") or {}).get(name, {}).get("rows") for report in reports]
    rows = min((count for count in found if count), default=0)
    if mean is None or not rows or not per_cent(graphs, name):
        return {}
    return {f"{split}_interval": [100 * x for x in wilson_interval(mean / 100, rows)], f"{split}_rows": rows}


def per_cent(graphs: Graphs, name: str) -> bool:
    """The variable's error is a share of labels."""
    return graphs.variables[name].support is not None


def rows_of(
    plan: SweepPlan, folder: SweepFolder, failures: Mapping[str, Failure], splits: Sequence[str]
) -> list[Stats]:
    """One row per grid point, in order; figures of runs that are not there yet are left out of the statistics."""
    return [_row(plan, point, folder, failures, splits) for point in plan.points]


def _row(
    plan: SweepPlan, point: Point, folder: SweepFolder, failures: Mapping[str, Failure], splits: Sequence[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {"over": point.over}
    labels = _labels(point.written.graphs)
    if labels is not None:
        row["labels"] = labels
    for column in point.columns:
        figures = column_figures(column, folder, failures, splits)
        row |= figures if column.key == AS_WRITTEN else {column.key: figures}
    return row


def _labels(graphs: Graphs) -> int | float | None:
    """The label budget, where there is one supervised variable and the budget says how many."""
    data = graphs.spec.data
    if data is None or len(graphs.supervised) != 1:
        return None
    name = graphs.supervised[0]
    budget, classes = data.labels.get(name), graphs.variables[name].support
    if isinstance(budget, LabelBudget) and budget.per_class is not None and classes is not None:
        return budget.per_class * classes
    return budget if isinstance(budget, (int, float)) else None


def column_figures(
    column: Column, folder: SweepFolder, failures: Mapping[str, Failure], splits: Sequence[str]
) -> dict[str, Any]:
    """One model at one point: statistics over its finished runs, each seed's own figures, and what failed."""
    graphs, seeds, failed = column.graphs, [], []
    reports: list[dict[str, Any]] = []
    for run in column.runs:
        trained = folder.run(run.name)
        if run.name in failures:
            failure = failures[run.name]
            failed.append({"seed": run.seed, "message": failure.message, "log": failure.log})
        elif is_done(trained, "test" in splits):
            reports.append(figures_of(trained, "test" in splits))
            seeds.append(_seed(graphs, run.seed, f"runs/{run.name}", reports[-1], splits))
    figures: dict[str, Any] = {}
    for index, name in enumerate(graphs.supervised):
        errors: dict[str, Any] = {}
        for split in splits:
            of_seeds = statistics(seed["variables"][name][f"{split}_error"] for seed in seeds)
            measured = [report[split] for report in reports]
            errors[f"{split}_error"] = of_seeds
            errors |= interval_in_table_units(graphs, name, split, measured, of_seeds["mean"])
        figures |= errors if index == 0 else {}
        if len(graphs.supervised) > 1:
            figures.setdefault("variables", {})[name] = errors
    if column.models_data:
        figures |= {f"{split}_elbo": statistics(seed[f"{split}_elbo"] for seed in seeds) for split in splits}
    figures["minutes"] = statistics(None if s["seconds"] is None else s["seconds"] / 60 for s in seeds)
    return figures | {"seeds": [_first(seed, graphs) for seed in seeds]} | ({"failed": failed} if failed else {})


def _seed(graphs: Graphs, seed: int, run: str, figures: Mapping[str, Any], splits: Sequence[str]) -> dict[str, Any]:
    errors = {
        name: {
            **{f"{split}_error": in_table_units(graphs, name, figures[split]) for split in splits},
            **{f"{split}_constant": constant_in_table_units(graphs, name, figures[split]) for split in splits},
            **{f"{split}_rows": _labelled_rows(name, figures[split]) for split in splits},
        }
        for name in graphs.supervised
    }
    elbos = {f"{split}_elbo": (figures[split] or {}).get("elbo") for split in splits}
    rest = {name: figures[name] for name in ("seconds", "epochs", "best_epoch")}
    return {"seed": seed, "variables": errors, **elbos, **rest, "run": run}


def _labelled_rows(name: str, report: Mapping[str, Any] | None) -> int | None:
    rows = ((report or {}).get("variables") or {}).get(name, {}).get("rows")
    return None if rows is None else int(rows)


def _first(seed: dict[str, Any], graphs: Graphs) -> dict[str, Any]:
    """The first variable's errors stand beside the seed itself; the others keep their names."""
    errors = seed["variables"]
    first = errors[graphs.supervised[0]] if graphs.supervised else {}
    rest = {name: value for name, value in seed.items() if name not in ("seed", "variables")}
    return {"seed": seed["seed"], **first, **({"variables": errors} if len(errors) > 1 else {}), **rest}
