"""Lines from a variable that says how many elements a plate has to the box of this plate."""

from collections.abc import Iterable, Mapping, Sequence

from graphspec.drawing.geometry import Curve, Point, RoundedBox, clearance, crossings, gap, leaving, polyline
from graphspec.drawing.picture import Panel

SPOTS = (0.5, 0.3, 0.7, 0.12, 0.88)
"""Where on a side of the box a line may end, as shares of the side."""
HIT = 1000.0
CROSSING = 15.0
SLANT = 0.6
"""What a line costs beside a pixel's 1: touching what it does not belong to, crossing an arrow, a pixel of slant."""
MARGIN = 4.0
CORNER = 12.0
"""From a corner of the box to where a line may end."""


def count_links(
    panel: Panel,
    outlines: Mapping[str, RoundedBox],
    boxes: Mapping[str, RoundedBox],
    solid: Sequence[RoundedBox],
    curves: Iterable[Curve],
) -> dict[tuple[str, str], Curve]:
    """For each count and its plate a straight line from the node to the border of the box.

    outlines: of the panel's nodes. solid: other things that a line should not touch. curves: arrows of the panel.
    """
    paths = [polyline(curve) for curve in curves]
    found = {}
    for count, plate in panel.counts:
        foreign = [*solid, *(outline for name, outline in outlines.items() if name != count)]
        lines = [
            leaving((outlines[count].centre, spot), outlines[count]) for spot in _spots(outlines[count], boxes[plate])
        ]
        found[count, plate] = min(lines, key=lambda line: _cost(line, foreign, paths))
    return found


def _spots(node: RoundedBox, box: RoundedBox) -> list[Point]:
    """Ends on the sides of a box that face a node: straight across where that is possible."""
    left, right = box.x - box.half_width, box.x + box.half_width
    top, bottom = box.y - box.half_height, box.y + box.half_height
    spots = []
    if not left <= node.x <= right:
        x = left if node.x < left else right
        ys = [top + share * (bottom - top) for share in SPOTS]
        spots += [(x, y) for y in (min(max(node.y, top + CORNER), bottom - CORNER), *ys)]
    if not top <= node.y <= bottom:
        y = top if node.y < top else bottom
        xs = [left + share * (right - left) for share in SPOTS]
        spots += [(x, y) for x in (min(max(node.x, left + CORNER), right - CORNER), *xs)]
    return spots or [(left, node.y)]


def _cost(line: Curve, foreign: Sequence[RoundedBox], paths: Sequence[list[Point]]) -> float:
    (x0, y0), (x1, y1) = line
    total = gap(*line) + SLANT * min(abs(x1 - x0), abs(y1 - y0))
    total += HIT * any(clearance(list(line), outline, MARGIN) < MARGIN for outline in foreign)
    return total + CROSSING * sum(crossings(list(line), path) for path in paths)
