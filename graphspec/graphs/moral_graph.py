"""The moral graph of p while variables are eliminated from it, for the order of `recognition: auto`.

A neighbourhood is one whole number with a bit for each variable, so that neighbourhoods of thousands meet in one step.
"""

from collections.abc import Iterable, Iterator, Sequence

import networkx as nx


class MoralGraph:
    """Who is adjacent to whom once parents of one child are joined; `free` are the hidden variables still there.

    Variables are numbers here: places in `names`, hidden ones first.
    """

    def __init__(self, model: nx.DiGraph, hidden: Sequence[str]) -> None:
        self.names = [*hidden, *(set(model) - set(hidden))]
        self.place = {name: place for place, name in enumerate(self.names)}
        self.near = [0] * len(self.names)
        for child in model:
            family = [self.place[child], *(self.place[parent] for parent in model.predecessors(child))]
            everyone = sum(1 << place for place in family)
            for place in family:
                self.near[place] |= everyone & ~(1 << place)
        self.free = (1 << len(hidden)) - 1
        self._fill = [self._count_fill(place) for place in range(len(hidden))]

    def fill(self, place: int) -> int:
        """Edges that eliminating a hidden variable adds; between two observed variables none is needed."""
        return self._fill[place]

    def degree(self, place: int) -> int:
        """How many variables it is adjacent to."""
        return self.near[place].bit_count()

    def _count_fill(self, place: int) -> int:
        near = self.near[place]
        hidden = near & self.free
        seen = near & ~hidden
        inside = outside = 0
        for other in bits(hidden):
            apart = ~self.near[other]
            inside += (hidden & apart).bit_count() - 1  # a variable is not its own neighbour
            outside += (seen & apart).bit_count()
        return inside // 2 + outside

    def eliminate(self, place: int) -> Iterable[int]:
        """Takes a hidden variable out and joins its neighbours; the hidden ones whose fill or degree may differ now."""
        neighbours, added = self.near[place], self._fill[place]
        self.free &= ~(1 << place)
        changed = neighbours & self.free
        for other in bits(neighbours):
            reach = neighbours if self.free >> other & 1 else neighbours & self.free
            self.near[other] = (self.near[other] | reach) & ~(1 << place | 1 << other)
        if added:  # new edges are inside the neighbourhoods of those who see both ends
            for other in bits(neighbours & self.free):
                changed |= self.near[other] & self.free
        for other in bits(changed):
            if added or self._fill[other]:  # without new edges, what is joined already stays joined
                self._fill[other] = self._count_fill(other)
        return bits(changed)


def bits(mask: int) -> Iterator[int]:
    """The places of the ones, from the lowest."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
