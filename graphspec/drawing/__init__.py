"""Drawings of a spec: one layout for both graphs, many formats. No system binary, no torch; matplotlib for png, pdf."""

from typing import Literal, get_args

from graphspec.drawing.layout import lay_out
from graphspec.drawing.picture import picture_of
from graphspec.graphs.graph import Graphs

DrawingFormat = Literal["svg", "png", "pdf", "html", "tikz", "dot", "mermaid", "text"]
FORMATS: tuple[DrawingFormat, ...] = get_args(DrawingFormat)
SUFFIXES: dict[str, DrawingFormat] = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".html": "html",
    ".htm": "html",
    ".tex": "tikz",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
}
"""File suffix -> format."""


def draw(graphs: Graphs, form: DrawingFormat, *, width: int = 80) -> bytes:
    """Both graphs side by side as the bytes of a file; text is UTF-8. `width` is a terminal's, in characters."""
    picture = picture_of(graphs)
    if form == "mermaid":
        from graphspec.drawing.mermaid import to_mermaid

        return to_mermaid(picture).encode()
    if form == "text":
        from graphspec.drawing.plain_text import to_text

        return to_text(picture, width).encode()
    layout = lay_out(picture)
    if form == "dot":
        from graphspec.drawing.dot import to_dot

        return to_dot(layout).encode()
    from graphspec.drawing.staging import scene_of

    scene = scene_of(layout)
    if form == "png" or form == "pdf":
        from graphspec.drawing.raster import to_raster

        return to_raster(scene, form)
    if form == "svg":
        from graphspec.drawing.svg import to_svg

        return to_svg(scene).encode()
    if form == "html":
        from graphspec.drawing.html import to_html

        return to_html(scene).encode()
    from graphspec.drawing.tikz import to_tikz

    return to_tikz(scene).encode()


__all__ = ["FORMATS", "SUFFIXES", "DrawingFormat", "draw"]
