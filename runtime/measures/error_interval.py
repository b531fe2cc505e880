"""How sure an error is that was counted on few labelled rows."""

from math import sqrt
from statistics import NormalDist

from graphspec.language.data import FEW_LABELS
from graphspec.reading.suggestions import counted

_CONFIDENCE = 0.95


def wilson_interval(share: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share in [0, 1] that was counted on at least one row; it stays within [0, 1].

    Elements of one row go together, so a label of several elements counts by its rows.
    Source: Wilson 1927, J. Am. Stat. Assoc. 22, 209, without correction for continuity.
    """
    z2 = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2) ** 2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2))) / (1 + z2 / rows)
    return (0.0 if share == 0 else middle - half), (1.0 if share == 1 else middle + half)


def few_rows_note(name: str, rows: int, interval: tuple[float, float]) -> str | None:
    """What to know of an error that was counted on fewer than `FEW_LABELS` rows; None where there are enough."""
    if rows >= FEW_LABELS:
        return None
    low, high = (f"{100 * bound:.0f}" for bound in interval)
    measured = counted(rows, "labelled row")
    return f"the error of {name} is measured on {measured} only: anything from {low} to {high} % (95 % interval)"
