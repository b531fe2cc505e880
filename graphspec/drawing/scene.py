"""The whole picture as shapes at absolute places: what svg, png, pdf and tikz have in common.

From: `Layout`. To: `Scene`. Not here: file syntax.
"""

from dataclasses import dataclass
from math import hypot
from typing import Literal

from graphspec.drawing.geometry import Curve, Point, RoundedBox, shortened
from graphspec.drawing.layout import LABEL_SIZE, Layout
from graphspec.drawing.lettering import (
    Line,
    Run,
    formula_runs,
    function_runs,
    line_width,
    name_runs,
    text_width,
    wrapped,
)
from graphspec.drawing.notes import Note
from graphspec.drawing.picture import Edge, Formula, Panel
from graphspec.drawing.plate_boxes import NOTE_SIZE
from graphspec.graphs.graph import Side
from graphspec.language import Role

INK = "#1a1a1a"
QUIET = "#5a5a5a"
RULE = "#d0d0d0"
GREY = "#b9b9b9"
PAPER = "#ffffff"
STROKE = 1.4

MARGIN = 22.0
PANEL_GAP = 64.0
TITLE_SIZE = 14.0
CAPTION_SIZE = 12.5
CAPTION_WIDTH = 230.0
LINE_HEIGHT = 1.5
LEGEND_SIZE = 11.0
ARROW_LENGTH = 9.0
ARROW_HALF_WIDTH = 3.6
DASH = (5.0, 3.5)
"""Pixels of a dashed shaft that are drawn, and that are not."""
BORDER = "#8a8a8a"
BORDER_STROKE = 1.1

Fill = Literal["none", "half", "full"]
FILLS: dict[Role, Fill] = {"observed": "full", "supervised": "half", "latent": "none", "deterministic": "none"}
"""Plate notation: grey is observed, half-grey is observed in some rows, a square is a function."""


@dataclass(frozen=True)
class Writing:
    """One line of text; `at` is its middle (or, anchor start, left end) at half the height of a capital."""

    runs: Line
    at: Point
    size: float
    colour: str = INK
    bold: bool = False
    anchor: Literal["middle", "start"] = "middle"


@dataclass(frozen=True)
class Disc:
    """One node: outline, fill of its (left half or whole) inside, its name, and what a reader may want to know."""

    name: str
    outline: RoundedBox
    fill: Fill
    label: Writing
    about: tuple[str, ...]


@dataclass(frozen=True)
class Dart:
    """One edge: the whole curve, and as two shapes: a shaft that ends inside the head, and the head's tip, left and
    right corner. Curve and tip end on the child's outline."""

    edge: Edge
    curve: Curve
    shaft: Curve
    head: tuple[Point, Point, Point]
    dashed: bool = False


@dataclass(frozen=True)
class Tag:
    """What is written at an arrow, on a ground that hides what is under it: the views, or the plate it comes from."""

    edge: Edge
    ground: RoundedBox
    text: Writing


@dataclass(frozen=True)
class Frame:
    """The box of a plate and its label."""

    plate: str
    outline: RoundedBox
    label: Writing


@dataclass(frozen=True)
class PanelScene:
    """One graph with its title above and its factors below."""

    side: Side
    discs: tuple[Disc, ...]
    arrows: tuple[Dart, ...]
    writings: tuple[Writing, ...]
    frames: tuple[Frame, ...] = ()
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True)
class Scene:
    """Everything to draw, in pixels; `legend` explains the roles that occur."""

    name: str
    description: str
    width: float
    height: float
    panels: tuple[PanelScene, PanelScene]
    rule: tuple[Point, Point]
    legend: tuple[tuple[RoundedBox, Fill, Writing], ...]


def scene_of(layout: Layout) -> Scene:
    """Two panels of equal size side by side, a rule between, a legend below."""
    panels = layout.picture.panels
    widest_title = max(text_width(panel.title, TITLE_SIZE, bold=True) for panel in panels)
    width = max(layout.width, widest_title, CAPTION_WIDTH if layout.width > 120 else 170.0)
    captions = [_caption(panel, width) for panel in panels]
    width = max([width, *(line_width(line, CAPTION_SIZE) for caption in captions for line in caption)])
    top = MARGIN + TITLE_SIZE + 18.0
    caption_top = top + layout.height + 26.0
    lines = max(len(caption) for caption in captions)
    legend_top = caption_top + lines * CAPTION_SIZE * LINE_HEIGHT + 12.0
    total = 2 * MARGIN + 2 * width + PANEL_GAP
    lefts = (MARGIN, MARGIN + width + PANEL_GAP)
    scenes = [_panel(layout, index, left, width, top, caption_top, captions[index]) for index, left in enumerate(lefts)]
    legend = _legend(layout, total, legend_top)
    middle = total / 2
    return Scene(
        layout.picture.name,
        layout.picture.description,
        round(total, 1),
        round(legend_top + LEGEND_SIZE + MARGIN, 1),
        (scenes[0], scenes[1]),
        ((middle, MARGIN), (middle, legend_top - 24.0)),
        legend,
    )


def _panel(
    layout: Layout, index: int, left: float, width: float, top: float, caption_top: float, caption: tuple[Line, ...]
) -> PanelScene:
    panel = layout.picture.panels[index]
    centre = left + width / 2
    dx = left + (width - layout.width) / 2
    title = Writing((Run(panel.title),), (centre, MARGIN + TITLE_SIZE / 2), TITLE_SIZE, bold=True)
    below = tuple(
        Writing(line, (centre, caption_top + row * CAPTION_SIZE * LINE_HEIGHT), CAPTION_SIZE, QUIET)
        for row, line in enumerate(caption)
    )
    discs = tuple(_disc(layout, panel, name, dx, top) for name in panel.nodes)
    arrows = [_arrow(edge, _moved(curve, dx, top)) for edge, curve in layout.routes[index].items()]
    tags = []
    for across, note in layout.labels[index].items():
        arrows.append(_arrow(across[:2], _moved(note.curve, dx, top), dashed=across.dashed))
        tags.append(_tag(across[:2], note.moved(dx, top)))
    for name, note in layout.pointers[index].items():
        arrows.append(_arrow((note.text, name), _moved(note.curve, dx, top)))
        tags.append(_tag((note.text, name), note.moved(dx, top)))
    frames = _frames(layout, panel, dx, top)
    return PanelScene(panel.side, discs, tuple(arrows), (title, *below), frames, tuple(tags))


def _frames(layout: Layout, panel: Panel, dx: float, dy: float) -> tuple[Frame, ...]:
    """Boxes of the plates that this panel has nodes of, outer ones first."""
    used = {plate for name in panel.nodes for plate in layout.picture.nodes[name].path}
    plates = sorted(used, key=lambda plate: (len(layout.picture.plates[plate].path), plate))
    return tuple(
        Frame(plate, layout.boxes[plate].moved(dx, dy), _note(layout.corners[plate].moved(dx, dy))) for plate in plates
    )


def _tag(edge: Edge, note: Note) -> Tag:
    return Tag(edge, note.outline, _note(note))


def _note(note: Note) -> Writing:
    return Writing((Run(note.text),), note.outline.centre, NOTE_SIZE, QUIET)


def _disc(layout: Layout, panel: Panel, name: str, dx: float, dy: float) -> Disc:
    node, outline = layout.picture.nodes[name], layout.outlines[name].moved(dx, dy)
    label = Writing(name_runs(name), outline.centre, LABEL_SIZE)
    formula = panel.formula(name)
    told = () if formula is None else (f"{formula.text}  {formula.about}",)
    return Disc(name, outline, FILLS[node.role], label, (node.about, *told))


def _moved(curve: Curve, dx: float, dy: float) -> Curve:
    return tuple((x + dx, y + dy) for x, y in curve)


def _arrow(edge: Edge, curve: Curve, *, dashed: bool = False) -> Dart:
    """The head points the way its last stretch runs; the shaft reaches a little into the head, so no gap shows."""
    tip, shaft = curve[-1], shortened(curve, ARROW_LENGTH)
    base = shaft[-1]
    length = hypot(tip[0] - base[0], tip[1] - base[1]) or 1.0
    across = (-(tip[1] - base[1]) / length * ARROW_HALF_WIDTH, (tip[0] - base[0]) / length * ARROW_HALF_WIDTH)
    left, right = (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])
    return Dart(edge, curve, shortened(curve, ARROW_LENGTH - 1.5), (tip, left, right), dashed)


def formula_line(formula: Formula) -> Line:
    """A factor as it is set in print."""
    if not formula.head:
        return function_runs(formula.variable, formula.parents)
    return formula_runs(formula.head, formula.variable, formula.parents)


def _caption(panel: Panel, width: float) -> tuple[Line, ...]:
    """The factorisation, functions left out."""
    factors = tuple(formula_line(formula) for formula in panel.formulas if formula.head)
    return wrapped(factors, CAPTION_SIZE, width)


_MEANINGS: dict[Role, str] = {
    "observed": "observed",
    "supervised": "supervised: labelled in some rows",
    "latent": "latent",
    "deterministic": "deterministic",
}


def _legend(layout: Layout, total: float, top: float) -> tuple[tuple[RoundedBox, Fill, Writing], ...]:
    present = {node.role for node in layout.picture.nodes.values()}
    roles = [role for role in _MEANINGS if role in present]
    widths = [18.0 + text_width(_MEANINGS[role], LEGEND_SIZE) for role in roles]
    left = (total - sum(widths) - 20.0 * (len(roles) - 1)) / 2
    entries = []
    for role, width in zip(roles, widths, strict=True):
        radius = 1.0 if role == "deterministic" else 6.0
        half = 5.5 if role == "deterministic" else 6.0
        mark = RoundedBox(left + 6.0, top, half, half, min(radius, half))
        text = Writing((Run(_MEANINGS[role]),), (left + 18.0, top), LEGEND_SIZE, QUIET, anchor="start")
        entries.append((mark, FILLS[role], text))
        left += width + 20.0
    return tuple(entries)
