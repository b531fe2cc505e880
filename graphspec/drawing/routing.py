"""The course of each edge between nodes that already have their places.

A straight line where nothing is in the way, else the gentlest curve that is clear: an arc, a curve through the edge's
bends, and at last one that crosses each row upright in the room its bend has kept free.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, sin

from graphspec.drawing.geometry import (
    Curve,
    Point,
    RoundedBox,
    between,
    clearance,
    crossings,
    gap,
    joined,
    leaving,
    polyline,
    reverse,
)
from graphspec.drawing.picture import LARGE, Across, Edge

MARGIN = 6.0
"""Pixels that an edge keeps from a node it does not belong to, where it can."""
BULGES = (0.1, 0.18, 0.28, 0.4)
HIT = 1000.0
NEAR = 25.0
CROSSING = 12.0
ALONG = 6.0
DETOUR = 0.1
"""What courses cost: touching a foreign node, coming near one, crossing an edge, lying along one, a pixel sideways."""
LEVEL_LIFT = 34.0
LOOP = 28.0
"""How far an arrow from a node to itself reaches to the side."""
LOOPS = (
    (0.0, LOOP, 28.0, 0.0), (0.9, 0.6 * LOOP, 22.0, 4.0), (-0.9, 0.6 * LOOP, 22.0, 4.5),
    (1.4, 0.6 * LOOP, 22.0, 6.0), (-1.4, 0.6 * LOOP, 22.0, 6.5),
)  # fmt: skip
"""Such arrows: turned down by so many radians, how far they reach and spread, and what that costs."""
COVERED = 20.0
UNDER_LABEL = 9.0
"""Cost of a label on another, and on an arrow."""
TWIN = 200.0
"""Cost of a course that is not bulged, where another arrow joins the same two nodes."""


@dataclass(frozen=True)
class _Candidate:
    curve: Curve
    path: list[Point]
    effort: float
    side: float = 0.0  # of a loop: where its label stands


def routes(
    edges: tuple[Edge, ...], outlines: Mapping[str, RoundedBox], bends: Mapping[Edge, tuple[Point, ...]], band: float
) -> dict[Edge, Curve]:
    """A curve for each edge, from the outline of its parent to the outline of its child.

    outlines: of every node of this panel. bends: free places that an edge passes, from parent to child.
    band: half the height that a row's nodes take at most.
    """
    if len(outlines) > LARGE:
        return {edge: _plain(edge, outlines, bends.get(edge, ())) for edge in edges}
    candidates = {edge: _candidates(edge, outlines, bends.get(edge, ()), band) for edge in edges}
    chosen: dict[Edge, _Candidate] = {}
    by_freedom = sorted(edges, key=lambda edge: (len(candidates[edge]), gap(*_ends(edge, outlines))))
    for _ in range(2):
        for edge in by_freedom:
            others = [chosen[other] for other in chosen if other != edge]
            chosen[edge] = min(candidates[edge], key=lambda c, o=others: c.effort + _conflict(c, o))  # type: ignore[misc]
    return {edge: chosen[edge].curve for edge in edges}


def routes_across(
    arrows: Sequence[Across],
    outlines: Mapping[str, RoundedBox],
    bends: Mapping[Edge, tuple[Point, ...]],
    band: float,
    laid: Mapping[Edge, Curve],
    label_width: Callable[[str], float],
) -> dict[Across, Curve]:
    """Curves for what is read across elements, beside the edges already laid.

    Where another arrow joins the same two nodes, far enough from it for the label between them.
    """
    chosen: dict[Across, Curve] = {}
    labels: list[RoundedBox] = []
    for arrow in arrows:
        edge = (arrow.parent, arrow.child)
        twin = any({*other[:2]} == {*edge} for other in (*laid, *chosen))
        half = label_width(arrow.label) / 2
        least = half + MARGIN if twin else 0.0
        foreign = [outline for name, outline in outlines.items() if name not in edge]
        found = _loops(outlines[arrow.parent], foreign) if edge[0] == edge[1] else None
        if not found and len(outlines) > LARGE:
            chosen[arrow] = _plain(edge, outlines, bends.get(edge, ()), least)
            continue
        found = found or _candidates(edge, outlines, bends.get(edge, ()), band, least)
        others = [_Candidate(curve, polyline(curve), 0.0) for curve in (*laid.values(), *chosen.values())]
        best = min(found, key=lambda c: c.effort + _conflict(c, others) + _covers(c, half, others, labels))
        labels.append(_middle(best, half))
        chosen[arrow] = best.curve
    return chosen


def _middle(candidate: _Candidate, half: float) -> RoundedBox:
    """About where a label will stand, `half` its width."""
    if candidate.side:
        far = (max if candidate.side > 0 else min)(candidate.path)
        return RoundedBox(far[0] + candidate.side * (half + 3.0), far[1], half, MARGIN, 0.0)
    x, y = (
        candidate.path[len(candidate.path) // 2]
        if len(candidate.path) > 2
        else between(candidate.path[0], candidate.path[-1], 0.5)
    )
    return RoundedBox(x, y, half, MARGIN, 0.0)


def _covers(candidate: _Candidate, half: float, others: list[_Candidate], labels: list[RoundedBox]) -> float:
    """Labels and arrows that the label would stand on, and arrows that begin where this one ends."""
    mine = _middle(candidate, half)
    met = sum(
        abs(mine.x - other.x) < half + other.half_width and abs(mine.y - other.y) < 3 * MARGIN for other in labels
    )
    path = candidate.path
    met += sum(gap(path[-1], o.path[0]) < MARGIN or gap(path[0], o.path[-1]) < MARGIN for o in others)
    return COVERED * met + UNDER_LABEL * sum(clearance(other.path, mine, 1.0) < 1.0 for other in others)


def _loops(outline: RoundedBox, foreign: Sequence[RoundedBox]) -> list[_Candidate]:
    """From a node to itself, on its right or its left: at half its height, or turned down or up a little."""
    found = []
    for turn, reach, spread, effort in LOOPS:
        for side in (1.0, -1.0):
            out, across = (side * cos(turn), sin(turn)), (-side * sin(turn), cos(turn))
            near, far = outline.half_height - 8.0, outline.half_height + 10.0 + reach
            x, y = outline.x + side * (outline.half_width - outline.half_height), outline.y
            curve = tuple(
                (x + ahead * out[0] + off * across[0], y + ahead * out[1] + off * across[1])
                for ahead, off in ((near, -8.0), (far, -spread), (far, spread), (near, 8.0))
            )
            outside = reverse(leaving(reverse(leaving(curve, outline)), outline))
            path = polyline(outside)
            hit = any(clearance(path, other, 1.0) < 1.0 for other in foreign)
            found.append(_Candidate(outside, path, effort + HIT * hit, side))
    return found


def _ends(edge: Edge, outlines: Mapping[str, RoundedBox]) -> tuple[Point, Point]:
    return outlines[edge[0]].centre, outlines[edge[1]].centre


def _plain(edge: Edge, outlines: Mapping[str, RoundedBox], bends: tuple[Point, ...], least: float = 0.0) -> Curve:
    """Straight, or through its bends, whatever is in the way; an arc where the middle has to stay off that."""
    start, end = _ends(edge, outlines)
    if least:
        return _between_outlines(edge, _arc(start, end, max(BULGES[0], least / gap(start, end))), outlines)
    return _between_outlines(edge, _smooth((start, *bends, end)) if bends else (start, end), outlines)


def _between_outlines(edge: Edge, curve: Curve, outlines: Mapping[str, RoundedBox]) -> Curve:
    return reverse(leaving(reverse(leaving(curve, outlines[edge[0]])), outlines[edge[1]]))


def _candidates(
    edge: Edge, outlines: Mapping[str, RoundedBox], bends: tuple[Point, ...], band: float, least: float = 0.0
) -> list[_Candidate]:
    """Courses for one edge, the gentlest first; a clear straight line needs no alternative, nor does a clear arc
    need a rounder one to its side. least: how far its middle has to stay off the straight line."""
    foreign = [outline for name, outline in outlines.items() if name not in edge]
    found: list[_Candidate] = []
    clear: set[str] = set()
    for kind, curve, effort in _courses(*_ends(edge, outlines), bends, band, least):
        if kind in clear:
            continue
        outside = _between_outlines(edge, curve, outlines)
        path = polyline(outside)
        room = min((clearance(path, outline, MARGIN) for outline in foreign), default=MARGIN)
        penalty = HIT if room < 1.0 else NEAR * (1 - room / MARGIN)
        found.append(_Candidate(outside, path, effort + penalty))
        if not penalty:
            clear.add(kind)
        if "line" in clear:
            break
    return found


def _conflict(candidate: _Candidate, others: list[_Candidate]) -> float:
    """Crossings with the other edges, and ends that lie on one another."""
    total = 0.0
    for other in others:
        total += CROSSING * crossings(candidate.path, other.path)
        total += ALONG * (_too_close(candidate.path, other.path))
    return total


def _too_close(first: list[Point], second: list[Point]) -> bool:
    """Two courses that end at the same spot of a node and come from nearly the same direction."""
    return gap(first[-1], second[-1]) < 5.0 or gap(first[0], second[0]) < 3.0


def _courses(
    start: Point, end: Point, bends: tuple[Point, ...], band: float, least: float
) -> Iterator[tuple[str, Curve, float]]:
    """Kinds of curves from centre to centre, each with how much it asks of the eye."""
    if least:
        bends = ()
    else:
        yield "line", (start, end), 0.0
    for bulge in (max(bulge, least / gap(start, end)) for bulge in BULGES):
        effort = 2.0 + DETOUR * bulge * gap(start, end)
        yield "arc left", _arc(start, end, bulge), effort
        yield "arc right", _arc(start, end, -bulge), effort
    if start[1] == end[1]:
        yield "over", _bridge(start, end, -1.0, band), 8.0
        yield "under", _bridge(start, end, 1.0, band), 8.0
        return
    if bends:
        yield "smooth", _smooth((start, *bends, end)), 4.0 + 2.0 * len(bends)
    yield "upright", _upright((start, *bends, end), band), 9.0 + 2.0 * len(bends) + (TWIN if least else 0.0)


def _arc(start: Point, end: Point, bulge: float) -> Curve:
    """A curve whose middle stands `bulge` of its length to the side."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    shift = 4.0 / 3.0 * bulge
    off = (-dy * shift, dx * shift)
    one, two = between(start, end, 0.3), between(start, end, 0.7)
    return (start, (one[0] + off[0], one[1] + off[1]), (two[0] + off[0], two[1] + off[1]), end)


def _bridge(start: Point, end: Point, side: float, band: float) -> Curve:
    """Over (side -1) or under a row, between two of its nodes: up, across, down, never back into the row."""
    level, lift = start[1] + side * band, side * LEVEL_LIFT
    first, last = (start[0], level), (end[0], level)
    over = (first, (first[0], level + lift), (last[0], level + lift), last)
    return joined([_straight(start, first), over, _straight(last, end)])


def _smooth(points: tuple[Point, ...]) -> Curve:
    """A curve through all points (Catmull-Rom, as cubic pieces)."""
    parts: list[Curve] = []
    for index in range(len(points) - 1):
        before, a = points[max(index - 1, 0)], points[index]
        b, after = points[index + 1], points[min(index + 2, len(points) - 1)]
        first = (a[0] + (b[0] - before[0]) / 6, a[1] + (b[1] - before[1]) / 6)
        second = (b[0] - (after[0] - a[0]) / 6, b[1] - (after[1] - a[1]) / 6)
        parts.append((a, first, second, b))
    return joined(parts)


def _upright(points: tuple[Point, ...], band: float) -> Curve:
    """Upright through the band of each row and bent only between rows, so that it can touch no node."""
    down = band if points[-1][1] > points[0][1] else -band
    parts = []
    for (x0, y0), (x1, y1) in pairwise(points):
        out, into = (x0, y0 + down), (x1, y1 - down)
        middle = (out[1] + into[1]) / 2
        parts += [_straight((x0, y0), out), (out, (x0, middle), (x1, middle), into), _straight(into, (x1, y1))]
    return joined(parts)


def _straight(a: Point, b: Point) -> Curve:
    """A straight cubic piece."""
    return (a, between(a, b, 1 / 3), between(a, b, 2 / 3), b)
