"""Graphviz text: one cluster per graph, rows kept. Graphviz chooses its own places within a row."""

from graphspec.drawing.layout import Layout
from graphspec.drawing.picture import HEADS, Panel
from graphspec.drawing.scene import GREY

_LOOKS = {
    "observed": f'shape=ellipse, style=filled, fillcolor="{GREY}"',
    "supervised": f'shape=ellipse, style=filled, fillcolor="{GREY};0.5:white"',
    "latent": 'shape=ellipse, style=filled, fillcolor="white"',
    "deterministic": 'shape=box, style=filled, fillcolor="white"',
}


def to_dot(layout: Layout) -> str:
    """A digraph; names are quoted, so that no name is taken for a keyword."""
    lines = [f"digraph {quoted(layout.picture.name or 'graphspec')} {{"]
    lines += ['  node [fontname="Helvetica", fontsize=12, height=0.5, width=0.5, margin="0.1,0.05"];']
    lines += ['  graph [fontname="Helvetica", fontsize=12, nodesep=0.5, color="gray80"];', "  edge [arrowsize=0.7];"]
    for panel in layout.picture.panels:
        lines += _cluster(layout, panel)
    return "\n".join([*lines, "}", ""])


def _cluster(layout: Layout, panel: Panel) -> list[str]:
    lines = [f"  subgraph cluster_{panel.side} {{", f"    label={quoted(panel.title)};"]
    for name in panel.nodes:
        node = layout.picture.nodes[name]
        lines.append(
            f"    {_id(panel, name)} [label={quoted(name)}, tooltip={quoted(node.about)}, {_LOOKS[node.role]}];"
        )
    for row in sorted({layout.rows[name] for name in panel.nodes}):
        same = [_id(panel, name) for name in panel.nodes if layout.rows[name] == row]
        if len(same) > 1:
            lines.append("    {rank=same; " + "; ".join(same) + "}")
    return [*lines, *(_edge(layout, panel, parent, child) for parent, child in panel.edges), "  }"]


def _edge(layout: Layout, panel: Panel, parent: str, child: str) -> str:
    """Edges that point up are written from top to bottom with the arrow at their tail: rows stay those of p."""
    rise = layout.rows[parent] - layout.rows[child]
    if rise > 0:
        return f"    {_id(panel, child)} -> {_id(panel, parent)} [dir=back];"
    return f"    {_id(panel, parent)} -> {_id(panel, child)};"


def _id(panel: Panel, name: str) -> str:
    return quoted(f"{HEADS[panel.side]}.{name}")


def quoted(text: str) -> str:
    """A double-quoted string of the dot language, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + " ".join(escaped.split()) + '"'
