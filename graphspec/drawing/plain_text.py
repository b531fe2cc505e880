"""The picture for a terminal: the same layout in characters, edges as Braille dots, and the factors in words."""

from dataclasses import replace
from itertools import pairwise
from math import atan2, ceil, floor, pi

from graphspec.drawing.geometry import Curve, Point, RoundedBox, between, gap, polyline
from graphspec.drawing.layout import Layout, lay_out
from graphspec.drawing.notes import Note
from graphspec.drawing.picture import LARGE, Formula, Node, Panel, Picture
from graphspec.drawing.plate_boxes import Measures
from graphspec.language import Role

CELL_WIDTH = 9.2
CELL_HEIGHT = 18.4
"""Pixels of one character."""
WIDEST = 100
"""A factor longer than this does not push the second column out."""
LINES_PER_ROW = 5
GUTTER = 6

_MARKS: dict[Role, tuple[str, str]] = {
    "observed": ("(▒", "▒)"),
    "supervised": ("(▒", " )"),
    "latent": ("( ", " )"),
    "deterministic": ("[ ", " ]"),
}
_ARROWS = "→↘↓↙←↖↑↗"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def to_text(picture: Picture, width: int = 80) -> str:
    """Both graphs side by side where `width` characters allow, else one above the other; then every factor. Of a large
    picture the factors alone."""
    factors = [line for panel in picture.panels for line in ("", *_factors(panel, width))]
    if len(picture.nodes) > LARGE:
        said = f"{len(picture.nodes)} variables are too many to draw in characters: `graphspec graph -o FILE.svg` does"
        return "\n".join([said, *factors]) + "\n"
    drawn = _drawn(picture, MEASURES)
    for closer in CLOSER:
        if _widest(drawn) > width:
            drawn = _drawn(picture, closer)
    wide = _widest(drawn)
    fits = 2 * wide + GUTTER <= width
    blocks = _beside(drawn[0], drawn[1], wide) if fits else [*drawn[0], "", *drawn[1]]
    return "\n".join([*blocks, "", *_legend(picture, width), *factors]) + "\n"


def _drawn(picture: Picture, measures: Measures) -> list[list[str]]:
    layout = lay_out(picture, measures)
    return [_Canvas(layout, index).lines() for index in (0, 1)]


def _widest(drawn: list[list[str]]) -> int:
    return max(len(line) for lines in drawn for line in lines)


def _label_outline(node: Node) -> RoundedBox:
    """The characters of a node's label, as a box."""
    return RoundedBox(0.0, 0.0, len(_label(node)) * CELL_WIDTH / 2, CELL_HEIGHT / 2, 0.0)


def _label(node: Node) -> str:
    before, after = _marks(node)
    return f"{before}{node.name}{after}"


def _marks(node: Node, *, summed: bool = False) -> tuple[str, str]:
    """The brackets of a node: square for functions, curly for what is summed out exactly."""
    before, after = _MARKS[node.role]
    opening, closing = ("[", "]") if node.square else ("{", "}") if summed else ("(", ")")
    return before.replace("(", opening), after.replace(")", closing)


def _beside(left: list[str], right: list[str], wide: int) -> list[str]:
    height = max(len(left), len(right))
    left, right = (lines + [""] * (height - len(lines)) for lines in (left, right))
    return [f"{a:<{wide + GUTTER}}{b}".rstrip() for a, b in zip(left, right, strict=True)]


def _legend(picture: Picture, width: int) -> list[str]:
    nodes = picture.nodes.values()
    present = {node.role for node in nodes if not node.certain}
    keys = [f"{before}{after} {role}" for role, (before, after) in _MARKS.items() if role in present]
    keys += ["".join(_marks(node)) + " certain" for node in nodes if node.certain][:1]
    keys += ["{  } exact"] if any(panel.summed for panel in picture.panels) else []
    return _filled("", keys, "   ", width, "")


def _factors(panel: Panel, width: int) -> list[str]:
    """`p(x | y, z)  bernoulli, decoder: mlp [500]`, the second column aligned; long lines go on in that column."""
    texts = [formula.text for formula in panel.formulas]
    wide = max((len(text) for text in texts if len(text) <= min(WIDEST, width // 2)), default=0)
    lines = [panel.title]
    for formula in panel.formulas:
        about = _about(formula).split(", ")
        lines += _filled(f"  {formula.text:<{wide}}  ", about, ", ", width, " " * (wide + 4))
    return lines


def _filled(start: str, parts: list[str], between: str, width: int, indent: str) -> list[str]:
    """Parts in lines no wider than `width`, where they allow it; a line that is full begins afresh after `indent`."""
    lines = [start]
    for place, part in enumerate(parts):
        text = part + (between if place < len(parts) - 1 else "")
        if lines[-1].strip() and len((lines[-1] + text).rstrip()) > width and len(indent) + len(text) <= width:
            lines.append(indent)
        lines[-1] += text
    return [line.rstrip() for line in lines if line.strip()]


def _about(formula: Formula) -> str:
    return "as in the other graph" if formula.borrowed else formula.about


MEASURES = Measures(
    _label_outline,
    row_pitch=LINES_PER_ROW * CELL_HEIGHT,
    side=2 * CELL_WIDTH,
    head=CELL_HEIGHT,
    foot=CELL_HEIGHT,
    between=2 * CELL_WIDTH,
    note_width=lambda text: len(text) * CELL_WIDTH,
    note_height=CELL_HEIGHT,
    label_rise=0.0,
    label_inset=2.5 * CELL_WIDTH,
    shaft=2 * CELL_WIDTH,
    beside_cost=25.0,
)
"""Borders and labels of boxes are characters too: a label stands in its box's bottom line."""
CLOSER = tuple(replace(MEASURES, loop_room=share, shaft=CELL_WIDTH) for share in (0.7, 0.5, 0.25))
"""For what is too wide otherwise, one after the other."""


class _Canvas:
    """One panel in characters: labels first, then edges wherever no label stands."""

    def __init__(self, layout: Layout, index: int) -> None:
        self.panel = layout.picture.panels[index]
        self.top = _first_row(layout)
        self.cells: dict[tuple[int, int], str] = {}
        self.taken: set[tuple[int, int]] = set()
        self.dots: dict[tuple[int, int], int] = {}
        for name in layout.outlines:
            self._put(layout, name, shown=name in self.panel.nodes)
        for note in (*layout.labels[index].values(), *layout.pointers[index].values()):
            self._write(note.text, note.outline)
        for curve in layout.routes[index].values():
            self._edge(curve)
        for arrow, note in layout.labels[index].items():
            self._edge(note.curve, dashed=arrow.dashed)
        for note in layout.pointers[index].values():
            self._edge(note.curve)
        for curve in layout.links[index].values():
            self._edge(curve, dashed=True)
        for plate, outline in layout.boxes.items():
            if any(plate in layout.picture.nodes[name].path for name in self.panel.nodes):
                self._box(outline, layout.corners[plate])

    def lines(self) -> list[str]:
        """Title and drawing, moved to the left margin."""
        ink = {cell: chr(0x2800 + bits) for cell, bits in self.dots.items()} | self.cells
        left = min((column for column, _ in {*ink, *self.taken}), default=0)
        bottom = max((row for _, row in self.cells), default=-1)
        rows = []
        for row in range(bottom + 1):
            columns = [column for column, at in ink if at == row]
            rows.append("".join(ink.get((c, row), " ") for c in range(left, max(columns, default=left) + 1)).rstrip())
        return [self.panel.title, "", *rows]

    def _put(self, layout: Layout, name: str, *, shown: bool) -> None:
        node = layout.picture.nodes[name]
        before, after = _marks(node, summed=name in self.panel.summed)
        self._write(f"{before}{name}{after}", layout.outlines[name], shown=shown)

    def _write(self, text: str, outline: RoundedBox, *, shown: bool = True) -> None:
        first, row = round(outline.x / CELL_WIDTH - len(text) / 2), self._cell(*outline.centre)[1]
        for offset, character in enumerate(text):
            self.taken.add((first + offset, row))
            if shown:
                self.cells[first + offset, row] = character

    def _box(self, outline: RoundedBox, label: Note) -> None:
        """A plate's border under whatever else stands there, and its label in the bottom line."""
        self._write(f" {label.text} ", label.outline)
        left, top = self._cell(outline.x - outline.half_width, outline.y - outline.half_height)
        right, bottom = self._cell(outline.x + outline.half_width, outline.y + outline.half_height)
        for column in range(left + 1, right):
            self._line(column, top, "─")
            self._line(column, bottom, "─")
        for row in range(top + 1, bottom):
            self._line(left, row, "│")
            self._line(right, row, "│")
        for column, row, corner in ((left, top, "╭"), (right, top, "╮"), (left, bottom, "╰"), (right, bottom, "╯")):
            self._line(column, row, corner)

    def _line(self, column: int, row: int, character: str) -> None:
        if (column, row) not in self.dots:
            self.cells.setdefault((column, row), character)

    def _edge(self, curve: Curve, *, dashed: bool = False) -> None:
        path = [
            between(a, b, step / steps)
            for a, b in pairwise(polyline(curve))
            for steps in [max(1, ceil(gap(a, b) / 2))]
            for step in range(steps + 1)
        ]
        free = [point for point in path if self._cell(*point) not in self.cells]
        if not free:
            return
        end = self._cell(*free[-1])
        for step, (x, y) in enumerate(free):
            if self._cell(x, y) != end and not (dashed and step % 10 > 5):
                column, row = self._dot(x, y)
                cell = (column // 2, row // 4)
                self.dots[cell] = self.dots.get(cell, 0) | _DOTS[row % 4][column % 2]
        self.cells.setdefault(end, _arrow_towards(path))

    def _dot(self, x: float, y: float) -> tuple[int, int]:
        """Column and row counted in Braille dots: two by four to a character."""
        return (floor(x / CELL_WIDTH * 2), floor((y - self.top) / CELL_HEIGHT * 4))

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        column, row = self._dot(x, y)
        return (column // 2, row // 4)


def _first_row(layout: Layout) -> float:
    """Where the first line begins, such that the centres of nodes fall on the middle of their lines."""
    highest = min((outline.y for outline in layout.outlines.values()), default=0.0)
    above = ceil(highest / CELL_HEIGHT - 0.5)
    return highest - (above + 0.5) * CELL_HEIGHT


def _arrow_towards(path: list[Point]) -> str:
    (x0, y0), (x1, y1) = path[max(0, len(path) - 12)], path[-1]
    return _ARROWS[round(atan2(y1 - y0, x1 - x0) / (pi / 4)) % 8]
