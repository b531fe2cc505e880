"""Small texts of a picture with plates: labels of boxes and of arrows, and plates whose place a node reads.

Each stands where it covers least: other texts and nodes first, then arrows, then borders of boxes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphspec.drawing.geometry import (
    Curve,
    Point,
    RoundedBox,
    box,
    boxes_meet,
    clearance,
    gap,
    pieces,
    point_at,
    polyline,
)
from graphspec.drawing.picture import Across, Panel, Picture, plate_label
from graphspec.drawing.plate_boxes import Measures
from graphspec.drawing.routing import LOOP

STUB = 15.0
"""Length of the arrow from a plate's name to the node that reads the place in it."""
COVERED = 100.0
ARROW_COVERED = 10.0
BORDER_COVERED = 12.0
OFF_MIDDLE = 6.0
END_COVERED = 15.0
"""What places of a text cost: on a node or another text, on an arrow, on a border; half an arrow off its middle, where
too little of the arrow's start or head is seen."""
SHAFT_SEEN = 6.0
HEAD_SEEN = 14.0
ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74)


@dataclass(frozen=True)
class Note:
    """A text and the box that it takes. curve: the arrow that it stands on, or from which it points; none at a box."""

    text: str
    outline: RoundedBox
    curve: Curve = ()

    def moved(self, dx: float, dy: float) -> "Note":
        """The same somewhere else."""
        return Note(self.text, self.outline.moved(dx, dy), tuple((x + dx, y + dy) for x, y in self.curve))


Notes = Mapping[Across, Note]


def beside(picture: Picture, rows: Mapping[str, int], measures: Measures) -> dict[str, float]:
    """Pixels that each node needs to its sides, beyond its outline, for what is written there."""
    room = dict.fromkeys(picture.nodes, 0.0)
    for panel in picture.panels:
        for name, _ in panel.counts:
            room[name] = max(room[name], STUB)
        for name, plates in panel.indexed.items():
            room[name] = max(room[name], STUB + measures.note_width(", ".join(plates)))
        for arrow in panel.across:
            width = measures.note_width(arrow.label)
            if arrow.parent == arrow.child:
                room[arrow.child] = max(room[arrow.child], measures.loop_room * (LOOP + STUB / 5 + width))
            elif arrow[:2] in panel.edges and rows[arrow.parent] != rows[arrow.child]:  # bulges beside that edge
                room[arrow.child] = max(
                    room[arrow.child], width + STUB - measures.shape(picture.nodes[arrow.child]).half_width
                )
    return room


def corners(
    picture: Picture, boxes: Mapping[str, RoundedBox], curves: Iterable[Curve], measures: Measures
) -> dict[str, Note]:
    """The label of each box: at the bottom on the right, or on the left where fewer arrows pass."""
    paths = [polyline(curve) for curve in curves]
    found = {}
    for plate, outline in boxes.items():
        text = plate_label(picture.plates[plate])
        width = measures.note_width(text)
        y = outline.y + outline.half_height - measures.label_rise
        reach = outline.half_width - width / 2 - measures.label_inset
        spots = [_around((outline.x + side * reach, y), width, measures) for side in (1, -1)]
        found[plate] = Note(text, min(spots, key=lambda spot: sum(clearance(path, spot, 1.0) < 1.0 for path in paths)))
    return found


def panel_notes(
    panel: Panel,
    across: Mapping[Across, Curve],
    outlines: Mapping[str, RoundedBox],
    others: Sequence[Curve],
    fixed: Mapping[str, Note],
    boxes: Mapping[str, RoundedBox],
    measures: Measures,
) -> tuple[dict[Across, Note], dict[str, Note]]:
    """Labels of the arrows `across`, and the plates that nodes of `panel.indexed` read.

    others: courses of the panel's edges. fixed: labels of boxes.
    """
    ground = _Ground([*outlines.values(), *(note.outline for note in fixed.values())], boxes)
    paths = {curve: polyline(curve) for curve in (*others, *across.values())}
    pointers = {}
    for name, plates in panel.indexed.items():
        spots = _pointers(", ".join(plates), outlines[name], measures)
        pointers[name] = min(spots, key=lambda note: ground.cost(note.outline, paths.values()))
        ground.solid.append(pointers[name].outline)
    labels = {}
    for arrow, curve in across.items():
        foreign = [path for other, path in paths.items() if other != curve]
        width = measures.note_width(arrow.label)
        if arrow.parent == arrow.child:
            places = [(0.0, _beyond(outlines[arrow.child], curve, width, measures))]
        else:
            places = [spot for share in ALONG for spot in _at(curve, share, width, measures)]
        best = ground.best(places, foreign)
        labels[arrow] = Note(arrow.label, best, curve)
        ground.solid.append(best)
    return labels, pointers


def _at(curve: Curve, share: float, width: float, measures: Measures) -> list[tuple[float, RoundedBox]]:
    """Places of a label about a share of the way along an arrow, with their costs: on it, and to its sides."""
    x, y = _along(curve, share)
    (x0, y0), (x1, y1) = _along(curve, max(0.0, share - 0.05)), _along(curve, min(1.0, share + 0.05))
    length = gap((x0, y0), (x1, y1)) or 1.0
    across = ((y0 - y1) / length, (x1 - x0) / length)
    off = abs(across[0]) * width / 2 + abs(across[1]) * measures.note_height / 2 + measures.beside_arrow
    cost = 2 * OFF_MIDDLE * abs(share - 0.5)
    on = _around((x, y), width, measures)
    covered = sum(_nearer(end, on, room) for end, room in ((curve[0], SHAFT_SEEN), (curve[-1], HEAD_SEEN)))
    beside = [_around((x + s * off * across[0], y + s * off * across[1]), width, measures) for s in (1, -1)]
    return [(cost + END_COVERED * covered, on), *((cost + measures.beside_cost, spot) for spot in beside)]


def _nearer(point: Point, outline: RoundedBox, room: float) -> bool:
    """A point is within `room` of a text, or under it."""
    return outline.distance(point) < room


@dataclass
class _Ground:
    """What a text should not cover."""

    solid: list[RoundedBox]
    boxes: Mapping[str, RoundedBox]

    def best(self, places: Iterable[tuple[float, RoundedBox]], paths: Sequence[Sequence[Point]]) -> RoundedBox:
        """The cheapest place; each costs something by itself already, and what costs more than another is not tried."""
        found: tuple[float, RoundedBox] | None = None
        for own, spot in sorted(places, key=lambda place: place[0]):
            if found is None or own < found[0]:
                cost = own + self.cost(spot, paths)
                found = (cost, spot) if found is None or cost < found[0] else found
        assert found is not None, "every arrow has places for its label"
        return found[1]

    def cost(self, outline: RoundedBox, paths: Iterable[Sequence[Point]]) -> float:
        mine = _sides(outline)
        total = COVERED * sum(boxes_meet(mine, _sides(other)) for other in self.solid)
        total += ARROW_COVERED * sum(clearance(list(path), outline, 1.0) < 1.0 for path in paths)
        return total + BORDER_COVERED * sum(_on_border(mine, _sides(other)) for other in self.boxes.values())


def _pointers(text: str, node: RoundedBox, measures: Measures) -> list[Note]:
    """A plate's name on either side of a node, with an arrow into it."""
    width, found = measures.note_width(text), []
    for side in (1, -1):
        rim = node.x + side * node.half_width
        end = rim + side * STUB
        found.append(
            Note(text, _around((end + side * width / 2, node.y), width, measures), ((end, node.y), (rim, node.y)))
        )
    return found


def _around(centre: Point, width: float, measures: Measures) -> RoundedBox:
    return RoundedBox(*centre, width / 2, measures.note_height / 2, 0.0)


def _beyond(node: RoundedBox, loop: Curve, width: float, measures: Measures) -> RoundedBox:
    """Outside of a loop, at its far end."""
    x, y = _along(loop, 0.5)
    return _around((x + (width / 2 + STUB / 5) * (1 if x > node.x else -1), y), width, measures)


def _along(curve: Curve, share: float) -> Point:
    """The point that lies a share of the curve's length from its start."""
    points = [point_at(piece, step / 10) for piece in pieces(curve) for step in range(11)]
    lengths = [gap(a, b) for a, b in pairwise(points)]
    wanted = share * sum(lengths)
    for point, length in zip(points[1:], lengths, strict=True):
        wanted -= length
        if wanted <= 0:
            return point
    return points[-1]


def _sides(outline: RoundedBox) -> tuple[float, float, float, float]:
    return box([(outline.x + s * outline.half_width, outline.y + s * outline.half_height) for s in (-1, 1)])


def _on_border(text: tuple[float, float, float, float], around: tuple[float, float, float, float]) -> bool:
    inside = around[0] < text[0] and text[2] < around[2] and around[1] < text[1] and text[3] < around[3]
    return boxes_meet(text, around) and not inside
