"""Models that are too large to be trained here."""

import os

from graphspec.graphs.graph import Graphs
from graphspec.graphs.model_size import weights_by_factor
from graphspec.text.report import Report

BYTES_PER_WEIGHT = 16
"""In training: float32 of the weight, its gradient and Adam's two moments."""


def check_model_fits(graphs: Graphs, report: Report) -> None:
    """GS117 where the weights alone need more memory than this machine has."""
    told = too_large(graphs)
    if told is not None:
        message, factor, hint = told
        side, _, name = factor.partition(".")
        report.warning("GS117", (side, name), message, key=True, hint=hint)


def too_large(graphs: Graphs) -> tuple[str, str, str] | None:
    """(what is too large, the factor with most weights, what to do); None where the weights fit."""
    weights = weights_by_factor(graphs)
    total = sum(weights.values())
    if not total or BYTES_PER_WEIGHT * total <= machine_memory():
        return None
    factor = max(weights, key=lambda key: weights[key])
    message = (
        f"this model has {total:.2g} weights, {weights[factor]:.2g} of them in {factor}: training them takes "
        f"{BYTES_PER_WEIGHT * total / 2**30:,.0f} GiB (weights, gradients, Adam's moments), more than this machine has"
    )
    return message, factor, "smaller layers, or a convolutional network where it reads or makes images"


def machine_memory() -> float:
    """Bytes; infinite where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
