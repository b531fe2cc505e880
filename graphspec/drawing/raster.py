"""The scene as PNG or PDF through matplotlib, which is imported only when one of them is asked for."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from graphspec.drawing.geometry import Curve, RoundedBox, contour, resized
from graphspec.drawing.lettering import SUBSCRIPT, line_width
from graphspec.drawing.scene import (
    BORDER,
    BORDER_STROKE,
    DASHES,
    GREY,
    HALO,
    HALO_WIDTH,
    INK,
    PAPER,
    QUIET,
    RING,
    RULE,
    STROKE,
    Dart,
    Fill,
    Frame,
    Mark,
    Scene,
    Tag,
    Writing,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WRITTEN_BY = "written by graphspec"
"""Stands in every picture, so that only what graphspec wrote is overwritten."""
SCALE = 2.5
"""PNG pixels for one pixel of the scene."""
_UNITS_PER_INCH = 72
_BASELINE = 0.36
_DROP = 0.22


def to_raster(scene: Scene, kind: Literal["png", "pdf"]) -> bytes:
    """The file's bytes; the same scene gives the same bytes (no dates inside)."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(scene.width / _UNITS_PER_INCH, scene.height / _UNITS_PER_INCH), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
    axes.set_axis_off()
    _draw(axes, scene)
    file = BytesIO()
    known = {"CreationDate": None, "Keywords": WRITTEN_BY} if kind == "pdf" else {"Software": WRITTEN_BY}
    with matplotlib.rc_context({"pdf.fonttype": 42, "font.family": "DejaVu Sans"}):
        figure.savefig(file, format=kind, dpi=SCALE * _UNITS_PER_INCH, metadata=known)
    return file.getvalue()


def _draw(axes: Axes, scene: Scene) -> None:
    (x0, y0), (x1, y1) = scene.rule
    axes.plot([x0, x1], [y0, y1], color=RULE, linewidth=1)
    for panel in scene.panels:
        for frame in panel.frames:
            _frame(axes, frame)
        for arrow in panel.arrows:
            _arrow(axes, arrow)
        for tag in panel.tags:
            _tag(axes, tag)
        for disc in panel.discs:
            _shape(axes, disc.outline, disc.fill, disc.mark)
            _write(axes, disc.label)
        for writing in panel.writings:
            _write(axes, writing)
    for key in scene.legend:
        _shape(axes, key.outline, key.fill, key.mark)
        _write(axes, key.text)


def _frame(axes: Axes, frame: Frame) -> None:
    from matplotlib.patches import PathPatch

    path = _path(contour(frame.outline))
    axes.add_patch(PathPatch(path, facecolor="none", edgecolor=BORDER, linewidth=BORDER_STROKE))
    _write(axes, frame.label)


def _tag(axes: Axes, tag: Tag) -> None:
    from matplotlib.patches import PathPatch

    axes.add_patch(PathPatch(_path(contour(tag.ground)), facecolor=PAPER, linewidth=0))
    _write(axes, tag.text)


def _arrow(axes: Axes, arrow: Dart) -> None:
    from matplotlib.patches import PathPatch, Polygon

    dash, ink = DASHES[arrow.kind], QUIET if arrow.kind == "count" else INK
    dashes = (0, tuple(length / STROKE for length in dash)) if dash else "solid"  # in widths of the line
    axes.add_patch(PathPatch(_path(arrow.shaft), facecolor="none", edgecolor=ink, linewidth=STROKE, capstyle="butt",
                             linestyle=dashes))  # fmt: skip
    axes.add_patch(Polygon(arrow.head, closed=True, facecolor=ink, linewidth=0))


def _path(curve: Curve) -> Any:
    from matplotlib.path import Path

    step = Path.LINETO if len(curve) == 2 else Path.CURVE4
    return Path(list(curve), [Path.MOVETO, *[step] * (len(curve) - 1)])


def _shape(axes: Axes, outline: RoundedBox, fill: Fill, mark: Mark) -> None:
    from matplotlib.patches import PathPatch, Rectangle

    if mark == "halo":
        axes.add_patch(PathPatch(_path(contour(resized(outline, HALO_WIDTH))), facecolor=HALO, linewidth=0))
    path = _path(contour(outline))
    ground = axes.add_patch(PathPatch(path, facecolor=GREY if fill == "full" else PAPER, linewidth=0))
    if fill == "half":
        left = (outline.x - outline.half_width, outline.y - outline.half_height)
        half = Rectangle(left, outline.half_width, 2 * outline.half_height, facecolor=GREY, linewidth=0)
        axes.add_patch(half)
        half.set_clip_path(ground)
    axes.add_patch(PathPatch(path, facecolor="none", edgecolor=INK, linewidth=STROKE))
    if mark == "ring":
        axes.add_patch(PathPatch(_path(contour(resized(outline, -RING))), facecolor="none", edgecolor=INK, linewidth=1))


def _write(axes: Axes, writing: Writing) -> None:
    """Runs one after another; bold lines are a single run, which matplotlib centres itself."""
    x, y = writing.at
    baseline = y + _BASELINE * writing.size
    if writing.bold:
        text = "".join(run.text for run in writing.runs)
        axes.text(x, baseline, text, fontsize=writing.size, color=writing.colour, ha="center", weight="bold")
        return
    if writing.anchor == "middle":
        x -= line_width(writing.runs, writing.size) / 2
    for run in writing.runs:
        size = writing.size * (SUBSCRIPT if run.subscript else 1.0)
        drop = _DROP * writing.size if run.subscript else 0.0
        slant = "italic" if run.italic else "normal"
        axes.text(x, baseline + drop, run.text, fontsize=size, color=writing.colour, style=slant, ha="left",
                  va="baseline", parse_math=False)  # fmt: skip
        x += run.width(writing.size)
