"""How the error falls with wall time: one line per grid point and model, the mean over its seeds.

From: metrics.jsonl of finished runs. To: curves.json and curves.png. Validation rows only: they are what an epoch sees.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from runtime.figures.saving import save_figure
from runtime.sweeping.results import in_table_units, is_done, per_cent, statistics
from runtime.sweeping.sweep_folder import SweepFolder
from runtime.sweeping.sweep_plan import Column, SweepPlan
from runtime.sweeping.sweep_tables import short_names, show_value

_MOST_LINES = 24
_SPAN = 5.0
"""Errors that fall by more than this factor are shown on a logarithmic axis."""


def curves_of(plan: SweepPlan, folder: SweepFolder) -> list[dict[str, Any]]:
    """One entry per point and model that has finished runs.

    `{over, model, epochs: [E], minutes: [E], error or elbo: [E of {mean, std, n}]}`: minutes are means over seeds, of
    training up to that epoch; errors in the table's units.
    """
    found, seen = [], set()
    for point in plan.points:
        for column, title in zip(point.columns, plan.titles.values(), strict=True):
            names = tuple(run.name for run in column.runs)
            records = _records(column, folder)
            if records and names not in seen:
                found.append({"over": point.over, "model": title, **_mean_curve(plan, records)})
            seen.add(names)
    return found


def _records(column: Column, folder: SweepFolder) -> list[dict[int, dict[str, Any]]]:
    """{epoch: what was measured after it, and `minutes` of training up to then} of every finished run."""
    runs = [folder.run(run.name) for run in column.runs]
    return [_dated(run.metrics()) for run in runs if is_done(run, test=False)]


def _dated(entries: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """A record's `seconds` are its own epoch's."""
    spent = accumulate(float(entry.get("seconds") or 0.0) / 60 for entry in entries)
    dated = ({**entry, "minutes": minutes} for entry, minutes in zip(entries, spent, strict=True))
    return {int(entry["epoch"]): entry for entry in dated if entry.get("validation")}


def _mean_curve(plan: SweepPlan, records: Sequence[Mapping[int, Mapping[str, Any]]]) -> dict[str, Any]:
    """Over the epochs that all of the runs have."""
    shared = set.intersection(*(set(run) for run in records))
    epochs = sorted(shared)
    return {
        "epochs": epochs,
        "minutes": [statistics(run[epoch]["minutes"] for run in records)["mean"] for epoch in epochs],
        quantity(plan): [statistics(_value(plan, run[epoch]) for run in records) for epoch in epochs],
    }


def quantity(plan: SweepPlan) -> str:
    """`error` of the first supervised variable, or `elbo` where there is none."""
    return "error" if plan.graphs.supervised else "elbo"


def _value(plan: SweepPlan, record: Mapping[str, Any]) -> float | None:
    if plan.graphs.supervised:
        return in_table_units(plan.graphs, plan.graphs.supervised[0], record["validation"])
    value = record["validation"].get("elbo")
    return None if value is None else float(value)


def draw_curves(plan: SweepPlan, curves: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Write the curves as PNG, a band for the standard deviation over seeds. False (no file): none are."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from runtime.sweeping.plot import look

    lines = [curve for curve in curves if len(_points(plan, curve)) > 1][:_MOST_LINES]
    if not lines:
        path.unlink(missing_ok=True)
        return False
    figure = Figure(figsize=(8.2, 4.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    named = [(str(curve["model"]), _given(plan, curve)) for curve in lines]
    for curve, (model, given) in zip(lines, named, strict=True):
        style = {key: value for key, value in look(named, model, given).items() if key != "marker"}
        _draw(axes, _points(plan, curve), ", ".join(filter(None, (model, given))) or "as written", style)
    _label(axes, plan, [mean for curve in lines for _, mean, _ in _points(plan, curve)])
    shown = f"seed {plan.seeds[0]}" if len(plan.seeds) == 1 else "mean ± standard deviation over seeds"
    axes.set_title(f"{plan.name}: {shown}", fontsize=10.5)
    axes.legend(fontsize=8.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    save_figure(figure, path)
    return True


def _points(plan: SweepPlan, curve: Mapping[str, Any]) -> list[tuple[float, float, float]]:
    """(minutes, mean, standard deviation or 0) after each epoch that has a figure."""
    pairs = zip(curve["minutes"], curve[quantity(plan)], strict=True)
    return [(at, stats["mean"], stats["std"] or 0.0) for at, stats in pairs if stats["mean"] is not None]


def _given(plan: SweepPlan, curve: Mapping[str, Any]) -> str:
    names = [field.name for field in plan.fields]
    return ", ".join(
        f"{short} {show_value(curve['over'][name])}" for name, short in zip(names, short_names(names), strict=True)
    )


def _draw(axes: Any, points: Sequence[tuple[float, float, float]], name: str, style: Mapping[str, Any]) -> None:
    minutes, means, spreads = zip(*points, strict=True)
    axes.plot(minutes, means, label=name, linewidth=1.4, **style)
    low, high = ([mean + side * spread for mean, spread in zip(means, spreads, strict=True)] for side in (-1, 1))
    axes.fill_between(minutes, [max(value, 0.0) if min(means) > 0 else value for value in low], high,
                      color=style["color"], alpha=0.13, linewidth=0)  # fmt: skip


def _label(axes: Any, plan: SweepPlan, means: Sequence[float]) -> None:
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    axes.set_xlabel("minutes of training", fontsize=10)
    if plan.graphs.supervised:
        variable = plan.graphs.supervised[0]
        unit = "%" if per_cent(plan.graphs, variable) else "data units"
        axes.set_ylabel(f"validation error of {variable}, {unit}", fontsize=10)
        if min(means) > 0 and max(means) > _SPAN * min(means):
            axes.set_yscale("log")
            axes.set_yticks([tick for tick in _TICKS if 0.7 * min(means) < tick < 1.4 * max(means)])
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_ylim(bottom=0.7 * min(means))
    else:
        axes.set_ylabel("validation elbo, nats per row", fontsize=10)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


_TICKS = [digit * 10.0**power for power in range(-4, 4) for digit in (1, 2, 5)]
