"""The scene as a standalone LaTeX document: `pdflatex FILE.tex`. The styles at its head are meant to be edited."""

import re

from graphspec.drawing.geometry import Curve, Point, RoundedBox, pieces, resized
from graphspec.drawing.lettering import Line, latex_run
from graphspec.drawing.scene import HALO_WIDTH, Dart, Disc, Fill, Frame, Mark, PanelScene, Scene, Tag, Writing
from graphspec.drawing.svg import number

POINTS_PER_PIXEL = 0.75

_HEAD = r"""\documentclass[border=6pt]{standalone}
\usepackage[T1]{fontenc}
\usepackage{tikz}
\usetikzlibrary{arrows.meta}
\begin{document}
% Coordinates are pixels, y down; one pixel is 0.75pt.
\begin{tikzpicture}[
    x=0.75pt, y=-0.75pt, inner sep=0pt, outer sep=0pt,
    every node/.style={text=black},
    node/.style={draw=black, line width=0.9pt, fill=white},
    latent/.style={node},
    observed/.style={node, fill=black!28},
    supervised/.style={node, path picture={
        \fill[black!28, sharp corners]
          (path picture bounding box.south west) rectangle (path picture bounding box.north);}},
    deterministic/.style={node},
    edge/.style={draw=black, line width=0.9pt, -{Latex[length=6pt, width=5pt]}},
    title/.style={font=\sffamily\bfseries},
    caption/.style={font=\small},
    legend/.style={font=\scriptsize\sffamily, anchor=west},
"""
_PLATE_STYLES = r"""    plate/.style={draw=black!54, line width=0.8pt, rounded corners=6.75pt},
    plate label/.style={font=\scriptsize\sffamily, text=black!65},
    view/.style={font=\scriptsize\sffamily, text=black!65, fill=white, inner sep=1pt},
    neighbour/.style={edge, dash pattern=on 3.75pt off 2.6pt},
    count/.style={edge, draw=black!65, dash pattern=on 1pt off 2.2pt},
"""
_EXACT_STYLE = "    exact/.style={double, double distance=1.2pt},\n"
_RUN_STYLE = "    run/.style={fill=blue!50!cyan!20},\n"
_TAIL = "\\end{tikzpicture}\n\\end{document}\n"
_STYLES: dict[Fill, str] = {"full": "observed", "half": "supervised", "none": "latent"}


def to_tikz(scene: Scene) -> str:
    """A complete document; places and courses are those of the other formats."""
    (x0, y0), (x1, y1) = scene.rule
    lines = [line for panel in scene.panels for line in _panel(panel)]
    lines.append(rf"\draw[black!20, line width=0.5pt] {_point((x0, y0))} -- {_point((x1, y1))};")
    for key in scene.legend:
        lines += _halo(key.outline, key.mark)
        lines.append(rf"\node[{_style(key.outline, key.fill, key.mark)}] at {_point(key.outline.centre)} {{}};")
        lines.append(rf"\node[legend] at {_point(key.text.at)} {{{_plain(key.text)}}};")
    name = re.sub(r"\s+", " ", scene.name)
    plates = any(panel.frames for panel in scene.panels)
    marks = {key.mark for key in scene.legend}
    head = _HEAD + (_PLATE_STYLES if plates else "") + (_EXACT_STYLE if "ring" in marks else "")
    head += (_RUN_STYLE if "halo" in marks else "") + "  ]\n"
    return f"% {name}: generative and recognition graph\n" + head + "".join(f"  {line}\n" for line in lines) + _TAIL


def _panel(panel: PanelScene) -> list[str]:
    title, *captions = panel.writings
    lines = [f"% {panel.side}", rf"\node[title] at {_point(title.at)} {{{_plain(title)}}};"]
    lines += [line for frame in panel.frames for line in _frame(frame)]
    lines += [line for disc in panel.discs for line in (*_halo(disc.outline, disc.mark), _disc(disc, panel.side))]
    lines += [_arrow(arrow) for arrow in panel.arrows]
    lines += [_tag(tag) for tag in panel.tags]
    lines += [rf"\node[caption] at {_point(writing.at)} {{{_math(writing.runs)}}};" for writing in captions]
    return lines


def _disc(disc: Disc, side: str) -> str:
    style = _style(disc.outline, disc.fill, disc.mark)
    return rf"\node[{style}] ({side}-{disc.name}) at {_point(disc.outline.centre)} {{{_math(disc.label.runs)}}};"


def _halo(outline: RoundedBox, mark: Mark) -> list[str]:
    """The coloured rim of a node whose factor has weights of a run."""
    if mark != "halo":
        return []
    around = resized(outline, HALO_WIDTH)
    corners = [_point((around.x + s * around.half_width, around.y + s * around.half_height)) for s in (-1, 1)]
    return [rf"\fill[run, rounded corners={_length(around.radius)}] {corners[0]} rectangle {corners[1]};"]


def _style(outline: RoundedBox, fill: Fill, mark: Mark) -> str:
    square = outline.radius < outline.half_height
    style = "deterministic" if square and fill == "none" else _STYLES[fill]
    style += ", exact" if mark == "ring" else ""
    width, height = (_length(2 * half) for half in (outline.half_width, outline.half_height))
    return f"{style}, minimum width={width}, minimum height={height}, rounded corners={_length(outline.radius)}"


def _length(pixels: float) -> str:
    return f"{number(pixels * POINTS_PER_PIXEL)}pt"


def _frame(frame: Frame) -> tuple[str, str]:
    """A box and its label."""
    outline, label = frame.outline, frame.label
    corners = [_point((outline.x + s * outline.half_width, outline.y + s * outline.half_height)) for s in (-1, 1)]
    box = rf"\draw[plate] {corners[0]} rectangle {corners[1]}; % {frame.plate}"
    return box, rf"\node[plate label] at {_point(label.at)} {{{_plain(label)}}};"


def _tag(tag: Tag) -> str:
    return rf"\node[view] at {_point(tag.text.at)} {{{_plain(tag.text)}}};"


def _arrow(arrow: Dart) -> str:
    style = arrow.kind
    return rf"\draw[{style}] {_course(arrow.curve)}; % {arrow.edge[0]} -> {arrow.edge[1]}"


def _course(curve: Curve) -> str:
    if len(curve) == 2:
        return f"{_point(curve[0])} -- {_point(curve[1])}"
    text = _point(curve[0])
    for _, first, second, end in pieces(curve):
        text += f" .. controls {_point(first)} and {_point(second)} .. {_point(end)}"
    return text


def _point(point: Point) -> str:
    return f"({number(point[0])},{number(point[1])})"


def _math(runs: Line) -> str:
    return "$" + "".join(latex_run(run) for run in runs) + "$"


def _plain(writing: Writing) -> str:
    return re.sub(r"([_#$%&{}])", r"\\\1", "".join(run.text for run in writing.runs))
