"""Which classes are taken for which: counts, shaded by their share of the true class."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from runtime.figures.saving import save_figure
from runtime.measures.metrics import Integers

MOST_CLASSES = 50
MOST_NUMBERED = 20
"""Beyond this many classes the cells are too small for numbers."""
TITLE_LETTERS = 11
"""Letters of the title in an inch: it stands above the whole figure, however wide the names leave the table."""


def draw_confusion(table: Integers, names: Sequence[str], path: Path, title: str) -> None:
    """Write counts [K, K] (row: true class, column: predicted) as PNG."""
    classes = len(names)
    side = max(4.2, 0.42 * classes + 1.8)
    figure = Figure(figsize=(side, side), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    long_names = max(map(len, names)) > 2
    axes.set_xticks(range(classes), names, rotation=90 if long_names else 0, fontsize=9)
    axes.set_yticks(range(classes), names, fontsize=9)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.suptitle(fill(title, int(TITLE_LETTERS * side)), fontsize=11)
    if classes <= MOST_NUMBERED:
        for true, predicted in np.argwhere(table > 0):
            ink = "white" if share[true, predicted] > 0.55 else "#222222"
            axes.text(predicted, true, str(table[true, predicted]), ha="center", va="center", fontsize=8.5, color=ink)
    save_figure(figure, path)
