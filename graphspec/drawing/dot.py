"""Graphviz text: one cluster per graph, rows kept. Graphviz chooses its own places within a row."""

from graphspec.drawing.layout import Layout
from graphspec.drawing.picture import HEADS, Across, Group, Node, Panel, grouping, plate_label
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
    lines += [
        '  graph [fontname="Helvetica", fontsize=12, nodesep=0.5, color="gray80"];',
        '  edge [arrowsize=0.7, fontname="Helvetica", fontsize=10];',
    ]
    if layout.picture.plates:
        lines.append("  newrank=true; compound=true;")  # else a row that reaches into a box tears its nodes out of it
    for panel in layout.picture.panels:
        lines += _cluster(layout, panel)
    return "\n".join([*lines, "}", ""])


def _cluster(layout: Layout, panel: Panel) -> list[str]:
    lines = [f"  subgraph cluster_{panel.side} {{", f"    label={quoted(panel.title)};"]
    lines += _nodes(layout, panel, grouping(layout.picture, panel), "    ")
    for row in sorted({layout.rows[name] for name in panel.nodes}):
        same = [_id(panel, name) for name in panel.nodes if layout.rows[name] == row]
        if len(same) > 1:
            lines.append("    {rank=same; " + "; ".join(same) + "}")
    lines += [_edge(layout, panel, parent, child) for parent, child in panel.edges]
    lines += [_edge(layout, panel, arrow.parent, arrow.child, *_looks(arrow)) for arrow in panel.across]
    for count, plate in panel.counts:
        inside = next(name for name in panel.nodes if plate in layout.picture.nodes[name].path)
        box = quoted(f"cluster_{panel.side}_{plate}")
        ends = f"{_id(panel, count)} -> {_id(panel, inside)}"
        lines.append(f'    {ends} [lhead={box}, style=dotted, color="gray35", constraint=false];')
    return [*lines, "  }"]


def _nodes(layout: Layout, panel: Panel, group: Group, indent: str) -> list[str]:
    """The nodes of a plate or of the row, then a cluster for each plate in it; a place that is read is a text."""
    lines = []
    for name in group.nodes:
        node = layout.picture.nodes[name]
        lines.append(
            f"{indent}{_id(panel, name)} [label={quoted(name)}, tooltip={quoted(node.about)}, {_look(panel, node)}];"
        )
        for plate in panel.indexed.get(name, ()):
            source = _id(panel, f"{plate} of {name}")
            lines.append(f"{indent}{source} [label={quoted(plate)}, shape=plaintext, fontsize=10, fontcolor=gray35];")
            lines.append(f"{indent}{source} -> {_id(panel, name)} [arrowsize=0.5];")
    for inner in group.inner:
        lines.append(f"{indent}subgraph {quoted(f'cluster_{panel.side}_{inner.plate}')} {{")
        label = quoted(plate_label(layout.picture.plates[inner.plate]))
        lines.append(f'{indent}  label={label}; labelloc=b; labeljust=r; style=rounded; color="gray50";')
        lines += [*_nodes(layout, panel, inner, indent + "  "), f"{indent}}}"]
    return lines


def _look(panel: Panel, node: Node) -> str:
    """Shape and fill; what is summed out exactly has a second line around it, weights of a run have a blue one."""
    look = _LOOKS[node.role].replace("shape=ellipse", "shape=box") if node.certain else _LOOKS[node.role]
    look += ", peripheries=2" if node.name in panel.summed else ""
    return look + (", color=steelblue, penwidth=2.5" if node.name in panel.weights else "")


def _looks(arrow: Across) -> tuple[str, ...]:
    return (f"label={quoted(arrow.label)}", "fontsize=10", *(["style=dashed"] if arrow.dashed else []))


def _edge(layout: Layout, panel: Panel, parent: str, child: str, *looks: str) -> str:
    """Edges that point up are written from top to bottom with the arrow at their tail: rows stay those of p."""
    rise = layout.rows[parent] - layout.rows[child]
    first, second = (child, parent) if rise > 0 else (parent, child)
    looks = ("dir=back", *looks) if rise > 0 else looks
    said = f" [{', '.join(looks)}]" if looks else ""
    return f"    {_id(panel, first)} -> {_id(panel, second)}{said};"


def _id(panel: Panel, name: str) -> str:
    return quoted(f"{HEADS[panel.side]}.{name}")


def quoted(text: str) -> str:
    """A double-quoted string of the dot language, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + " ".join(escaped.split()) + '"'
