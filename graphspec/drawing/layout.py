"""One layout for both graphs: every node has one place, and each graph draws its own edges between those places.

From: `Picture`. To: `Layout`, with rows from `ranking`, orders from `ordering`, places from `coordinates` and the
course of each edge from `routing`. The same picture gives the same layout, to the last digit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

from graphspec.drawing.coordinates import ROW_PITCH, coordinates
from graphspec.drawing.geometry import Curve, Point, RoundedBox, crossings, polyline
from graphspec.drawing.lettering import line_width, name_runs
from graphspec.drawing.ordering import Bend, Item, Lattice, lattice, ordered
from graphspec.drawing.picture import Edge, Node, Panel, Picture
from graphspec.drawing.ranking import Ranks, ranks
from graphspec.drawing.routing import routes

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
    """

    picture: Picture
    outlines: Mapping[str, RoundedBox]
    routes: tuple[Mapping[Edge, Curve], Mapping[Edge, Curve]]
    width: float
    height: float
    rows: Mapping[str, int]


def lay_out(
    picture: Picture, shape: Callable[[Node], RoundedBox] | None = None, row_pitch: float = ROW_PITCH
) -> Layout:
    """Places for every node and courses for every edge of both graphs.

    shape: the outline of a node around the origin, as high for every node of a kind; left out, circles and squares.
    row_pitch: from the centres of one row to those of the next.
    """
    shape = shape or node_outline
    levels = ranks(picture) if picture.nodes else {}
    layout = _in_rows(picture, levels, shape, row_pitch)
    if len(picture.nodes) > SECOND_LOOK or not (crossed := _crossings(layout)):
        return layout
    other = ranks(picture, strict=True)
    if other == levels:
        return layout
    second = _in_rows(picture, other, shape, row_pitch)
    return second if _crossings(second) < crossed else layout


def _in_rows(picture: Picture, levels: Ranks, shape: Callable[[Node], RoundedBox], row_pitch: float) -> Layout:
    grid = lattice(picture, levels)
    shapes = {name: shape(node) for name, node in picture.nodes.items()}
    places = coordinates(grid, ordered(grid), shapes, row_pitch)
    outlines = {name: outline.moved(*places[name]) for name, outline in shapes.items()}
    first, second = (_panel_routes(panel, outlines, grid, places) for panel in picture.panels)
    return _framed(picture, outlines, (first, second), levels)


def _crossings(layout: Layout) -> int:
    """Edges that cross, over both panels."""
    panels = [[polyline(curve) for curve in routes.values()] for routes in layout.routes]
    return sum(crossings(a, b) for paths in panels for a, b in combinations(paths, 2))


def node_outline(node: Node) -> RoundedBox:
    """A circle or a square around the origin, wide enough for the name."""
    half = line_width(name_runs(node.name), LABEL_SIZE) / 2 + LABEL_PADDING
    if node.role == "deterministic":
        return RoundedBox(0.0, 0.0, round(max(SQUARE_RADIUS, half), 1), SQUARE_RADIUS, 3.0)
    return RoundedBox(0.0, 0.0, round(max(NODE_RADIUS, half), 1), NODE_RADIUS, NODE_RADIUS)


def _panel_routes(
    panel: Panel, outlines: Mapping[str, RoundedBox], grid: Lattice, places: Mapping[Item, Point]
) -> dict[Edge, Curve]:
    bends: dict[Edge, tuple[Point, ...]] = {}
    passing: dict[frozenset[str], list[Point]] = {}
    for item in grid.sides:
        if isinstance(item, Bend) and item in places:
            passing.setdefault(frozenset((item.upper, item.lower)), []).append(places[item])
    for parent, child in panel.edges:
        found = passing.get(frozenset((parent, child)), [])
        downward = outlines[parent].y < outlines[child].y
        bends[parent, child] = tuple(sorted(found, key=lambda point: point[1], reverse=not downward))
    visible = {name: outlines[name] for name in panel.nodes}
    band = max((outline.half_height for outline in outlines.values()), default=0.0)
    return routes(panel.edges, visible, bends, band)


def _framed(
    picture: Picture,
    outlines: Mapping[str, RoundedBox],
    courses: tuple[dict[Edge, Curve], dict[Edge, Curve]],
    rows: Mapping[str, int],
) -> Layout:
    """Everything moved so that nothing, curves included, lies left of or above the origin."""
    points = [point for panel in courses for curve in panel.values() for point in polyline(curve)]
    xs = [x for o in outlines.values() for x in (o.x - o.half_width, o.x + o.half_width)] + [x for x, _ in points]
    ys = [y for o in outlines.values() for y in (o.y - o.half_height, o.y + o.half_height)] + [y for _, y in points]
    left, top = round(min(xs, default=0.0) - 0.05, 1), round(min(ys, default=0.0) - 0.05, 1)
    moved = {name: _rounded(outline.moved(-left, -top)) for name, outline in outlines.items()}
    first, second = (
        {edge: tuple((x - left, y - top) for x, y in curve) for edge, curve in panel.items()} for panel in courses
    )
    return Layout(picture, moved, (first, second), max(xs, default=0.0) - left, max(ys, default=0.0) - top, rows)


def _rounded(outline: RoundedBox) -> RoundedBox:
    return RoundedBox(round(outline.x, 1), round(outline.y, 1), outline.half_width, outline.half_height, outline.radius)
