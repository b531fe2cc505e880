"""Points, node outlines and curves in the plane; x to the right, y down, lengths in CSS pixels.

Curves are tuples of points: two points are a straight line, 3 k + 1 points a chain of k cubic Bezier pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, inf

Point = tuple[float, float]
Curve = tuple[Point, ...]

SAMPLES = 10
"""Straight pieces that stand for one cubic piece when curves are compared."""


@dataclass(frozen=True)
class RoundedBox:
    """A rectangle with rounded corners around a centre; `radius` equal to `half_height` makes a circle or a pill."""

    x: float
    y: float
    half_width: float
    half_height: float
    radius: float

    @property
    def centre(self) -> Point:
        """Where edges aim."""
        return (self.x, self.y)

    def distance(self, point: Point) -> float:
        """Signed distance from `point` to the outline: negative inside, zero on it."""
        across = abs(point[0] - self.x) - (self.half_width - self.radius)
        down = abs(point[1] - self.y) - (self.half_height - self.radius)
        return hypot(max(across, 0.0), max(down, 0.0)) + min(max(across, down), 0.0) - self.radius

    def moved(self, dx: float, dy: float) -> "RoundedBox":
        """The same outline somewhere else."""
        return RoundedBox(self.x + dx, self.y + dy, self.half_width, self.half_height, self.radius)


def resized(outline: RoundedBox, by: float) -> RoundedBox:
    """The same outline, `by` further out (or in, if negative) on every side."""
    sizes = outline.half_width + by, outline.half_height + by, max(outline.radius + by, 0.0)
    return RoundedBox(outline.x, outline.y, *sizes)


QUARTER = 0.5523
"""Where the inner points of a cubic piece stand that draws a quarter of a circle of radius 1 (error below 0.03 %)."""


def contour(outline: RoundedBox) -> Curve:
    """The outline as a closed chain of cubic pieces, clockwise from the top of its left end."""
    left, right = outline.x - outline.half_width, outline.x + outline.half_width
    top, bottom = outline.y - outline.half_height, outline.y + outline.half_height
    radius = outline.radius
    corners = (((left, top), (1, 0)), ((right, top), (0, 1)), ((right, bottom), (-1, 0)), ((left, bottom), (0, -1)))
    points: list[Point] = []
    for (x, y), (dx, dy) in corners:
        start, end = (x - dy * radius, y + dx * radius), (x + dx * radius, y + dy * radius)
        if points:
            points += [between(points[-1], start, 1 / 3), between(points[-1], start, 2 / 3)]
        points += [start, between(start, (x, y), QUARTER), between(end, (x, y), QUARTER), end]
    return (*points, between(points[-1], points[0], 1 / 3), between(points[-1], points[0], 2 / 3), points[0])


def between(a: Point, b: Point, share: float) -> Point:
    """The point that lies `share` of the way from `a` to `b`."""
    return (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))


def gap(a: Point, b: Point) -> float:
    """Distance between two points."""
    return hypot(b[0] - a[0], b[1] - a[1])


def pieces(curve: Curve) -> list[Curve]:
    """The cubic pieces of a curve; a line is one piece of two points."""
    return [curve] if len(curve) == 2 else [curve[i : i + 4] for i in range(0, len(curve) - 1, 3)]


def joined(parts: list[Curve]) -> Curve:
    """Pieces put together again; neighbours share a point."""
    return parts[0] + tuple(point for part in parts[1:] for point in part[1:])


def point_at(piece: Curve, t: float) -> Point:
    """The point of one piece at parameter t in [0, 1]."""
    return split(piece, t)[0][-1]


def split(piece: Curve, t: float) -> tuple[Curve, Curve]:
    """One piece cut in two at parameter t (de Casteljau)."""
    left, right, row = [piece[0]], [piece[-1]], list(piece)
    while len(row) > 1:
        row = [between(a, b, t) for a, b in pairwise(row)]
        left.append(row[0])
        right.append(row[-1])
    return tuple(left), tuple(reversed(right))


def reverse(curve: Curve) -> Curve:
    """The same curve walked the other way."""
    return curve[::-1]


def polyline(curve: Curve) -> list[Point]:
    """Points along a curve, close enough together to stand for it."""
    if len(curve) == 2:
        return list(curve)
    points = [curve[0]]
    for piece in pieces(curve):
        points += [_cubic(piece, step / SAMPLES) for step in range(1, SAMPLES + 1)]
    return points


def _cubic(piece: Curve, t: float) -> Point:
    s = 1.0 - t
    a, b, c, d = s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = piece
    return (a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3)


def leaving(curve: Curve, outline: RoundedBox) -> Curve:
    """What is left of a curve that starts inside `outline` after it has left it; it then starts on the outline."""
    parts = pieces(curve)
    while len(parts) > 1 and outline.distance(parts[0][-1]) <= 0:
        parts.pop(0)
    inside, outside = 0.0, 1.0
    for _ in range(24):
        middle = (inside + outside) / 2
        if outline.distance(point_at(parts[0], middle)) < 0:
            inside = middle
        else:
            outside = middle
    return joined([split(parts[0], outside)[1], *parts[1:]])


def shortened(curve: Curve, length: float) -> Curve:
    """A curve that ends `length` before its end, in a straight line to it (room for an arrowhead)."""
    end = curve[-1]
    around = RoundedBox(end[0], end[1], length, length, length)
    return reverse(leaving(reverse(curve), around))


def crossings(first: list[Point], second: list[Point]) -> int:
    """How often two polylines cross properly; touching ends do not count."""
    mine, theirs = box(first), box(second)
    if not boxes_meet(mine, theirs):
        return 0
    ours = [pair for pair in pairwise(first) if _near(*pair, theirs, 0.0)]
    others = [pair for pair in pairwise(second) if _near(*pair, mine, 0.0)]
    return sum(_segments_cross(a, b, c, d) for a, b in ours for c, d in others)


Box = tuple[float, float, float, float]


def box(points: Sequence[Point]) -> Box:
    """Left, top, right and bottom of some points."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def boxes_meet(a: Box, b: Box) -> bool:
    """Two boxes overlap."""
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _near(a: Point, b: Point, around: Box, margin: float) -> bool:
    """The box of a segment comes within `margin` of another; written out, for this is asked most often."""
    (x0, y0), (x1, y1) = a, b
    left, top, right, bottom = around
    return not (
        (x0 < left - margin and x1 < left - margin)
        or (x0 > right + margin and x1 > right + margin)
        or (y0 < top - margin and y1 < top - margin)
        or (y0 > bottom + margin and y1 > bottom + margin)
    )


def _segments_cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> float:
    value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 0.0 if abs(value) < 1e-6 else value


def clearance(path: list[Point], outline: RoundedBox, enough: float = inf) -> float:
    """Smallest distance between a polyline and an outline (sampled every few pixels); `enough` or more is `enough`."""
    around = (outline.x - outline.half_width, outline.y - outline.half_height,
              outline.x + outline.half_width, outline.y + outline.half_height)  # fmt: skip
    best = enough
    for a, b in pairwise(path):
        if _near(a, b, around, enough):
            steps = max(1, int(gap(a, b) / 6))
            best = min(best, *(outline.distance(between(a, b, i / steps)) for i in range(steps + 1)))
    return best
