"""Figures of a label on held-out rows that a spec may name: `training.select: y.balanced_error`."""

from graphspec.graphs.graph import Variable

LARGER_IS_BETTER = {
    "error": False, "log_loss": False, "calibration": False, "balanced_error": False, "macro_f1": True, "auc": True,
    "recall": True, "precision": True, "rmse": False, "mae": False, "median_error": False, "r2": True,
    "angle_rms": False, "angle_median": False,
}  # fmt: skip
"""Every figure, as `evaluate --json` calls it."""

_OF_NUMBERS = ("rmse", "mae", "median_error", "r2")


def figures_of(variable: Variable) -> tuple[str, ...]:
    """The figures that a supervised variable has, `recall.CLASS` and `precision.CLASS` for each class among them."""
    if variable.support is None:
        angles = ("angle_rms", "angle_median") if variable.domain == "direction" else ()
        return ("error", *_OF_NUMBERS, *angles)
    area = ("auc",) if variable.support == 2 else ()
    numbers = _OF_NUMBERS if variable.domain == "count" else ()
    single = variable.shape in ((), (1,))
    classes = [f"{kind}.{name}" for kind in ("recall", "precision") for name in variable.value_names if single]
    return ("error", "log_loss", "calibration", "balanced_error", "macro_f1", *area, *numbers, *classes)


def larger_is_better(figure: str) -> bool:
    """Which way a figure of `figures_of` improves."""
    return LARGER_IS_BETTER[figure.partition(".")[0]]
