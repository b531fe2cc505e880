"""The plot of a sweep: error against a field that is swept over numbers, one line per other value or variant."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from graphspec.reading.suggestions import counted
from runtime.figures.saving import save_figure
from runtime.sweeping.results import per_cent
from runtime.sweeping.sweep_plan import AS_WRITTEN, SweepPlan
from runtime.sweeping.sweep_tables import short_names, show_value

_COLOURS = ("#33608c", "#b5531c", "#3f7d4e", "#8a4b86", "#8c7a33", "#4a8f94", "#a83b4f", "#666666")
_MARKERS = "osD^vP*X"
_MOST_LINES = 24
_DECADE = 10.0

_DASHES = ("-", "--", ":", "-.")
_FEW = 5
Points = list[tuple[float, float, float]]
Series = dict[tuple[str, str], Points]
"""{(model, values of the other fields): points}"""


def draw_plot(plan: SweepPlan, rows: Sequence[Mapping[str, Any]], split: str, path: Path) -> bool:
    """Write the plot as PNG: the first supervised variable's error, or the elbo where there is none; error bars are
    the standard deviation over seeds.

    False (and no file) where nothing was swept over numbers, or nothing was measured. The axis is logarithmic where
    the values span more than a decade.
    """
    across = _across(plan)
    found = {} if across is None else series(plan, rows, across, split)
    if across is None or not found:
        path.unlink(missing_ok=True)
        return False
    many = len(found) > _FEW
    figure = Figure(figsize=(8.2 if many else 6.4, 4.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for (model, given), points in list(found.items())[:_MOST_LINES]:
        _line(axes, ", ".join(filter(None, (model, given))), points, look(list(found), model, given))
    _label(axes, plan, plan.fields[across].name, split, [x for points in found.values() for x, _, _ in points])
    axes.set_title(f"{plan.name}: {_seeds(plan, rows, split)}", fontsize=10.5)
    if many:
        axes.legend(fontsize=8.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif len(found) > 1 or ("", "") not in found:
        axes.legend(fontsize=8.5, frameon=False)
    save_figure(figure, path)
    return True


def _across(plan: SweepPlan) -> int | None:
    """The place of the field along the horizontal axis: the one with most values, all numbers and more than one."""
    counts = [
        (len(field.values), -place) for place, field in enumerate(plan.fields)
        if len(field.values) > 1 and all(_is_number(value) for value in field.values)
    ]  # fmt: skip
    return -max(counts)[1] if counts else None


def series(plan: SweepPlan, rows: Sequence[Mapping[str, Any]], across: int, split: str) -> Series:
    """{(model, other values): [(x, mean, standard deviation or 0)]}, x ascending; "" is the spec as written.

    A variant whose runs do not depend on the other fields is one line, not one per value.
    """
    names = [field.name for field in plan.fields]
    others = [place for place in range(len(names)) if place != across]
    short = short_names(names)
    found: Series = {}
    for point, row in zip(plan.points, rows, strict=True):
        given = ", ".join(f"{short[i]} {show_value(row['over'][names[i]])}" for i in others)
        for column, (key, title) in zip(point.columns, plan.titles.items(), strict=True):
            stats = (row if key == AS_WRITTEN else row.get(key, {})).get(_quantity(plan, split))
            if not stats or stats["mean"] is None:
                continue
            alone = key != AS_WRITTEN and others and _same_for_others(plan, key, column.runs[0].name, row, across)
            line = found.setdefault((title, "" if alone else given), [])
            entry = (float(row["over"][names[across]]), float(stats["mean"]), float(stats["std"] or 0.0))
            if entry not in line:
                line.append(entry)
    return {name: sorted(points) for name, points in found.items()}


def _seeds(plan: SweepPlan, rows: Sequence[Mapping[str, Any]], split: str) -> str:
    """What a point stands for; of an unfinished sweep, by how many seeds are there."""
    if len(plan.seeds) == 1:
        return f"seed {plan.seeds[0]}"
    shown = [
        (row if key == AS_WRITTEN else row.get(key, {})).get(_quantity(plan, split))
        for row in rows
        for key in plan.titles
    ]
    counts = [stats["n"] for stats in shown if stats and stats["n"]]
    fewest, most = min(counts, default=0), max(counts, default=0)
    count = counted(most, "seed") if fewest == most else f"{fewest} to {most} seeds"
    return f"mean ± standard deviation of {count}"


def _same_for_others(plan: SweepPlan, key: str, run: str, row: Mapping[str, Any], across: int) -> bool:
    """All points with this horizontal value share this variant's runs."""
    name = plan.fields[across].name
    return all(
        column.runs[0].name == run
        for point in plan.points
        if point.over[name] == row["over"][name]
        for column in point.columns
        if column.key == key
    )


def _quantity(plan: SweepPlan, split: str) -> str:
    return f"{split}_{'error' if plan.graphs.supervised else 'elbo'}"


def look(lines: Sequence[tuple[str, str]], model: str, given: str) -> dict[str, Any]:
    """Colours tell the values of the other fields and dashes the models; without other fields, colours tell models."""
    models, values = (list(dict.fromkeys(line[part] for line in lines)) for part in (0, 1))
    shared = [value for value in values if value]
    if not shared:
        return {"color": _COLOURS[models.index(model) % len(_COLOURS)], "marker": "o"}
    place = shared.index(given) if given else len(shared)
    marker, dash = _MARKERS[models.index(model) % len(_MARKERS)], _DASHES[models.index(model) % len(_DASHES)]
    return {"color": _COLOURS[place % len(_COLOURS)], "marker": marker, "linestyle": dash}


def _line(axes: Axes, name: str, points: Points, look: Mapping[str, Any]) -> None:
    across, means, spreads = zip(*points, strict=True)
    axes.errorbar(
        across, means, yerr=spreads, label=name or "as written", markersize=4.5, linewidth=1.4, capsize=3, **look
    )


def _label(axes: Axes, plan: SweepPlan, field: str, split: str, values: Sequence[float]) -> None:
    axes.set_xlabel(field, fontsize=10)
    if plan.graphs.supervised:
        variable = plan.graphs.supervised[0]
        unit = "%" if per_cent(plan.graphs, variable) else "data units"
        axes.set_ylabel(f"{split} error of {variable}, {unit}", fontsize=10)
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylabel(f"{split} elbo, nats per row", fontsize=10)
    if min(values) > 0 and max(values) > _DECADE * min(values):
        axes.set_xscale("log")
        if len(set(values)) <= 8 and _far_apart(sorted(set(values))):
            axes.set_xticks(sorted(set(values)), [f"{value:g}" for value in sorted(set(values))])
            axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _far_apart(values: Sequence[float]) -> bool:
    """Their names as ticks do not overlap on a logarithmic axis."""
    whole = math.log(values[-1] / values[0])
    return all(math.log(right / left) > 0.08 * whole for left, right in pairwise(values))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
