"""Learning curves: one small plot per figure of `metrics.jsonl`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from runtime.figures.saving import save_figure

ACROSS = 4
MOST_PLOTS = 16
TRAINING, VALIDATION = "#33608c", "#b5531c"


def curves(records: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """{title: [(epoch, value)]} from the lines of `metrics.jsonl`: validation first, then the loss and its terms."""
    found: dict[str, list[tuple[float, float]]] = {}

    def add(title: str, record: Mapping[str, Any], value: object) -> None:
        if isinstance(value, (int, float)) and math.isfinite(value):
            found.setdefault(title, []).append((float(record["epoch"]), float(value)))

    for record in records:
        validation = record.get("validation") or {}
        for name, figures in (validation.get("variables") or {}).items():
            add(f"validation error of {name}", record, figures.get("error"))
        add("validation elbo, nats per row", record, validation.get("elbo"))
    for record in records:
        add("loss, nats per row", record, record.get("loss"))
        for name, value in (record.get("terms") or {}).items():
            add(f"{name}, nats per row", record, value)
    return found


def draw_curves(records: Sequence[Mapping[str, Any]], path: Path, title: str = "") -> bool:
    """Write the learning curves as PNG; False (and no file) when there is nothing to draw."""
    found = dict(list(curves(records).items())[:MOST_PLOTS])
    if not found:
        return False
    across = min(ACROSS, len(found))
    down = -(-len(found) // across)
    figure = Figure(figsize=(3.3 * across, 2.5 * down + 0.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for index, (name, points) in enumerate(found.items()):
        _draw(figure.add_subplot(down, across, index + 1), name, points)
    figure.supxlabel("epoch", fontsize=10)
    if title:
        figure.suptitle(title, fontsize=12)
    save_figure(figure, path)
    return True


def _draw(axes: Axes, name: str, points: list[tuple[float, float]]) -> None:
    colour = VALIDATION if name.startswith("validation") else TRAINING
    epochs, values = zip(*points, strict=True)
    axes.plot(epochs, values, color=colour, linewidth=1.5, marker="o" if len(points) < 3 else "", markersize=4)
    axes.set_title(name, fontsize=9.5)
    axes.tick_params(labelsize=8.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if name.startswith("validation error") and min(values) >= 0:
        axes.set_ylim(bottom=0)
