"""Which row each node stands in: roots of p at the top, what is observed at the bottom.

Both graphs share the rows. An edge of p always points down, but for neighbours of an element, which may form circles.
An edge of q would best point up one row, but may also be level or point down where p says otherwise; that is a cost,
not a law. The rows minimise the sum of such costs.
"""

from collections.abc import Mapping, Sequence

from graphspec.drawing.picture import LARGE, Edge, Picture

ROW = 0.5
LONG_GENERATIVE = 0.3
VERY_LONG = 2
ROOT_BELOW_TOP = 0.55
LONG_FROM_OBSERVED = 0.4
LONG_BETWEEN_FEATURES = 0.25
LONG_TO_VARIABLE = 0.08
LEVEL_FEATURE = 1.0
STRICT_LEVEL_FEATURE = 4.0
LEVEL_OBSERVED = 5.0
DOWN_FEATURE = 6.0
LEVEL_VARIABLE = 0.1
ABOVE_THE_BOTTOM = 0.7
BESIDE = 0.6
BELOW_TOP = 0.02
CROWD = 0.06
CROWDED = 4
STEPS = (-1, 1, -2, 2, -3, 3)

Ranks = dict[str, int]


def ranks(picture: Picture, *, strict: bool = False) -> Ranks:
    """Row of each node, 0 at the top. A local search from longest paths; the same picture gives the same rows.

    strict: features stand below what reads them, even if that takes a row more.
    """
    search = _Search(picture, STRICT_LEVEL_FEATURE if strict else LEVEL_FEATURE)
    current = search.start()
    if len(picture.nodes) > LARGE:
        return search.compact(current)
    best = search.cost(current)
    improved = True
    while improved:
        improved = False
        for group in search.groups:
            for step in STEPS:
                candidate = search.shifted(current, group, step)
                cost = search.cost(candidate)
                if cost < best - 1e-9:
                    current, best, improved = candidate, cost, True
    return search.compact(current)


class _Search:
    def __init__(self, picture: Picture, level_feature: float) -> None:
        self.level_feature = level_feature
        generative, recognition = picture.panels
        self.names = tuple(picture.nodes)
        loose = {arrow[:2] for arrow in generative.across if arrow.dashed}.difference(generative.edges)
        self.down = tuple(edge for edge in generative.pairs if edge not in loose)
        self.modelled = frozenset(generative.nodes)
        self.up = tuple(edge for edge in dict.fromkeys((*loose, *recognition.pairs)) if edge not in set(self.down))
        self.observed = frozenset(name for name, node in picture.nodes.items() if node.role == "observed")
        self.roots = self.modelled - {child for _, child in self.down}
        counts = {count for panel in picture.panels for count, _ in panel.counts}
        self.beside = tuple(dict.fromkeys(
            (count, tuple(n for n, node in picture.nodes.items() if plate in node.path))
            for panel in picture.panels for count, plate in panel.counts
        ))  # fmt: skip
        self.roots -= counts
        self.leaves = self.observed & self.modelled - {parent for parent, _ in self.down} - counts
        pairs = [*self.down, *self.up] if len(self.names) <= LARGE else []
        self.groups: list[tuple[str, ...]] = [*((name,) for name in self.names), *pairs]

    def start(self) -> Ranks:
        """Longest paths down p; what only q has stands between the neighbours it already knows."""
        result = self.repaired(dict.fromkeys(self.modelled, 0))
        for name in self.names:
            near = [result[other] for other in self._neighbours(name) if other in result]
            result.setdefault(name, sum(near) // len(near) if near else 0)
        return result

    def _neighbours(self, name: str) -> list[str]:
        return [a if b == name else b for a, b in self.up if name in (a, b)]

    def repaired(self, ranks: Ranks, *, upwards: bool = False) -> Ranks:
        """Children pushed down (or parents up) until every edge of p points down."""
        result, changed = dict(ranks), True
        while changed:
            changed = False
            for parent, child in self.down:
                if result[child] <= result[parent]:
                    place, near, step = (parent, child, -1) if upwards else (child, parent, 1)
                    result[place] = result[near] + step
                    changed = True
        return result

    def shifted(self, ranks: Ranks, group: tuple[str, ...], step: int) -> Ranks:
        """A group moved one row up or down, with whatever has to give way."""
        return self.repaired({**ranks, **{name: ranks[name] + step for name in group}}, upwards=step < 0)

    def cost(self, ranks: Mapping[str, int]) -> float:
        """Rows used, long edges, edges of q that do not point up, crowded rows, data that is not at the bottom."""
        bottom, top = max(ranks.values()), min(ranks.values())
        total = ROW * (bottom - top)
        total += sum(_stretch(ranks[child] - ranks[parent] - 1) for parent, child in self.down)
        total += sum(ROOT_BELOW_TOP * (ranks[name] - top) for name in self.roots)
        total += sum(self._upward(edge, ranks[edge[0]] - ranks[edge[1]]) for edge in self.up)
        total += sum(ABOVE_THE_BOTTOM * (bottom - ranks[name]) for name in self.leaves)
        total += sum(_away(ranks[count], [ranks[n] for n in names]) for count, names in self.beside if names)
        rows = list(ranks.values())
        return total + sum(CROWD * max(0, rows.count(row) - CROWDED) ** 2 for row in set(rows))

    def _upward(self, edge: Edge, rise: int) -> float:
        parent, child = edge
        if parent in self.modelled and child in self.modelled:
            return LEVEL_VARIABLE if rise == 0 else 0.0
        if rise < 0:
            return DOWN_FEATURE - rise
        if rise == 0:
            return LEVEL_OBSERVED if parent in self.observed else self.level_feature
        if parent in self.observed:
            return LONG_FROM_OBSERVED * (rise - 1)
        return (LONG_TO_VARIABLE if child in self.modelled else LONG_BETWEEN_FEATURES) * (rise - 1)

    def compact(self, ranks: Ranks) -> Ranks:
        """Rows counted from 0 without empty ones."""
        used = {rank: place for place, rank in enumerate(sorted(set(ranks.values())))}
        return {name: used[ranks[name]] for name in self.names}


def _away(rank: int, rows: Sequence[int]) -> float:
    """A count that does not stand beside the box of its plate; near its top is best."""
    return BESIDE * max(min(rows) - rank, rank - max(rows), 0) + BELOW_TOP * max(0, rank - min(rows))


def _stretch(extra: int) -> float:
    """An edge of p over `extra` rows; beyond a few rows every further one counts three times."""
    return LONG_GENERATIVE * (extra + 2 * max(0, extra - VERY_LONG))
