"""Tensors over worlds: rows, draws, and an axis for every element whose values are written out side by side.

A `Spread` has only the axes along which it varies, so that a network is run once for each of its inputs and no more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

ROWS, DRAWS = 0, 1
"""Places of the first two dimensions of every spread."""


@dataclass(frozen=True)
class Spread:
    """values: [R or 1, S or 1, a size for each of `axes`, *event]. axes: names, in alphabetical order."""

    axes: tuple[str, ...]
    values: Tensor

    @property
    def rank(self) -> int:
        """Dimensions in front of the event's."""
        return 2 + len(self.axes)

    @property
    def lead(self) -> torch.Size:
        """Sizes in front of the event's."""
        return self.values.shape[: self.rank]

    def along(self, axes: Sequence[str]) -> Tensor:
        """The values with size 1 for those of `axes` that they do not vary along."""
        sizes = dict(zip(self.axes, self.values.shape[2:], strict=False))
        lead = (*self.values.shape[:2], *(sizes.get(axis, 1) for axis in axes))
        return self.values.reshape(*lead, *self.values.shape[self.rank :])

    def flat(self, axes: Sequence[str], lead: Sequence[int]) -> Tensor:
        """[B, *event] over all of `lead`, which belongs to `axes`."""
        event = self.values.shape[self.rank :]
        return self.along(axes).expand(*lead, *event).reshape(prod(lead), *event)


def together(spreads: Iterable[Spread]) -> tuple[tuple[str, ...], torch.Size]:
    """The axes of some spreads side by side, and the sizes that they have together."""
    some = list(spreads)
    axes = union(each.axes for each in some)
    sizes = dict.fromkeys(axes, 1)
    lead = [1, 1]
    for each in some:  # sizes are the same or 1; torch.broadcast_shapes would load sympy, for seconds
        lead = [max(*pair) for pair in zip(lead, each.values.shape[:2], strict=True)]
        sizes |= {axis: max(size, sizes[axis]) for axis, size in zip(each.axes, each.values.shape[2:], strict=False)}
    return axes, torch.Size((*lead, *sizes.values()))


def union(axes: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Names of all of them, in alphabetical order."""
    return tuple(sorted({axis for each in axes for axis in each}))


def added(spreads: Sequence[Spread]) -> Spread:
    """The sum of tables without an event."""
    axes, lead = together(spreads)
    total = torch.zeros(lead, dtype=torch.float64, device=spreads[0].values.device) if spreads else torch.zeros(1, 1)
    for each in spreads:
        total = total + each.along(axes)
    return Spread(axes, total)


def summed_out(tables: Sequence[Spread], keep: Sequence[str]) -> Spread:
    """log of the sum of exp of all tables' sum, over every axis but `keep`: variable elimination, in the order that
    `elimination_order` finds. What is kept is in alphabetical order of its axes."""
    left = list(tables)
    scopes = [frozenset(each.axes) for each in left]
    sizes = {axis: size for each in left for axis, size in zip(each.axes, each.values.shape[2:], strict=False)}
    for axis in elimination_order(scopes, sizes, keep)[0]:
        here = [each for each in left if axis in each.axes]
        whole = added(here)
        place = 2 + whole.axes.index(axis)
        rest = tuple(name for name in whole.axes if name != axis)
        left = [each for each in left if axis not in each.axes]
        left.append(Spread(rest, whole.values.logsumexp(place)))
    return added(left)


def elimination_order(
    scopes: Sequence[frozenset[str]], sizes: Mapping[str, int], keep: Sequence[str]
) -> tuple[list[str], int]:
    """The axes beside `keep` in an order that keeps tables small (always the one that leaves the smallest), and how
    many entries the largest table has."""
    left, order = list(scopes), list[str]()
    pending = {axis for scope in scopes for axis in scope} - set(keep)
    largest = max((prod(sizes[axis] for axis in scope) for scope in scopes), default=1)
    joined = {axis: frozenset().union(*(s for s in left if axis in s)) for axis in pending}
    costs = {axis: prod(sizes[each] for each in together) for axis, together in joined.items()}
    while pending:
        axis = min(pending, key=lambda each: (costs[each], each))
        largest = max(largest, costs[axis])
        left = [scope for scope in left if axis not in scope] + [joined[axis] - {axis}]
        order.append(axis)
        pending.discard(axis)
        for other in joined[axis] & pending:  # only what stood in one table with it has other neighbours now
            joined[other] = frozenset().union(*(s for s in left if other in s))
            costs[other] = prod(sizes[each] for each in joined[other])
    kept = frozenset().union(*left) if left else frozenset()
    return order, max(largest, prod(sizes[axis] for axis in kept))
