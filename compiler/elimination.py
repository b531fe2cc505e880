"""Summing axes out in a good order: the symbolic half of variable elimination (no torch)."""

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from compiler.naming import canonical

Axes = tuple[str, ...]


def closure(axes: Iterable[str], density_axes: Mapping[str, Axes]) -> Axes:
    """The axes whose weights matter to a term on `axes`: enumerated variables that these depend on, transitively.

    density_axes: axes of log q(v | parents) for each enumerated v. A variable outside the closure sums to one.
    """
    found: set[str] = set()
    pending = list(axes)
    while pending:
        axis = pending.pop()
        if axis not in found:
            found.add(axis)
            pending.extend(density_axes.get(axis, ()))
    return canonical(found)


def elimination_order(factors: Sequence[Axes], keep: Axes, sizes: Mapping[str, int]) -> tuple[list[str], int]:
    """Axes to sum out, cheapest next (ties by name), and the largest number of entries that any step holds."""
    current = [set(axes) for axes in factors]
    remaining = {axis for axes in current for axis in axes} - set(keep)
    order: list[str] = []
    largest = max((_entries(axes, sizes) for axes in current), default=1)
    while remaining:
        joined = {axis: set().union(*(axes for axes in current if axis in axes)) for axis in remaining}
        axis = min(remaining, key=lambda name: (_entries(joined[name], sizes), name))
        largest = max(largest, _entries(joined[axis], sizes))
        current = [axes for axes in current if axis not in axes] + [joined[axis] - {axis}]
        remaining.remove(axis)
        order.append(axis)
    final = set().union(*current) if current else set()
    return order, max(largest, _entries(final, sizes))


def _entries(axes: Iterable[str], sizes: Mapping[str, int]) -> int:
    return prod(sizes.get(axis, 1) for axis in axes)
