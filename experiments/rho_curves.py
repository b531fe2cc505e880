"""Error against the supervision rate for the paper's four label budgets, beside the paper's own curves.

    graphspec sweep specs/mnist-paper.yaml --over data.labels.y.per_class=10,60,100,300 \
        --over objective.rho=0.01,0.05,0.1,0.5,1 --seeds 3 --set training.epochs=10 --out results/mnist-rho
    python -m experiments.rho_curves results/mnist-rho

Reads the sweep's summary.json and draws rho-curves.png into the same folder. alpha is the spec's, fixed, as in the
paper's figure. Error bars are standard deviations over seeds; the paper's curves have none that can be read off.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAPER: Mapping[int, Mapping[float, float]] = {
    100: {0.002: 9.84, 0.01: 8.28, 0.05: 15.22, 0.1: 15.20, 0.5: 23.41, 1: 36.85},
    600: {0.012: 3.33, 0.05: 3.74, 0.1: 3.72, 0.5: 4.03, 1: 15.93},
    1000: {0.02: 2.88, 0.05: 3.02, 0.1: 2.84, 0.5: 3.40, 1: 9.16},
    3000: {0.06: 1.57, 0.1: 1.71, 0.5: 1.95, 1: 3.60},
}
"""Siddharth et al. 2017, figure 3, left: labels -> rho -> test error in per cent, read from the plot's vector
coordinates. The first point of each curve has gamma = 1."""

Curve = list[tuple[float, float, float]]
"""(rho, mean, standard deviation), rho ascending."""


def curves(rows: list[Mapping[str, Any]], split: str) -> dict[int, Curve]:
    """Error in per cent by budget, from the rows of a sweep over data.labels.* and objective.rho."""
    found: dict[int, Curve] = {}
    for row in rows:
        error, over = row[f"{split}_error"], row["over"]
        if error["mean"] is not None:
            point = (float(over["objective.rho"]), error["mean"], error["std"] or 0.0)
            found.setdefault(int(row["labels"]), []).append(point)
    return {labels: sorted(points) for labels, points in sorted(found.items())}


def draw(found: Mapping[int, Curve], path: Path, title: str) -> None:
    """One panel per budget: ours with error bars, the paper's dashed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(3.5 * len(found), 3.6), layout="constrained", squeeze=False)
    for axes, (labels, points) in zip(panels[0], found.items(), strict=True):
        rates, means, spreads = zip(*points, strict=True)
        axes.errorbar(rates, means, yerr=spreads, marker="o", markersize=4, capsize=3, color="#33608c", label="here")
        if labels in PAPER:
            axes.plot(
                *zip(*PAPER[labels].items(), strict=True), "--s", markersize=4, color="#b5531c", label="the paper"
            )
        axes.set(xscale="log", title=f"{labels} labels", xlabel="rho")
        axes.set_ylim(bottom=0)
        axes.grid(color="#e4e4e4", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("test error, %")
    panels[0][0].legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=10.5)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Draw the curves of a finished sweep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path, help="the sweep's folder")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    options = parser.parse_args()
    summary = json.loads((options.sweep / "summary.json").read_text())
    count = max(len(row["seeds"]) for row in summary["rows"])
    title = f"{Path(summary['spec']).stem}: mean ± standard deviation of {count} seeds"
    draw(curves(summary["rows"], options.split), options.sweep / "rho-curves.png", title)


if __name__ == "__main__":
    main()
