"""Numbers that people write where they have none: -1, -99, 999.

Whether one is meant cannot be known: it stands apart from all others, in several cells.
"""

from collections.abc import Mapping

CODES = frozenset({-9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0})
OFTEN = 0.1
"""Share of the cells from which the commonest number, the one below 0, is taken for a code without a gap beside it."""
VARIED = 10
"""Other numbers from which this is done: fewer are rather steps of a scale."""


def number_for_blank(counts: Mapping[float, int]) -> float | None:
    """The number that reads like a blank among the finite numbers of a column, if one does. counts: cells of each."""
    ordered = sorted(counts)
    if len(ordered) < 3:
        return None
    low, high = ordered[0], ordered[-1]
    if high in CODES and counts[high] > 1 and high - ordered[-2] > ordered[-2] - low:
        return high
    if low not in CODES | {-1.0} or counts[low] < 2 or ordered[1] < 0:
        return None
    apart = ordered[1] - low > high - ordered[1]
    often = (
        counts[low] == max(counts.values()) and counts[low] >= OFTEN * sum(counts.values()) and len(ordered) > VARIED
    )
    return low if low <= -99 or apart or often else None
