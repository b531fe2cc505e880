"""Mermaid text, which many Markdown viewers draw. It has no half-grey: supervised is light grey with a dashed line."""

from graphspec.drawing.picture import HEADS, Group, Node, Panel, Picture, grouping, plate_label
from graphspec.drawing.scene import GREY, INK

_CLASSES = {
    "observed": f"fill:{GREY},stroke:{INK},color:{INK}",
    "supervised": f"fill:#e4e4e4,stroke:{INK},color:{INK},stroke-dasharray:6 3",
    "latent": f"fill:#ffffff,stroke:{INK},color:{INK}",
    "deterministic": f"fill:#ffffff,stroke:{INK},color:{INK}",
}


def to_mermaid(picture: Picture) -> str:
    """A flowchart with one subgraph per graph; p runs down, q runs up. Ids carry a prefix, so `end` is a fine name.

    Mermaid puts the subgraph that comes last to the left.
    """
    lines = ["flowchart TB"]
    for panel in reversed(picture.panels):
        lines += _subgraph(picture, panel)
    roles = [role for role in _CLASSES if any(node.role == role for node in picture.nodes.values())]
    lines += [f"  classDef {role} {_CLASSES[role]}" for role in roles]
    return "\n".join([*lines, ""])


def _subgraph(picture: Picture, panel: Panel) -> list[str]:
    head = HEADS[panel.side]
    lines = [f'  subgraph {panel.side}["{label(panel.title)}"]']
    lines.append(f"    {_direction(panel)}")
    lines += _nodes(picture, panel, grouping(picture, panel), "    ")
    lines += [f"    {head}_{parent} --> {head}_{child}" for parent, child in panel.edges]
    for parent, child, views, dashed in panel.across:
        shaft = f'-. "{label(views)}" .->' if dashed else f'-- "{label(views)}" -->'
        lines.append(f"    {head}_{parent} {shaft} {head}_{child}")
    lines += [f"    {head}_{count} -.-> {_box(panel, plate)}" for count, plate in panel.counts]
    plates = dict.fromkeys(plate for name in panel.nodes for plate in picture.nodes[name].path)
    boxes = [f"  style {_box(panel, plate)} fill:none,stroke:#8a8a8a" for plate in plates]
    places = [
        f"  style {_source(panel, p, name)} fill:none,stroke:none" for name, ps in panel.indexed.items() for p in ps
    ]
    places += [
        f"  style {head}_{name} stroke:#4682b4,stroke-width:3px" for name in panel.weights if name in panel.nodes
    ]
    return [*lines, "  end", f"  style {panel.side} fill:none,stroke:#a0a0a0", *boxes, *places]


def _nodes(picture: Picture, panel: Panel, group: Group, indent: str) -> list[str]:
    """The nodes of a plate or of the row, then a subgraph for each plate in it; a place that is read is a text."""
    head, lines = HEADS[panel.side], []
    for name in group.nodes:
        role = picture.nodes[name].role
        opening, closing = _brackets(panel, picture.nodes[name])
        lines.append(f'{indent}{head}_{name}{opening}"{label(name)}"{closing}:::{role}')
        for plate in panel.indexed.get(name, ()):
            lines.append(f'{indent}{_source(panel, plate, name)}["{label(plate)}"] --> {head}_{name}')
    for inner in group.inner:
        lines.append(
            f'{indent}subgraph {_box(panel, inner.plate)}["{label(plate_label(picture.plates[inner.plate]))}"]'
        )
        lines += [f"{indent}  {_direction(panel)}", *_nodes(picture, panel, inner, indent + "  "), f"{indent}end"]
    return lines


def _brackets(panel: Panel, node: Node) -> tuple[str, str]:
    """A square, a circle or a pill; what is summed out exactly has a double line."""
    if node.square:
        return ("[", "]")
    if node.name in panel.summed:
        return ("(((", ")))")
    return ("([", "])") if len(node.name) > 3 else ("((", "))")


def _direction(panel: Panel) -> str:
    return f"direction {'TB' if panel.side == 'generative' else 'BT'}"


def _box(panel: Panel, plate: str) -> str:
    return f"box_{HEADS[panel.side]}_{plate}"


def _source(panel: Panel, plate: str, name: str) -> str:
    return f"place_{HEADS[panel.side]}_{plate}_of_{name}"


def label(text: str) -> str:
    """Text inside double quotes; what Mermaid would read as markup becomes an entity."""
    for character, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(character, entity)
    return " ".join(text.split())
