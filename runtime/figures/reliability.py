"""How often what is said with a probability is right: a reliability diagram, with what chance allows."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from runtime.figures.saving import save_figure
from runtime.measures.error_interval import wilson_interval
from runtime.measures.metrics import Floats, Integers

MOST_BINS, FEWEST_IN_BIN = 10, 20
COLOURS = ("#1f5fa8", "#c2571a")


def draw_reliability(ways: Mapping[str, Floats], labels: Integers, path: Path, title: str) -> None:
    """Write, as PNG, for each way of answering (probabilities [n, K]) how often the likeliest class is right among
    answers of equal size, by their mean probability, with 95 % intervals; below, how many answers are how sure."""
    figure = Figure(figsize=(5.2, 5.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot((0, 1), (0, 1), color="#888888", linewidth=1, linestyle="--", label="as often as said")
    for (way, probabilities), colour in zip(ways.items(), COLOURS, strict=False):
        said, right, low, high = reliability(probabilities, labels)
        axes.errorbar(said, right, (right - low, high - right), fmt="o-", color=colour, markersize=4, linewidth=1.3,
                      capsize=2, elinewidth=1, label=way)  # fmt: skip
        below.hist(probabilities.max(axis=1), bins=np.linspace(0, 1, 26), color=colour, alpha=0.55)
    axes.set_ylabel("share that is right")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(loc="upper left", fontsize=9, frameon=False)
    below.set_xlabel("probability of what is said")
    below.set_ylabel("answers")
    below.set_xlim(0, 1.02)
    figure.suptitle(fill(title, 56), fontsize=11)
    save_figure(figure, path)


def reliability(probabilities: Floats, labels: Integers) -> tuple[Floats, Floats, Floats, Floats]:
    """(mean probability, share right, 95 % interval's ends) [bins] of the likeliest classes, bins of equal size."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = int(np.clip(len(labels) // FEWEST_IN_BIN, 1, MOST_BINS))
    parts = [part for part in np.array_split(np.argsort(confidence, kind="stable"), bins) if len(part)]
    said = np.array([confidence[part].mean() for part in parts])
    share = np.array([right[part].mean() for part in parts])
    ends = np.array([wilson_interval(1 - s, len(part)) for s, part in zip(share, parts, strict=True)])
    return said, share, 1 - ends[:, 1], 1 - ends[:, 0]
