"""Mermaid text, which many Markdown viewers draw. It has no half-grey: supervised is light grey with a dashed line."""

from graphspec.drawing.picture import HEADS, Panel, Picture
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
    lines.append(f"    direction {'TB' if panel.side == 'generative' else 'BT'}")
    for name in panel.nodes:
        role = picture.nodes[name].role
        opening, closing = ("[", "]") if role == "deterministic" else ("([", "])") if len(name) > 3 else ("((", "))")
        lines.append(f'    {head}_{name}{opening}"{label(name)}"{closing}:::{role}')
    lines += [f"    {head}_{parent} --> {head}_{child}" for parent, child in panel.edges]
    return [*lines, "  end", f"  style {panel.side} fill:none,stroke:#a0a0a0"]


def label(text: str) -> str:
    """Text inside double quotes; what Mermaid would read as markup becomes an entity."""
    for character, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(character, entity)
    return " ".join(text.split())
