"""Who stands left of whom in each row: as few crossings as possible, counted over both graphs.

An edge over several rows gets a `Bend` in each row between; an edge that both graphs have shares its bends, and so
its course. Small pictures are searched completely, larger ones row by row from several starts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations, product
from math import factorial, prod
from random import Random
from typing import NamedTuple

from graphspec.drawing.picture import LARGE, Picture
from graphspec.drawing.ranking import Ranks


class Bend(NamedTuple):
    """Where the edge between two nodes passes row `rank`."""

    upper: str
    lower: str
    rank: int


class Hold(NamedTuple):
    """Room for a plate in a row `rank` where none of its nodes stands."""

    plate: str
    rank: int


Item = str | Bend | Hold
Row = tuple[Item, ...]
Rows = tuple[Row, ...]

COMPLETE = 800
"""Arrangements that are tried one by one; beyond, the search goes row by row."""
STARTS = 6
EFFORT = 300
"""The row-by-row search starts afresh up to STARTS times, less often the more items there are."""
LENGTH = 0.05
DISORDER = 0.01
JUMP = 1.5
"""Costs beside a crossing's 1: one place sideways, one pair out of declared order, a level edge over one item."""


@dataclass(frozen=True)
class Lattice:
    """Rows of items; edges as chains of items from row to row, and level edges; one list for each side.

    paths: the plates of every item that stands in one, outermost first. counts: variables that count the elements of a
    plate, with this plate.
    """

    rows: Rows
    chains: tuple[tuple[Row, ...], ...]
    level: tuple[tuple[tuple[str, str], ...], ...]
    sides: dict[Item, frozenset[int]]
    paths: Mapping[Item, tuple[str, ...]] = field(default_factory=dict)
    counts: tuple[tuple[str, str], ...] = ()

    @property
    def steps(self) -> tuple[tuple[tuple[Item, Item], ...], ...]:
        """The pieces of chains between neighbouring rows, for each side."""
        return tuple(tuple(p for chain in chains for p in pairwise(chain)) for chains in self.chains)


def lattice(picture: Picture, ranks: Ranks) -> Lattice:
    """The picture cut into rows, in declared order."""
    rows: list[list[Item]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    sides: dict[Item, set[int]] = {}
    for name, rank in ranks.items():
        rows[rank].append(name)
        sides[name] = {i for i, panel in enumerate(picture.panels) if name in panel.nodes}
    chains: list[list[Row]] = [[], []]
    level: list[list[tuple[str, str]]] = [[], []]
    for side, panel in enumerate(picture.panels):
        for parent, child in panel.pairs:
            upper, lower = sorted((parent, child), key=lambda name: ranks[name])
            if ranks[upper] == ranks[lower]:
                level[side].append((parent, child))
                continue
            bends = [Bend(upper, lower, rank) for rank in range(ranks[upper] + 1, ranks[lower])]
            for bend in bends:
                if bend not in sides:
                    rows[bend.rank].append(bend)
                sides.setdefault(bend, set()).add(side)
            chains[side].append((upper, *bends, lower))
    return Lattice(
        tuple(tuple(row) for row in rows),
        tuple(tuple(found) for found in chains),
        tuple(tuple(found) for found in level),
        {item: frozenset(present) for item, present in sides.items()},
    )


def ordered(grid: Lattice) -> Rows:
    """The rows with the fewest crossings found; of a large picture the rows as declared."""
    if sum(isinstance(item, str) for item in grid.sides) > LARGE:
        return grid.rows
    judge = Judge(grid)
    if prod(factorial(min(len(row), 9)) for row in grid.rows) <= COMPLETE:
        every = product(*(tuple(permutations(row)) for row in grid.rows))
        return min(every, key=judge.total)
    return min((judge.settled(start) for start in _starts(grid)), key=judge.total)


def _starts(grid: Lattice) -> Iterable[Rows]:
    yield grid.rows
    yield tuple(row[::-1] for row in grid.rows)
    random = Random(0)  # fixed: the same picture every time
    for _ in range(min(STARTS, EFFORT // len(grid.sides)) - 2):
        yield tuple(tuple(random.sample(row, len(row))) for row in grid.rows)


class Judge:
    """What an order costs, all at once or for one row between two that stay."""

    def __init__(self, grid: Lattice) -> None:
        self.grid = grid
        self.steps = grid.steps
        self.declared = {item: place for row in grid.rows for place, item in enumerate(row)}
        self.row_of = {item: index for index, row in enumerate(grid.rows) for item in row}
        self.neighbours: dict[Item, list[tuple[int, Item]]] = {item: [] for item in self.row_of}
        for side, steps in enumerate(self.steps):
            for upper, lower in steps:
                self.neighbours[upper].append((side, lower))
                self.neighbours[lower].append((side, upper))

    def total(self, rows: Rows) -> float:
        """Cost of a whole arrangement."""
        place = _places(rows)
        cost = sum(self._within(row) for row in rows)
        cost += LENGTH * sum(abs(place[a] - place[b]) for steps in self.steps for a, b in steps)
        for steps in self.steps:
            for index, (a, b) in enumerate(steps):
                for c, d in steps[:index]:
                    same = self.row_of[a] == self.row_of[c]
                    cost += same and (place[a] - place[c]) * (place[b] - place[d]) < 0
        return cost

    def settled(self, rows: Rows) -> Rows:
        """Rows improved one after another, down and up, until nothing changes."""
        current = list(rows)
        for _ in range(12):
            before = tuple(current)
            for index in [*range(len(current)), *reversed(range(len(current)))]:
                current[index] = self._best_row(index, tuple(current))
            if tuple(current) == before:
                break
        return tuple(current)

    def _best_row(self, index: int, rows: Rows) -> Row:
        place = _places(rows)
        row = rows[index]
        spans = {item: self._spans(item, place) for item in row}
        clash = {a: {b: _clash(spans[a], spans[b]) + self._disorder(a, b) for b in row if b != a} for a in row}
        middle = (len(row) - 1) / 2
        pull = {a: [self._pull(a, spot - middle, place) for spot in range(len(row))] for a in row}

        def cost(order: Sequence[Item]) -> float:
            total = self._level(order) + sum(pull[item][spot] for spot, item in enumerate(order))
            return total + sum(clash[a][b] for spot, a in enumerate(order) for b in order[spot + 1 :])

        if len(row) <= 4:
            return min(permutations(row), key=cost)
        return _slid(row, clash, pull, self._level)

    def _pull(self, item: Item, spot: float, place: dict[Item, float]) -> float:
        return LENGTH * sum(abs(spot - place[other]) for _, other in self.neighbours[item])

    def _spans(self, item: Item, place: dict[Item, float]) -> "Spans":
        """Places of the neighbours, apart by side and by row."""
        spans: Spans = {}
        for side, other in self.neighbours[item]:
            spans.setdefault((side, self.row_of[other]), []).append(place[other])
        return spans

    def _disorder(self, left: Item, right: Item) -> float:
        """Nodes out of declared order."""
        both = isinstance(left, str) and isinstance(right, str)
        return DISORDER if both and self.declared[left] > self.declared[right] else 0.0

    def _level(self, row: Sequence[Item]) -> float:
        """Level edges: their length, and what they have to jump over."""
        present = set(row)
        cost = 0.0
        for side, level in enumerate(self.grid.level):
            for a, b in level:
                if a in present:
                    low, high = sorted((row.index(a), row.index(b)))
                    cost += JUMP * sum(side in self.grid.sides[item] for item in row[low + 1 : high])
                    cost += LENGTH * (high - low)
        for count, plate in self.grid.counts:
            if count in present:
                cost += self._apart(row, count, plate)
        return cost

    def _apart(self, row: Sequence[Item], count: str, plate: str) -> float:
        """What stands between a count and its plate."""
        at = row.index(count)
        steps = (abs(place - at) for place, item in enumerate(row) if plate in self.grid.paths.get(item, ()))
        return JUMP * max(min(steps, default=1) - 1, 0)

    def _within(self, row: Row) -> float:
        return self._level(row) + sum(self._disorder(a, b) for spot, a in enumerate(row) for b in row[spot + 1 :])


Spans = dict[tuple[int, int], list[float]]


def _clash(left: Spans, right: Spans) -> float:
    """Crossings between the edges of two items of one row if the first stands left."""
    return sum(a > b for way, places in left.items() if way in right for a in places for b in right[way])


def _places(rows: Rows) -> dict[Item, float]:
    """Place of each item in its row, counted from the row's middle."""
    return {item: spot - (len(row) - 1) / 2 for row in rows for spot, item in enumerate(row)}


def _slid(
    row: Row,
    clash: Mapping[Item, Mapping[Item, float]],
    pull: Mapping[Item, Sequence[float]],
    level: Callable[[Sequence[Item]], float],
) -> Row:
    """Items slid along the row to where they cost least, until nothing improves."""
    current = list(row)
    improved = True
    while improved:
        improved = False
        for item in row:
            start = current.index(item)
            here = level(current)
            best, target = -1e-9, start
            for step in (-1, 1):
                change, trial, spot = 0.0, list(current), start
                while 0 <= spot + step < len(row):
                    other = trial[spot + step]
                    left, right = (other, item) if step < 0 else (item, other)
                    change += clash[right][left] - clash[left][right]
                    change += pull[item][spot + step] - pull[item][spot] + pull[other][spot] - pull[other][spot + step]
                    trial[spot], trial[spot + step] = other, item
                    spot += step
                    if (value := change + level(trial) - here) < best:
                        best, target = value, spot
            if target != start:
                current.insert(target, current.pop(start))
                improved = True
    return tuple(current)
