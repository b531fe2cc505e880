"""Places of nodes, bends and boxes of a picture with plates.

Everything that has to keep a distance sideways - neighbours in a row, a node and the border of its own box or of a
foreign one, boxes side by side - is one list of gaps. Places follow the pull of edges, and after every step are led
back to where all gaps hold.
"""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

from graphspec.drawing.coordinates import NEARLY_UPRIGHT, passes_freely, pulls_of, separation, stiffness
from graphspec.drawing.geometry import RoundedBox
from graphspec.drawing.ordering import Hold, Item, Lattice, Row, Rows
from graphspec.drawing.picture import Picture
from graphspec.drawing.plate_boxes import Measures, narrowest

SWEEPS = 120
PUSHES = 10
CLOSE = 0.05
"""Steps of the search, passes over all gaps in each, and pixels that a gap may lack on the way."""
INERTIA = 0.05


class Border(NamedTuple):
    """The left (-1) or right (1) side of a plate's box."""

    plate: str
    side: int


Mark = Item | Border
Spots = dict[Mark, float]
Gap = tuple[Mark, Mark, float]
"""The second stands at least so far to the right of the first."""


def plate_coordinates(
    picture: Picture, grid: Lattice, rows: Rows, rooms: Mapping[str, RoundedBox], measures: Measures
) -> tuple[dict[Item, float], dict[str, tuple[float, float]]]:
    """Where items stand from left to right, and where boxes begin and end, in pixels.

    rows: those of `grouped`. rooms: how wide nodes are, with what is written beside them.
    """
    kept = tuple(tuple(item for item in row if not passes_freely(item, row, grid)) for row in rows)
    page = _Page(picture, grid, kept, rooms, measures)
    spots = page.settled()
    items = {mark: round(spot, 1) for mark, spot in spots.items() if not isinstance(mark, Border)}
    return items, {plate: (spots[Border(plate, -1)], spots[Border(plate, 1)]) for plate in picture.plates}


class _Page:
    def __init__(
        self, picture: Picture, grid: Lattice, rows: Rows, rooms: Mapping[str, RoundedBox], measures: Measures
    ) -> None:
        self.grid, self.rooms, self.measures = grid, rooms, measures
        self.narrowest = {plate: narrowest(plate, picture, measures) for plate in picture.plates}
        placed = tuple(tuple(item for item in row if not isinstance(item, Hold)) for row in rows)
        self.items = tuple(item for row in placed for item in row)
        self.level = [arrow[:3] for panel in picture.panels for arrow in panel.across if arrow.parent != arrow.child]
        self.pulls = pulls_of(grid, placed)
        self.right_of: dict[Mark, dict[Mark, float]] = {}
        self.left_of: dict[Mark, dict[Mark, float]] = {}
        widest: dict[tuple[Mark, Mark], float] = {}
        for left, right, gap in self._gaps(rows):
            widest[left, right] = max(gap, widest.get((left, right), 0.0))
        self.gaps = tuple((left, right, gap) for (left, right), gap in widest.items())
        for left, right, gap in self.gaps:
            self.right_of.setdefault(left, {})[right] = gap
            self.left_of.setdefault(right, {})[left] = gap
        marks = dict.fromkeys((*self.items, *self.right_of, *self.left_of))
        self.order = tuple(TopologicalSorter({mark: self.left_of.get(mark, {}) for mark in marks}).static_order())

    def _gaps(self, rows: Rows) -> Iterator[Gap]:
        for plate, width in self.narrowest.items():
            yield Border(plate, -1), Border(plate, 1), width
        for row in rows:
            for left, right in pairwise(self._marks(row)):
                yield left, right, self._gap(left, right)
            for a, b, label in self.level:
                if a in row and b in row:
                    left, right = sorted((a, b), key=row.index)
                    apart = self.measures.note_width(label) + 2 * self.measures.shaft
                    if self.grid.paths[left] != self.grid.paths[right]:  # beside the border in between, not on it
                        apart += self.measures.side
                    yield left, right, apart + self.rooms[left].half_width + self.rooms[right].half_width

    def _marks(self, row: Row) -> list[Mark]:
        """A row with the borders of boxes between its items; of a hold they are all there is."""
        marks: list[Mark] = []
        current: tuple[str, ...] = ()
        for item in (*row, None):
            path = self.grid.paths[item] if item is not None else ()
            shared = sum(1 for a, b in zip(current, path, strict=False) if a == b)  # a plate is inside of one only
            marks += [Border(plate, 1) for plate in reversed(current[shared:])]
            marks += [Border(plate, -1) for plate in path[shared:]]
            marks += [item] if item is not None and not isinstance(item, Hold) else []
            current = path
        return marks

    def _gap(self, left: Mark, right: Mark) -> float:
        """Smallest distance between two marks that follow each other in a row."""
        if not isinstance(left, Border) and not isinstance(right, Border):
            return separation(left, right, self.rooms)
        if isinstance(left, Border) and isinstance(right, Border) and left.side < right.side:
            return 0.0
        apart = self.measures.side if self._within(left, right) else self.measures.between
        return apart + sum(self.rooms[mark].half_width for mark in (left, right) if isinstance(mark, str))

    @staticmethod
    def _within(left: Mark, right: Mark) -> bool:
        """What stands on both sides of this gap is inside the same box."""
        return (isinstance(left, Border) and left.side < 0) or (isinstance(right, Border) and right.side > 0)

    def settled(self) -> Spots:
        """Near the least squares of the edges' way sideways, with every gap kept; most edges upright."""
        spots, forces = self._fitted(dict.fromkeys(self.order, 0.0)), dict.fromkeys(self.gaps, 0.0)
        for sweep in range(SWEEPS):
            wishes: dict[Item, tuple[float, float]] = {
                item: self._wish(item, spots, 2 * sweep > SWEEPS) for item in self.items
            }
            weights: dict[Item, float] = {item: weight for item, (_, weight) in wishes.items()}
            moved: dict[Mark, float] = {item: (spots[item] + wish) / 2 for item, (wish, _) in wishes.items()}
            spots = self._pushed(self._enclosed(moved), weights, forces)
        for item in (*self.items, *reversed(self.items)):
            self._snap(item, spots)
        return self._fitted(self._enclosed({item: spots[item] for item in self.items}))

    def _wish(self, item: Item, spots: Spots, straighten: bool) -> tuple[float, float]:
        """Where its edges draw an item, and how strongly."""
        drawn = [(pull * stiffness(spots[item] - spots[other], straighten), other) for pull, other in self.pulls[item]]
        weight = sum(pull for pull, _ in drawn) + INERTIA
        return (sum(pull * spots[other] for pull, other in drawn) + INERTIA * spots[item]) / weight, weight

    def _enclosed(self, items: Mapping[Mark, float]) -> Spots:
        """The places of items, and borders as tight around them as they may be."""
        spots = dict(items)
        for mark in reversed(self.order):
            if isinstance(mark, Border) and mark.side < 0:
                inner = {other: gap for other, gap in self.right_of[mark].items() if other != Border(mark.plate, 1)}
                spots[mark] = min(spots[other] - gap for other, gap in inner.items() if other in spots)
        for mark in self.order:
            if isinstance(mark, Border) and mark.side > 0:
                opposite = Border(mark.plate, -1)
                inner = {other: gap for other, gap in self.left_of[mark].items() if other != opposite}
                spots[mark] = max(spots[other] + gap for other, gap in inner.items())
                missing = max(0.0, self.narrowest[mark.plate] - (spots[mark] - spots[opposite]))
                spots[mark] += missing / 2
                spots[opposite] -= missing / 2
        return spots

    def _pushed(self, wishes: Spots, weights: Mapping[Item, float], forces: dict[Gap, float]) -> Spots:
        """The places nearest to the wished ones in weighted least squares that keep every gap, or nearly (Hildreth's
        method: gap by gap, each with the force that it has needed so far, which `forces` keeps)."""
        spots = dict(wishes)
        ease = {mark: 1.0 / (INERTIA if isinstance(mark, Border) else weights[mark]) for mark in self.order}
        shift = dict.fromkeys(self.order, 0.0)
        for (left, right, _), force in forces.items():
            shift[left] -= force * ease[left]
            shift[right] += force * ease[right]
        # Forces of the last step fit other weights: so much of them that they bring the nearest places closer.
        gain = sum(force * (width - spots[right] + spots[left]) for (left, right, width), force in forces.items())
        share = min(1.0, max(0.0, gain / max(sum(s * s / ease[mark] for mark, s in shift.items()), 1e-9)))
        forces.update({gap: share * force for gap, force in forces.items()})
        spots = {mark: spots[mark] + share * shift[mark] for mark in self.order}
        for _ in range(PUSHES):
            moved = 0.0
            for gap in self.gaps:
                left, right, width = gap
                lacking = width - (spots[right] - spots[left])
                force = max(0.0, forces[gap] + lacking / (ease[left] + ease[right]))
                change, forces[gap] = force - forces[gap], force
                spots[left] -= change * ease[left]
                spots[right] += change * ease[right]
                moved = max(moved, abs(change) * (ease[left] + ease[right]))
            if moved < CLOSE:
                break
        return spots

    def _fitted(self, wishes: Spots) -> Spots:
        """Places near the wished ones that keep every gap: midway between giving way to the right and to the left."""
        right, left = dict(wishes), dict(wishes)
        for mark in self.order:
            right[mark] = max([right[mark], *(right[other] + gap for other, gap in self.left_of.get(mark, {}).items())])
        for mark in reversed(self.order):
            left[mark] = min([left[mark], *(left[other] - gap for other, gap in self.right_of.get(mark, {}).items())])
        return {mark: (right[mark] + left[mark]) / 2 for mark in self.order}

    def _snap(self, item: Item, spots: Spots) -> None:
        """An edge that is all but upright becomes upright where there is room."""
        near = [spots[other] for _, other in self.pulls[item] if 0 < abs(spots[other] - spots[item]) < NEARLY_UPRIGHT]
        if not near or any(spots[other] == spots[item] for _, other in self.pulls[item]):
            return
        wish = min(near, key=lambda place: (abs(place - spots[item]), place))
        low = self._limit(item, spots, self.left_of, 1)
        high = self._limit(item, spots, self.right_of, -1)
        if (low is None or wish >= low) and (high is None or wish <= high):
            spots[item] = wish

    def _limit(self, mark: Mark, spots: Spots, beside: Mapping[Mark, Mapping[Mark, float]], sign: int) -> float | None:
        """How far a mark may move towards the items beside it, borders giving way; None without any."""
        limits = []
        for other, gap in beside.get(mark, {}).items():
            at = self._limit(other, spots, beside, sign) if isinstance(other, Border) else spots[other]
            limits += [] if at is None else [at + sign * gap]
        return (max(limits) if sign > 0 else min(limits)) if limits else None
