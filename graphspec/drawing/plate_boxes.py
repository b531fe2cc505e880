"""How much room plates take: between rows, above and below their nodes, and as boxes around places already chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphspec.drawing.coordinates import ROW_PITCH
from graphspec.drawing.geometry import RoundedBox
from graphspec.drawing.lettering import text_width
from graphspec.drawing.picture import Node, Picture, plate_label

NOTE_SIZE = 11.0
BOX_RADIUS = 9.0


@dataclass(frozen=True)
class Measures:
    """Sizes that differ between a page and a terminal, in pixels.

    shape: the outline of a node around the origin, as high for every node of a kind. row_pitch: from the centres of one
    row to those of the next, at least. side, head, foot: from a plate's nodes to its box. between: from a box to what
    is foreign. note_width, note_height: of what is written at an arrow, a node or a box. label_rise, label_inset: from
    a box's bottom to the middle of its label, and from its side to the label's end. shaft: of a level arrow, on either
    side of its label. beside_arrow, beside_cost: from an arrow to a label beside it, and what that costs.
    inset: from what is drawn or written in a box to its border, at least. loop_room: share of a loop's and its label's
    width that is kept free on both sides of its node.
    """

    shape: Callable[[Node], RoundedBox]
    row_pitch: float = ROW_PITCH
    side: float = 14.0
    head: float = 12.0
    foot: float = 22.0
    between: float = 14.0
    note_width: Callable[[str], float] = lambda text: text_width(text, NOTE_SIZE)
    note_height: float = 13.0
    label_rise: float = 11.0
    label_inset: float = 7.0
    shaft: float = 18.0
    beside_arrow: float = 4.0
    beside_cost: float = 5.0
    inset: float = 6.0
    loop_room: float = 1.0


def row_heights(
    picture: Picture, spans: Mapping[str, range], rows: int, band: float, measures: Measures
) -> list[float]:
    """Centre of each row, the top one's at 0: further apart where boxes end and begin in between.

    band: half the height of a row's nodes.
    """
    heights = [0.0][:rows]
    for rank in range(1, rows):
        ends = [foot(plate, picture, spans, measures) for plate, span in spans.items() if span[-1] == rank - 1]
        begins = [head(plate, picture, spans, measures) for plate, span in spans.items() if span[0] == rank]
        needed = 2 * band + max(ends, default=0.0) + max(begins, default=0.0) + measures.between
        heights.append(heights[-1] + max(measures.row_pitch, needed))
    return heights


def head(plate: str, picture: Picture, spans: Mapping[str, range], measures: Measures) -> float:
    """From the nodes of a plate's first row up to its box, boxes inside it between them."""
    inner = [name for name in inside(plate, picture) if spans[name][0] == spans[plate][0]]
    return measures.head + max((head(name, picture, spans, measures) for name in inner), default=0.0)


def foot(plate: str, picture: Picture, spans: Mapping[str, range], measures: Measures) -> float:
    """From the nodes of a plate's last row down to its box, boxes inside it between them."""
    inner = [name for name in inside(plate, picture) if spans[name][-1] == spans[plate][-1]]
    return measures.foot + max((foot(name, picture, spans, measures) for name in inner), default=0.0)


def inside(plate: str, picture: Picture) -> list[str]:
    """The plates right inside one."""
    return [name for name, other in picture.plates.items() if other.path[-2:-1] == (plate,)]


def narrowest(plate: str, picture: Picture, measures: Measures) -> float:
    """Width of a box that holds the plate's label."""
    return measures.note_width(plate_label(picture.plates[plate])) + 2 * measures.side


def box_of(left: float, right: float, top: float, bottom: float) -> RoundedBox:
    """A plate's box by its sides."""
    middle, centre = (left + right) / 2, (top + bottom) / 2
    return RoundedBox(middle, centre, (right - left) / 2, (bottom - top) / 2, BOX_RADIUS)
