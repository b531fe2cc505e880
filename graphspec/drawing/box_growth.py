"""Boxes of plates made larger, so that arrows between their own nodes, and what is written at these, stand inside.

Boxes are first as tight as nodes allow. Each side then moves out as far as arrows and texts need, and no further than
what is foreign allows.
"""

from collections.abc import Iterator, Mapping, Sequence

from graphspec.drawing.geometry import Box, Curve, RoundedBox, box, polyline
from graphspec.drawing.notes import Note
from graphspec.drawing.picture import Across, Edge, Picture
from graphspec.drawing.plate_boxes import Measures, box_of

Courses = Mapping[Edge, Curve]


def grown(
    picture: Picture,
    boxes: Mapping[str, RoundedBox],
    outlines: Mapping[str, RoundedBox],
    courses: Sequence[Courses],
    labels: Sequence[Mapping[Across, Note]],
    pointers: Sequence[Mapping[str, Note]],
    measures: Measures,
) -> dict[str, RoundedBox]:
    """The boxes, inner ones first made larger where that keeps every distance to what is foreign."""
    found = dict(boxes)
    for plate in sorted(boxes, key=lambda name: -len(picture.plates[name].path)):
        inside = {name for name, node in picture.nodes.items() if plate in node.path}
        wanted = [_edges(found[plate])]
        for laid, across, places in zip(courses, labels, pointers, strict=True):
            wanted += [box(polyline(curve)) for edge, curve in laid.items() if inside.issuperset(edge)]
            for arrow, note in across.items():
                if inside.issuperset(arrow[:2]):
                    wanted += [box(polyline(note.curve)), _edges(note.outline)]
            wanted += [_edges(note.outline) for name, note in places.items() if name in inside]
        wanted = [wanted[0], *(_widened(each, measures.inset) for each in wanted[1:])]
        inner = [name for name in boxes if plate in picture.plates[name].path[:-1]]
        wanted += [_widened(_edges(found[name]), measures.side) for name in inner]
        foreign = [outline for name, outline in outlines.items() if name not in inside]
        related = {*inner, *picture.plates[plate].path}
        foreign += [found[name] for name in boxes if name not in related]
        found[plate] = _moved_out(_edges(found[plate]), wanted, foreign, measures.between)
    return found if _nested(picture, found, measures.side) else dict(boxes)


def _moved_out(now: Box, wanted: Sequence[Box], foreign: Sequence[RoundedBox], between: float) -> RoundedBox:
    left, top, right, bottom = now
    around = [_widened(_edges(outline), between) for outline in foreign]
    level = [each for each in around if each[1] < bottom and each[3] > top]
    left = min(left, max([min(each[0] for each in wanted), *(e[2] for e in level if e[2] <= left + between)]))
    right = max(right, min([max(each[2] for each in wanted), *(e[0] for e in level if e[0] >= right - between)]))
    upright = [each for each in around if each[0] < right and each[2] > left]
    top = min(top, max([min(each[1] for each in wanted), *(e[3] for e in upright if e[3] <= top + between)]))
    bottom = max(bottom, min([max(each[3] for each in wanted), *(e[1] for e in upright if e[1] >= bottom - between)]))
    return box_of(left, right, top, bottom)


def _nested(picture: Picture, boxes: Mapping[str, RoundedBox], margin: float) -> bool:
    """Every box still holds those inside of it."""
    return all(
        _holds(_edges(boxes[outer]), _edges(boxes[inner]), margin * 0.7) for outer, inner in _pairs(picture, boxes)
    )


def _pairs(picture: Picture, boxes: Mapping[str, RoundedBox]) -> Iterator[tuple[str, str]]:
    return ((outer, inner) for inner in boxes for outer in picture.plates[inner].path[:-1])


def _holds(outer: Box, inner: Box, margin: float) -> bool:
    near = inner[0] - outer[0], inner[1] - outer[1], outer[2] - inner[2], outer[3] - inner[3]
    return min(near) >= margin


def _edges(outline: RoundedBox) -> Box:
    return box([(outline.x + s * outline.half_width, outline.y + s * outline.half_height) for s in (-1, 1)])


def _widened(edges: Box, by: float) -> Box:
    return (edges[0] - by, edges[1] - by, edges[2] + by, edges[3] + by)
