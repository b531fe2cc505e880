"""The order of what depends on each other, and small lines of a plan that are made together."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from heapq import heappop, heappush

from compiler.plan.plan import Line

SHARED_INPUTS = {"apart": 0, "weighted_sum": 1}
"""Operations that make many small values as fast as one, and how many of their inputs all of those share."""


SCORES = ("log_prob", "kl")
"""Operations that give one number a row and place; what others give may have an event beside its rank."""


def in_order(needs: Sequence[set[int]], keys: Sequence[Hashable]) -> Iterator[list[int]]:
    """Places 0, 1, ..., each after those it needs, else in order. Those with a key wait until no other can go; then all
    go that have the same."""
    readers: list[list[int]] = [[] for _ in needs]
    waits_for = [len(needed) for needed in needs]
    ready: list[int] = []
    late: dict[Hashable, list[int]] = {}

    def go(place: int) -> None:
        if keys[place] is None:
            heappush(ready, place)
        else:
            late.setdefault(keys[place], []).append(place)

    for place, needed in enumerate(needs):
        for other in needed:
            readers[other].append(place)
        if not needed:
            go(place)
    while ready or late:
        places = [heappop(ready)] if ready else sorted(late.pop(next(iter(late))))
        yield places
        for reader in (reader for place in places for reader in readers[place]):
            waits_for[reader] -= 1
            if not waits_for[reader]:
                go(reader)


def with_small_ones_together(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The same lines; sums and rows of several values without an event in one line for all."""
    maker = {value.name: place for place, line in enumerate(lines) for value in line.outputs}
    needs = [{maker[value.name] for value in line.inputs if value.name in maker} for line in lines]
    parameters = {value.name for line in lines if line.op not in SCORES for value in line.outputs}
    keys = [None if line.op == "apart" and line.inputs[0].name in parameters else _key(line) for line in lines]
    return tuple(_merged([lines[place] for place in places]) for places in in_order(needs, keys))


def _key(line: Line) -> Hashable:
    """What is equal for lines that may be one; None for others."""
    shared = SHARED_INPUTS.get(line.op)
    if shared is None or any(value.rank for value in line.inputs):
        return None
    own = tuple((value.axes, value.rows) for value in line.inputs[shared:])
    return line.op, line.inputs[:shared], own, tuple(line.options.items()), line.group


def _merged(lines: Sequence[Line]) -> Line:
    first, shared = lines[0], SHARED_INPUTS.get(lines[0].op, 0)
    inputs = (*first.inputs[:shared], *(value for line in lines for value in line.inputs[shared:]))
    return replace(first, inputs=inputs, outputs=tuple(value for line in lines for value in line.outputs))
