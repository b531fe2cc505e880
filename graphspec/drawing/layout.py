"""One layout for both graphs: every node has one place, and each graph draws its own edges between those places.

From: `Picture`. To: `Layout`, with rows from `ranking`, orders from `ordering`, places from `coordinates` and the
course of each edge from `routing`. The same picture gives the same layout, to the last digit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations

from graphspec.drawing.box_growth import grown
from graphspec.drawing.coordinates import coordinates
from graphspec.drawing.count_links import count_links
from graphspec.drawing.geometry import Curve, Point, RoundedBox, crossings, polyline
from graphspec.drawing.lettering import line_width, name_runs
from graphspec.drawing.notes import Note, beside, corners, panel_notes
from graphspec.drawing.ordering import Bend, Item, Lattice, lattice, ordered
from graphspec.drawing.picture import Across, Edge, Node, Panel, Picture
from graphspec.drawing.plate_boxes import Measures, box_of, foot, head, row_heights
from graphspec.drawing.plate_places import plate_coordinates
from graphspec.drawing.plate_rows import grouped, in_plates, plate_ranks
from graphspec.drawing.ranking import Ranks, ranks
from graphspec.drawing.routing import routes, routes_across

NODE_RADIUS = 19.0
SQUARE_RADIUS = 17.0
LABEL_SIZE = 15.0
LABEL_PADDING = 10.0
SECOND_LOOK = 12
"""Nodes up to which a picture with crossings is tried with other rows too."""


@dataclass(frozen=True)
class Layout:
    """Places and courses in pixels, the origin at the top left of everything drawn in either panel.

    outlines: of every node, the same in both panels. routes: for each panel, edge -> curve from outline to outline.
    boxes: of plates, around their nodes in both panels, and their labels. labels: for each panel, what is read across
    elements, with its curve. pointers: for each panel, node -> plates whose place it reads. links: for each panel,
    lines from a count to the box of its plate.
    """

    picture: Picture
    outlines: Mapping[str, RoundedBox]
    routes: tuple[Mapping[Edge, Curve], Mapping[Edge, Curve]]
    width: float
    height: float
    rows: Mapping[str, int]
    boxes: Mapping[str, RoundedBox] = field(default_factory=dict)
    corners: Mapping[str, Note] = field(default_factory=dict)
    labels: tuple[Mapping[Across, Note], ...] = ({}, {})
    pointers: tuple[Mapping[str, Note], ...] = ({}, {})
    links: tuple[Mapping[tuple[str, str], Curve], ...] = ({}, {})


def lay_out(picture: Picture, measures: Measures | None = None) -> Layout:
    """Places for every node and courses for every edge of both graphs; measures: left out, those of a page."""
    measures = measures or Measures(node_outline)
    levels = ranks(picture) if picture.nodes else {}
    layout = _in_rows(picture, levels, measures)
    if len(picture.nodes) > SECOND_LOOK or not (crossed := _crossings(layout)):
        return layout
    other = ranks(picture, strict=True)
    if other == levels:
        return layout
    second = _in_rows(picture, other, measures)
    return second if _crossings(second) < crossed else layout


def _in_rows(picture: Picture, levels: Ranks, measures: Measures) -> Layout:
    grid = lattice(picture, levels)
    shapes = {name: measures.shape(node) for name, node in picture.nodes.items()}
    boxes: dict[str, RoundedBox] = {}
    if picture.plates:
        grid, places, boxes = _in_boxes(picture, grid, levels, shapes, measures)
    else:
        places = coordinates(grid, ordered(grid), shapes, measures.row_pitch)
    outlines = {name: outline.moved(*places[name]) for name, outline in shapes.items()}
    layout = Layout(picture, outlines, ({}, {}), 0.0, 0.0, levels, boxes)
    return _framed(_with_courses(layout, grid, places, measures))


def _in_boxes(
    picture: Picture, grid: Lattice, levels: Ranks, shapes: Mapping[str, RoundedBox], measures: Measures
) -> tuple[Lattice, dict[Item, Point], dict[str, RoundedBox]]:
    """Places where plates stand in boxes of their own."""
    spans = plate_ranks(picture, levels)
    grid, rows = in_plates(grid, picture, spans), ordered(grid)
    room = beside(picture, levels, measures)
    rooms = {name: replace(shape, half_width=shape.half_width + room[name]) for name, shape in shapes.items()}
    across, sides = plate_coordinates(picture, grid, grouped(grid, rows), rooms, measures)
    band = max(shape.half_height for shape in shapes.values())
    heights = row_heights(picture, spans, len(grid.rows), band, measures)
    row_of = {item: index for index, row in enumerate(grid.rows) for item in row}
    boxes = {}
    for plate, (left, right) in sides.items():
        top = heights[spans[plate][0]] - band - head(plate, picture, spans, measures)
        bottom = heights[spans[plate][-1]] + band + foot(plate, picture, spans, measures)
        boxes[plate] = box_of(left, right, top, bottom)
    return grid, {item: (x, heights[row_of[item]]) for item, x in across.items()}, boxes


def _with_courses(layout: Layout, grid: Lattice, places: Mapping[Item, Point], measures: Measures) -> Layout:
    """Every arrow of both panels, what is written, and boxes that hold all of it."""
    picture, outlines = layout.picture, layout.outlines
    band = max((outline.half_height for outline in outlines.values()), default=0.0)
    courses: list[dict[Edge, Curve]] = []
    across: list[dict[Across, Curve]] = []
    for panel in picture.panels:
        bends = _bends(panel, outlines, grid, places)
        visible = {name: outlines[name] for name in panel.nodes}
        courses.append(routes(panel.edges, visible, bends, band))
        across.append(routes_across(panel.across, visible, bends, band, courses[-1], measures.note_width))
    noted = _with_notes(layout, courses, across, measures)
    boxes = grown(picture, layout.boxes, outlines, courses, noted.labels, noted.pointers, measures)
    return noted if boxes == layout.boxes else _with_notes(replace(layout, boxes=boxes), courses, across, measures)


def _with_notes(
    layout: Layout, courses: list[dict[Edge, Curve]], across: list[dict[Across, Curve]], measures: Measures
) -> Layout:
    """What is written at arrows, nodes and boxes, and lines from counts to boxes."""
    picture = layout.picture
    drawn = [curve for laid, found in zip(courses, across, strict=True) for curve in (*laid.values(), *found.values())]
    labelled = corners(picture, layout.boxes, drawn, measures)
    notes, links = [], []
    for panel, laid, found in zip(picture.panels, courses, across, strict=True):
        visible = {name: layout.outlines[name] for name in panel.nodes}
        curves = [*laid.values(), *found.values()]
        solid = [note.outline for note in labelled.values()]
        links.append(count_links(panel, visible, layout.boxes, solid, curves))
        others = [*laid.values(), *links[-1].values()]
        notes.append(panel_notes(panel, found, visible, others, labelled, layout.boxes, measures))
    (labels, pointers), (other_labels, other_pointers) = notes
    return replace(
        layout, routes=(courses[0], courses[1]), corners=labelled,
        labels=(labels, other_labels), pointers=(pointers, other_pointers), links=(links[0], links[1]),
    )  # fmt: skip


def _crossings(layout: Layout) -> int:
    """Edges that cross, over both panels."""
    panels = [
        [polyline(curve) for curve in (*laid.values(), *(note.curve for note in across.values()))]
        for laid, across in zip(layout.routes, layout.labels, strict=True)
    ]
    return sum(crossings(a, b) for paths in panels for a, b in combinations(paths, 2))


def node_outline(node: Node) -> RoundedBox:
    """A circle or a square around the origin, wide enough for the name."""
    half = line_width(name_runs(node.name), LABEL_SIZE) / 2 + LABEL_PADDING
    if node.square:
        return RoundedBox(0.0, 0.0, round(max(SQUARE_RADIUS, half), 1), SQUARE_RADIUS, 3.0)
    return RoundedBox(0.0, 0.0, round(max(NODE_RADIUS, half), 1), NODE_RADIUS, NODE_RADIUS)


def _bends(
    panel: Panel, outlines: Mapping[str, RoundedBox], grid: Lattice, places: Mapping[Item, Point]
) -> dict[Edge, tuple[Point, ...]]:
    """Where the edges of a panel pass rows, from parent to child."""
    bends: dict[Edge, tuple[Point, ...]] = {}
    passing: dict[frozenset[str], list[Point]] = {}
    for item in grid.sides:
        if isinstance(item, Bend) and item in places:
            passing.setdefault(frozenset((item.upper, item.lower)), []).append(places[item])
    for parent, child in panel.pairs:
        found = passing.get(frozenset((parent, child)), [])
        downward = outlines[parent].y < outlines[child].y
        bends[parent, child] = tuple(sorted(found, key=lambda point: point[1], reverse=not downward))
    return bends


def _framed(layout: Layout) -> Layout:
    """Everything moved so that nothing, curves included, lies left of or above the origin."""
    notes = list(layout.corners.values())
    for labels, pointers in zip(layout.labels, layout.pointers, strict=True):
        notes += [*labels.values(), *pointers.values()]
    solid = [*layout.outlines.values(), *layout.boxes.values(), *(note.outline for note in notes)]
    curves = [*(curve for panel in layout.routes for curve in panel.values()), *(n.curve for n in notes if n.curve)]
    curves += [curve for panel in layout.links for curve in panel.values()]
    points = [point for curve in curves for point in polyline(curve)]
    xs = [x for o in solid for x in (o.x - o.half_width, o.x + o.half_width)] + [x for x, _ in points]
    ys = [y for o in solid for y in (o.y - o.half_height, o.y + o.half_height)] + [y for _, y in points]
    left, top = round(min(xs, default=0.0) - 0.05, 1), round(min(ys, default=0.0) - 0.05, 1)
    first, second = (
        {edge: tuple((x - left, y - top) for x, y in curve) for edge, curve in panel.items()} for panel in layout.routes
    )
    return replace(
        layout,
        outlines={name: _rounded(outline.moved(-left, -top)) for name, outline in layout.outlines.items()},
        routes=(first, second),
        width=max(xs, default=0.0) - left,
        height=max(ys, default=0.0) - top,
        boxes={plate: outline.moved(-left, -top) for plate, outline in layout.boxes.items()},
        corners={plate: note.moved(-left, -top) for plate, note in layout.corners.items()},
        labels=tuple({key: note.moved(-left, -top) for key, note in found.items()} for found in layout.labels),
        pointers=tuple({key: note.moved(-left, -top) for key, note in found.items()} for found in layout.pointers),
        links=tuple(
            {key: tuple((x - left, y - top) for x, y in curve) for key, curve in found.items()}
            for found in layout.links
        ),
    )


def _rounded(outline: RoundedBox) -> RoundedBox:
    return RoundedBox(round(outline.x, 1), round(outline.y, 1), outline.half_width, outline.half_height, outline.radius)
