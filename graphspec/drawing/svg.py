"""The scene as SVG: vector shapes and text only, no script, no style sheet, no font file, a white ground.

Every node is a group with a `<title>` (what browsers show on hover) and `data-` attributes, which `html` builds on.
"""

from html import escape

from graphspec.drawing.geometry import Curve, RoundedBox, resized
from graphspec.drawing.lettering import SUBSCRIPT
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
    Disc,
    Fill,
    Frame,
    Key,
    Mark,
    PanelScene,
    Scene,
    Tag,
    Writing,
)

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_BASELINE = 0.35
_DROP = 0.22


def to_svg(scene: Scene) -> str:
    """A complete SVG document of `scene.width` x `scene.height` pixels."""
    width, height = number(scene.width), number(scene.height)
    title = escape(scene.name or "graphspec")
    described = f"\n<desc>{escape(scene.description)}</desc>" if scene.description else ""
    body = "\n".join([*map(_panel, scene.panels), _rule(scene), *map(_legend_entry, scene.legend)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" font-family="{FONT}">\n<title>{title}: generative and recognition graph</title>{described}\n'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


def number(value: float) -> str:
    """At most two decimals, no trailing zeros, no negative zero."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _panel(panel: PanelScene) -> str:
    drawn = [*map(_frame, panel.frames), *map(_arrow, panel.arrows), *map(_tag, panel.tags), *map(_disc, panel.discs)]
    parts = [*drawn, *map(_writing, panel.writings)]
    return f'<g class="panel" data-side="{panel.side}">\n' + "\n".join(parts) + "\n</g>"


def _frame(frame: Frame) -> str:
    box = _rectangle(frame.outline, f'fill="none" stroke="{BORDER}" stroke-width="{BORDER_STROKE}"')
    return f'<g class="plate" data-name="{escape(frame.plate)}">{box}{_writing(frame.label)}</g>'


def _tag(tag: Tag) -> str:
    ground = _rectangle(tag.ground, f'fill="{PAPER}"')
    return f"{_edge_group(*tag.edge)}{ground}{_writing(tag.text)}</g>"


def _edge_group(parent: str, child: str) -> str:
    return f'<g class="edge" data-parent="{escape(parent)}" data-child="{escape(child)}">'


def _arrow(arrow: Dart) -> str:
    dash, ink = DASHES[arrow.kind], QUIET if arrow.kind == "count" else INK
    dashes = f' stroke-dasharray="{dash[0]} {dash[1]}"' if dash else ""
    tip, left, right = (f"{number(x)},{number(y)}" for x, y in arrow.head)
    return (
        f"{_edge_group(*arrow.edge)}"
        f'<path d="{path(arrow.shaft)}" fill="none" stroke="{ink}" stroke-width="{STROKE}"{dashes}/>'
        f'<polygon points="{tip} {left} {right}" fill="{ink}"/></g>'
    )


def path(curve: Curve) -> str:
    """A curve as path data."""
    points = [f"{number(x)} {number(y)}" for x, y in curve]
    if len(curve) == 2:
        return f"M{points[0]} L{points[1]}"
    return f"M{points[0]} C" + " ".join(points[1:])


def _disc(disc: Disc) -> str:
    about = escape("\n".join(disc.about))
    shape = _shape(disc.outline, disc.fill, disc.mark)
    return f'<g class="node" data-name="{escape(disc.name)}"><title>{about}</title>{shape}{_writing(disc.label)}</g>'


def _shape(outline: RoundedBox, fill: Fill, mark: Mark) -> str:
    line = f'stroke="{INK}" stroke-width="{STROKE}"'
    rim = _rectangle(resized(outline, HALO_WIDTH), f'fill="{HALO}"') if mark == "halo" else ""
    ring = _rectangle(resized(outline, -RING), f'fill="none" stroke="{INK}" stroke-width="1"') if mark == "ring" else ""
    if fill != "half":
        return rim + _rectangle(outline, f'fill="{GREY if fill == "full" else PAPER}" {line}') + ring
    half = f'<path d="{_left_half(outline)}" fill="{GREY}"/>'
    return rim + _rectangle(outline, f'fill="{PAPER}"') + half + _rectangle(outline, f'fill="none" {line}') + ring


def _rectangle(outline: RoundedBox, style: str) -> str:
    x, y = number(outline.x - outline.half_width), number(outline.y - outline.half_height)
    size = f'width="{number(2 * outline.half_width)}" height="{number(2 * outline.half_height)}"'
    return f'<rect x="{x}" y="{y}" {size} rx="{number(outline.radius)}" {style}/>'


def _left_half(outline: RoundedBox) -> str:
    """From the middle of the top counterclockwise to the middle of the bottom."""
    x, y, radius = outline.x, outline.y, outline.radius
    across, down = outline.half_width - radius, outline.half_height - radius
    corner = f"a{number(radius)} {number(radius)} 0 0 0"
    sides = f"h{number(-across)} {corner} {number(-radius)} {number(radius)} v{number(2 * down)}"
    return (
        f"M{number(x)} {number(y - outline.half_height)} {sides} {corner} {number(radius)} {number(radius)}"
        f" h{number(across)}Z"
    )


def _writing(writing: Writing) -> str:
    x, y = number(writing.at[0]), number(writing.at[1] + _BASELINE * writing.size)
    weight = ' font-weight="bold"' if writing.bold else ""
    spans, drop = [], 0.0
    for run in writing.runs:
        wanted = _DROP * writing.size if run.subscript else 0.0
        shift = f' dy="{number(wanted - drop)}"' if wanted != drop else ""
        style = ' font-style="italic"' if run.italic else ""
        size = f' font-size="{number(SUBSCRIPT * writing.size)}"' if run.subscript else ""
        text = escape(run.text)
        spans.append(f"<tspan{shift}{style}{size}>{text}</tspan>" if shift or style or size else text)
        drop = wanted
    return (
        f'<text x="{x}" y="{y}" text-anchor="{writing.anchor}" font-size="{number(writing.size)}"'
        f' fill="{writing.colour}"{weight} xml:space="preserve">{"".join(spans)}</text>'
    )


def _rule(scene: Scene) -> str:
    (x0, y0), (x1, y1) = scene.rule
    ends = f'x1="{number(x0)}" y1="{number(y0)}" x2="{number(x1)}" y2="{number(y1)}"'
    return f'<line {ends} stroke="{RULE}" stroke-width="1"/>'


def _legend_entry(key: Key) -> str:
    return _shape(key.outline, key.fill, key.mark) + _writing(key.text)
