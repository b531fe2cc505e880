"""How many elements rows have, held against what the plate says; and lengths that must add up.

From: lengths, one a row (in nested plates one an element of the plate outside). Raises `LayoutError`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphspec.graphs.plate_counts import plate_size
from graphspec.headers.key_cells import LayoutError
from graphspec.language import Spec
from graphspec.reading.suggestions import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUNNING_SUMS = (
    "they never fall from one to the next: where each row ends in one long column is no length; write how many "
    "elements each has, np.diff(ends, prepend=0)"
)


@dataclass(frozen=True)
class Capacity:
    """What a plate says of its elements. size: at most, or exactly without a count; smallest: of the count."""

    plate: str
    size: int
    count: str | None
    smallest: int = 0


def capacity_of(spec: Spec, plate: str) -> Capacity:
    """What a spec says."""
    declared = spec.plates[plate]
    count = spec.variables.get(declared.count or "")
    smallest = 0 if count is None else count.minimum or 0
    return Capacity(plate, plate_size(spec, plate) or 1, declared.count, smallest)


def check_lengths(capacity: Capacity, lengths: "NDArray[Any]", named: Callable[[int], str]) -> None:
    """LayoutError for the first row with more elements than the plate has room for, or fewer than it must have. named:
    a row by its number, in words."""
    import numpy as np

    plate, size, count = capacity.plate, capacity.size, capacity.count
    over = np.flatnonzero(lengths > size)
    if len(over):
        row, more = int(over[0]), _more(len(over))
        message = f"{named(row)} has {int(lengths[row])} {plate}, and plate {plate} has room for {size}{more}"
        largest = int(lengths.max())
        hint = f"the largest is {largest}: say `max: {largest}` of {count}" if count else "take the others out"
        raise LayoutError(message, RUNNING_SUMS if are_running_sums(lengths) else f"{hint}, or cut what is longer")
    under = np.flatnonzero(lengths < (size if count is None else capacity.smallest))
    if len(under):
        row, more = int(under[0]), _more(len(under))
        if count is None:
            message = f"{named(row)} has {int(lengths[row])} {plate}, and plate {plate} always has {size}{more}"
            raise LayoutError(message, f"if their number varies, give it a count: `{plate}: {{count: n}}`")
        message = f"{named(row)} has {int(lengths[row])} {plate}, and {count} counts from {capacity.smallest}{more}"
        raise LayoutError(message, f"say `min: {int(lengths.min())}` of {count}, or leave such rows out")


def are_running_sums(lengths: "NDArray[Any]") -> bool:
    """They never fall and end above where they begin, as the ends of rows in one long column do."""
    import numpy as np

    return len(lengths) >= 3 and bool((np.diff(lengths) >= 0).all()) and bool(lengths[-1] > lengths[0])


def _more(rows: int) -> str:
    return "" if rows == 1 else f" (so it is in {counted(rows - 1, 'more row')})"


def whole_lengths(column: str, lengths: "NDArray[Any]", outer: int | None, what: str) -> "NDArray[Any]":
    """Lengths as whole numbers [rows]. LayoutError for what is none, and where they are not `outer` many. what: whose
    lengths these are, in words."""
    import numpy as np

    if lengths.ndim != 1 or lengths.dtype.kind not in "buif":
        shape = f"of shape {list(lengths.shape)}" if lengths.ndim != 1 else "that are no numbers"
        raise LayoutError(f"column {column} holds lengths {shape}", f"one whole number for each of the {what}")
    wrong = np.flatnonzero(~((lengths >= 0) & (lengths == np.round(lengths.astype(np.float64)))))
    if len(wrong):
        row = int(wrong[0])
        raise LayoutError(f"column {column}, row {row} (from 0): {lengths[row]} is no length", "0 or a whole number")
    if outer is not None and len(lengths) != outer:
        message = f"column {column} has {counted(len(lengths), 'length')}, and there are {outer} {what}"
        raise LayoutError(message, f"one length for each of the {what}")
    return lengths.astype(np.int64)


def check_total(column: str, rows: int, lengths_of: str, total: int, plate: str) -> None:
    """LayoutError where a flat column does not have as many elements as the lengths add up to."""
    if rows != total:
        message = f"column {column} has {counted(rows, 'element')}, and the lengths in {lengths_of} add up to {total}"
        hint = f"all {plate} of a row stand side by side, rows one after the other"
        raise LayoutError(message, f"{hint}; a length says how many they are, not where they end")
