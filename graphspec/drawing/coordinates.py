"""Where in its row each item stands: near its neighbours, at a decent distance from the next, long edges straight."""

from collections.abc import Mapping
from itertools import pairwise

from graphspec.drawing.geometry import Point, RoundedBox
from graphspec.drawing.ordering import Bend, Item, Lattice, Row, Rows

ROW_PITCH = 92.0
NODE_GAP = 46.0
BEND_GAP = 18.0
BETWEEN_BENDS = 16.0
SWEEPS = 60
NEARLY_UPRIGHT = 6.0


def coordinates(
    grid: Lattice, rows: Rows, outlines: Mapping[str, RoundedBox], row_pitch: float = ROW_PITCH
) -> dict[Item, Point]:
    """Centres of nodes and bends, in pixels; the leftmost node's outline starts at x = 0, the top row's centre at 0.

    Least squares over the lengths of the edges sideways, solved row by row; within a row the order and the gaps are
    kept exactly (isotonic regression).
    """
    kept = tuple(tuple(item for item in row if not passes_freely(item, row, grid)) for row in rows)
    across = _spread(kept, outlines)
    pulls = pulls_of(grid, kept)
    for sweep in range(SWEEPS):
        for row in kept if sweep % 2 == 0 else kept[::-1]:
            _settle(row, across, pulls, outlines, straighten=2 * sweep > SWEEPS)
    for row in (*kept, *kept[::-1]):
        _snap(row, across, pulls, outlines)
    left = min(across[name] - outline.half_width for name, outline in outlines.items())
    return {item: (round(across[item] - left, 1), index * row_pitch) for index, row in enumerate(kept) for item in row}


def passes_freely(item: Item, row: Row, grid: Lattice) -> bool:
    """A bend that passes no node of its own side needs no room."""
    return isinstance(item, Bend) and not any(
        isinstance(other, str) and grid.sides[item] & grid.sides[other] for other in row
    )


def separation(left: Item, right: Item, outlines: Mapping[str, RoundedBox]) -> float:
    """Smallest distance between the centres of two neighbours in a row."""
    if isinstance(left, Bend) and isinstance(right, Bend):
        return BETWEEN_BENDS
    gap = BEND_GAP if isinstance(left, Bend) or isinstance(right, Bend) else NODE_GAP
    return gap + sum(outlines[item].half_width for item in (left, right) if isinstance(item, str))


def _spread(rows: Rows, outlines: Mapping[str, RoundedBox]) -> dict[Item, float]:
    """Every row as tight as allowed and centred on 0."""
    across: dict[Item, float] = {}
    for row in rows:
        spots = _offsets(row, outlines)
        for item, spot in zip(row, spots, strict=True):
            across[item] = spot - spots[-1] / 2
    return across


def _offsets(row: Row, outlines: Mapping[str, RoundedBox]) -> list[float]:
    spots = [0.0][: len(row)]
    for left, right in pairwise(row):
        spots.append(spots[-1] + separation(left, right, outlines))
    return spots


Pulls = dict[Item, list[tuple[float, Item]]]


def pulls_of(grid: Lattice, rows: Rows) -> Pulls:
    """Who draws whom, and how strongly: bends of one edge most, so that it runs straight between its ends."""
    present = {item for row in rows for item in row}
    pulls: Pulls = {item: [] for item in present}
    chains = [[item for item in chain if item in present] for chains in grid.chains for chain in chains]
    for chain in chains:
        for upper, lower in pairwise(chain):
            bends = isinstance(upper, Bend) + isinstance(lower, Bend)
            _pull(pulls, upper, lower, (1.0, 0.8, 4.0)[bends])
    for level in grid.level:
        for left, right in level:
            _pull(pulls, left, right, 0.3)
    return pulls


def _pull(pulls: Pulls, first: Item, second: Item, weight: float) -> None:
    pulls[first].append((weight, second))
    pulls[second].append((weight, first))


def _settle(
    row: Row, across: dict[Item, float], pulls: Pulls, outlines: Mapping[str, RoundedBox], *, straighten: bool
) -> None:
    wishes, weights = [], []
    for item in row:
        drawn = [(pull * stiffness(across[item] - across[other], straighten), other) for pull, other in pulls[item]]
        weight = sum(pull for pull, _ in drawn)
        wish = sum(pull * across[other] for pull, other in drawn)
        wishes.append((wish + 0.05 * across[item]) / (weight + 0.05))
        weights.append(weight + 0.05)
    offsets = _offsets(row, outlines)
    free = [wish - offset for wish, offset in zip(wishes, offsets, strict=True)]
    for item, spot, offset in zip(row, isotonic(free, weights), offsets, strict=True):
        across[item] = spot + offset


def _snap(row: Row, across: dict[Item, float], pulls: Pulls, outlines: Mapping[str, RoundedBox]) -> None:
    """An edge that is all but upright becomes upright where the row has room."""
    for spot, item in enumerate(row):
        near = [across[other] for _, other in pulls[item] if 0 < abs(across[other] - across[item]) < NEARLY_UPRIGHT]
        upright = any(across[other] == across[item] for _, other in pulls[item])
        if not near or upright:
            continue
        wish = min(near, key=lambda place: (abs(place - across[item]), place))
        before, after = row[max(spot - 1, 0)], row[min(spot + 1, len(row) - 1)]
        fits = (before is item or wish - across[before] >= separation(before, item, outlines)) and (
            after is item or across[after] - wish >= separation(item, after, outlines)
        )
        if fits:
            across[item] = wish


def stiffness(slant: float, straighten: bool) -> float:
    """Least squares share a slant among all edges; reweighted by its inverse, most edges become upright instead."""
    return 30.0 / max(abs(slant), 1.0) if straighten else 1.0


def isotonic(values: list[float], weights: list[float]) -> list[float]:
    """The nondecreasing sequence nearest to `values` in weighted least squares (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return [value for value, _, count in blocks for _ in range(count)]
