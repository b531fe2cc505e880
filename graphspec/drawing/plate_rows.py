"""Rows of a picture with plates: in every row a plate's items stand side by side, and one plate is left of another in
all rows or in none.

From: a `Lattice` and its rows in any order. To: a lattice that knows its plates, and rows that keep them together. So
that each plate can have a box into which nothing foreign reaches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from graphspec.drawing.ordering import Bend, Hold, Item, Judge, Lattice, Rows
from graphspec.drawing.picture import LARGE, Picture
from graphspec.drawing.ranking import Ranks

TRIALS = 40_000
"""Pairs of edges that may be compared while orders are tried, in hundreds: large pictures are tried less."""
ROW = ""
"""What the cluster of everything outside of plates is called."""


def plate_ranks(picture: Picture, ranks: Ranks) -> dict[str, range]:
    """The rows from the first to the last node of each plate, those of plates inside it included."""
    found: dict[str, list[int]] = {plate: [] for plate in picture.plates}
    for name, node in picture.nodes.items():
        for plate in node.path:
            found[plate].append(ranks[name])
    return {plate: range(min(rows), max(rows) + 1) for plate, rows in found.items()}


def in_plates(grid: Lattice, picture: Picture, spans: Mapping[str, range]) -> Lattice:
    """The lattice with the plates of every item, and with holds where a plate has no node of its own."""
    paths: dict[Item, tuple[str, ...]] = {}
    for item in grid.sides:
        if isinstance(item, str):
            paths[item] = picture.nodes[item].path
        elif isinstance(item, Bend):
            paths[item] = max((_reach(picture, end, item.rank, spans) for end in item[:2]), key=len)
    rows = []
    for rank, row in enumerate(grid.rows):
        held = {plate for item in row if isinstance(item, str) for plate in paths[item]}
        holds = [Hold(plate, rank) for plate, span in spans.items() if rank in span and plate not in held]
        paths |= {hold: picture.plates[hold.plate].path for hold in holds}
        rows.append((*row, *holds))
    empty: dict[Item, frozenset[int]] = {item: frozenset() for row in rows for item in row if isinstance(item, Hold)}
    counts = tuple(dict.fromkeys(pair for panel in picture.panels for pair in panel.counts))
    return replace(grid, rows=tuple(rows), sides={**grid.sides, **empty}, paths=paths, counts=counts)


def _reach(picture: Picture, name: str, rank: int, spans: Mapping[str, range]) -> tuple[str, ...]:
    """The plates of a node that are still around an edge to it where it passes row `rank`."""
    path = picture.nodes[name].path
    return tuple(plate for plate in path if rank in spans[plate])


def grouped(grid: Lattice, rows: Rows) -> Rows:
    """Rows near the given ones that keep plates together, with as few crossings as a local search finds."""
    search = _Search(grid, rows)
    if sum(isinstance(item, str) for item in grid.sides) > LARGE:
        return search.rows(search.start)
    return search.best()


Clusters = dict[str, list[Item]]
"""For each plate, and for the row itself, what stands in it from left to right: items of all rows, and plates."""


class _Search:
    def __init__(self, grid: Lattice, rows: Rows) -> None:
        self.grid, self.judge = grid, Judge(grid)
        self.start = self._clusters(rows)
        pieces = sum(len(steps) for steps in self.judge.steps)
        self.trials = max(60, TRIALS * 100 // max(pieces * pieces, 1))

    def _clusters(self, rows: Rows) -> Clusters:
        """Clusters in the order of the rows; a plate stands where the middle of its items does."""
        places: dict[tuple[str, Item], list[float]] = {}
        for row in rows:
            for spot, item in enumerate(row):
                place = (spot + 0.5) / len(row)
                chain = (ROW, *self.grid.paths[item])
                if not isinstance(item, Hold):
                    places.setdefault((chain[-1], item), []).append(place)
                for outer, plate in pairwise(chain):
                    places.setdefault((outer, plate), []).append(place)
        clusters: Clusters = {}
        for cluster, unit in sorted(places, key=lambda key: sum(places[key]) / len(places[key])):
            clusters.setdefault(cluster, []).append(unit)
        return clusters

    def rows(self, clusters: Clusters) -> Rows:
        """Every row sorted by the places of plates and, within them, of items."""
        spot = {unit: place for units in clusters.values() for place, unit in enumerate(units)}

        def key(item: Item) -> tuple[int, ...]:
            own = () if isinstance(item, Hold) else (spot[item],)
            return (*(spot[plate] for plate in self.grid.paths[item]), *own)

        return tuple(tuple(sorted(row, key=key)) for row in self.grid.rows)

    def best(self) -> Rows:
        """Units moved to where they cost least, one after another, until nothing improves."""
        clusters = self.start
        best = self.rows(clusters)
        cost, seen = self.judge.total(best), {best}
        improved = True
        while improved and len(seen) < self.trials:
            improved = False
            for trial in self._moves(clusters):
                rows = self.rows(trial)
                if rows in seen:
                    continue
                seen.add(rows)
                if (other := self.judge.total(rows)) < cost - 1e-9:
                    clusters, best, cost, improved = trial, rows, other, True
                    break
                if len(seen) >= self.trials:
                    break
        return best

    def _moves(self, clusters: Clusters) -> Iterator[Clusters]:
        """One unit somewhere else in its cluster, or a whole cluster the other way round."""
        for cluster, units in clusters.items():
            yield {**clusters, cluster: units[::-1]}
            for unit in units:
                rest = [other for other in units if other != unit]
                for place in range(len(units)):
                    yield {**clusters, cluster: [*rest[:place], unit, *rest[place:]]}
