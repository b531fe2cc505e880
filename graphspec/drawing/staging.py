"""A layout set on a page: two panels, what stands above and below them, and what the looks of nodes mean.

From: `Layout`. To: `Scene`.
"""

from collections.abc import Iterator
from math import hypot

from graphspec.drawing.geometry import Curve, RoundedBox, shortened
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
from graphspec.drawing.picture import Edge, Formula, Panel, Picture
from graphspec.drawing.plate_boxes import NOTE_SIZE
from graphspec.drawing.scene import (
    FILLS,
    QUIET,
    Dart,
    Disc,
    Fill,
    Frame,
    Key,
    Kind,
    Mark,
    PanelScene,
    Scene,
    Tag,
    Writing,
)
from graphspec.language import Role

MARGIN = 22.0
PANEL_GAP = 64.0
TITLE_SIZE = 14.0
CAPTION_SIZE = 12.5
CAPTION_WIDTH = 230.0
LINE_HEIGHT = 1.5
LEGEND_SIZE = 11.0
LEGEND_PITCH = 1.8
ARROW_LENGTH = 9.0
ARROW_HALF_WIDTH = 3.6


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
    legend_bottom = max((key.outline.y for key in legend), default=legend_top)
    middle = total / 2
    return Scene(
        layout.picture.name,
        layout.picture.description,
        round(total, 1),
        round(legend_bottom + LEGEND_SIZE + MARGIN, 1),
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
        arrows.append(_arrow(across[:2], _moved(note.curve, dx, top), "neighbour" if across.dashed else "edge"))
        tags.append(_tag(across[:2], note.moved(dx, top)))
    for name, note in layout.pointers[index].items():
        arrows.append(_arrow((note.text, name), _moved(note.curve, dx, top)))
        tags.append(_tag((note.text, name), note.moved(dx, top)))
    arrows += [_arrow(edge, _moved(line, dx, top), "count") for edge, line in layout.links[index].items()]
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
    mark: Mark = "ring" if name in panel.summed else "halo" if name in panel.weights else "none"
    return Disc(name, outline, FILLS[node.role], label, (node.about, *told), mark)


def _moved(curve: Curve, dx: float, dy: float) -> Curve:
    return tuple((x + dx, y + dy) for x, y in curve)


def _arrow(edge: Edge, curve: Curve, kind: Kind = "edge") -> Dart:
    """The head points the way its last stretch runs; the shaft reaches a little into the head, so no gap shows."""
    tip, shaft = curve[-1], shortened(curve, ARROW_LENGTH)
    base = shaft[-1]
    length = hypot(tip[0] - base[0], tip[1] - base[1]) or 1.0
    across = (-(tip[1] - base[1]) / length * ARROW_HALF_WIDTH, (tip[0] - base[0]) / length * ARROW_HALF_WIDTH)
    left, right = (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])
    return Dart(edge, curve, shortened(curve, ARROW_LENGTH - 1.5), (tip, left, right), kind)


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


def _looks(picture: Picture) -> Iterator[tuple[str, Fill, bool, Mark]]:
    """What the looks that occur mean: text, fill, whether it is a square, mark."""
    present = {node.role for node in picture.nodes.values() if not node.certain}
    yield from (
        (text, FILLS[role], role == "deterministic", "none") for role, text in _MEANINGS.items() if role in present
    )
    fills = [FILLS[node.role] for node in picture.nodes.values() if node.certain]
    if fills:
        yield "certain: a function, which may have labels", fills[0], True, "none"
    if any(panel.summed for panel in picture.panels):
        yield "exact: p's own posterior", "none", False, "ring"
    runs = {provenance for panel in picture.panels for provenance in panel.weights.values()}
    if runs:
        yield ", ".join(sorted({found.words for found in runs})), "none", False, "halo"


def _legend(layout: Layout, total: float, top: float) -> tuple[Key, ...]:
    """Keys side by side, in as many lines as they need."""
    looks = list(_looks(layout.picture))
    widths = [18.0 + text_width(look[0], LEGEND_SIZE) for look in looks]
    lines: list[list[int]] = [[]]
    for index, width in enumerate(widths):
        taken = sum(widths[other] + 20.0 for other in lines[-1])
        if lines[-1] and taken + width > total - 2 * MARGIN:
            lines.append([])
        lines[-1].append(index)
    keys = []
    for row, line in enumerate(lines):
        left = (total - sum(widths[index] for index in line) - 20.0 * (len(line) - 1)) / 2
        for index in line:
            keys.append(_key(*looks[index], left, top + row * LEGEND_SIZE * LEGEND_PITCH))
            left += widths[index] + 20.0
    return tuple(keys)


def _key(text: str, fill: Fill, square: bool, mark: Mark, left: float, top: float) -> Key:
    half, radius = (5.5, 1.0) if square else (6.0, 6.0)
    outline = RoundedBox(left + 6.0, top, half, half, radius)
    return Key(outline, fill, Writing((Run(text),), (left + 18.0, top), LEGEND_SIZE, QUIET, anchor="start"), mark)
