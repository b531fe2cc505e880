"""Summing axes out in a good order: the symbolic half of variable elimination (no torch)."""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import count
from math import prod

from compiler.symbolic.axis_names import canonical

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
    tables: dict[int, set[str]] = {place: set(axes) for place, axes in enumerate(factors)}
    places = count(len(factors))
    held: dict[str, set[int]] = {}  # the tables that have an axis
    for place, axes in tables.items():
        for axis in axes:
            held.setdefault(axis, set()).add(place)
    joined = {axis: _joined(tables, held[axis]) for axis in held.keys() - set(keep)}
    cost = {axis: _entries(axes, sizes) for axis, axes in joined.items()}
    heap = [(entries, axis) for axis, entries in cost.items()]
    heapify(heap)
    largest = max((_entries(axes, sizes) for axes in tables.values()), default=1)
    order: list[str] = []
    while heap:
        entries, axis = heappop(heap)
        if entries != cost.get(axis):
            continue  # summed out already, or its cost has changed since
        del cost[axis]
        order.append(axis)
        largest = max(largest, entries)
        for place in held.pop(axis):
            for other in tables.pop(place) - {axis}:
                held[other].discard(place)
        new = next(places)
        tables[new] = joined[axis] - {axis}
        for other in tables[new]:
            held[other].add(new)
        for other in tables[new] & cost.keys():
            joined[other] = _joined(tables, held[other])
            cost[other] = _entries(joined[other], sizes)
            heappush(heap, (cost[other], other))
    final = set().union(*tables.values()) if tables else set()
    return order, max(largest, _entries(final, sizes))


def _joined(tables: Mapping[int, set[str]], places: Iterable[int]) -> set[str]:
    """The axes of the product of some tables."""
    return set().union(*(tables[place] for place in places))


def _entries(axes: Iterable[str], sizes: Mapping[str, int]) -> int:
    return prod(sizes.get(axis, 1) for axis in axes)


def elimination_steps(terms: Iterable[Axes], density_axes: Mapping[str, Axes]) -> int:
    """How many axes are summed out over all `terms`, each brought down to its own axes.

    density_axes: as for `closure`, every variable after those it depends on.
    """
    above: dict[str, int] = {}  # the closure of each axis, as a set of bits
    for place, (name, axes) in enumerate(density_axes.items()):
        above[name] = 1 << place
        for axis in axes:
            above[name] |= above.get(axis, 0)
    steps = 0
    for axes in terms:
        needed = 0
        for axis in axes:
            needed |= above.get(axis, 0)
        steps += needed.bit_count() - sum(axis in above for axis in axes)
    return steps
