"""A self-contained page: the svg, the model's name and description, and what each node is when pointed at."""

from html import escape

from graphspec.drawing.scene import Scene
from graphspec.drawing.svg import to_svg

_STYLE = """
  :root { color-scheme: light dark; }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: max-content; padding: 0 1rem; }
  h1 { font-size: 1.3rem; margin: 0; }
  p { margin: .3rem 0 1.2rem; max-width: 60rem; }
  figure { margin: 0; background: #fff; border-radius: 8px; overflow-x: auto; }
  .node { cursor: default; outline: none; }
  .chosen > rect:last-of-type { stroke-width: 3; }
  .faded { opacity: .2; }
  .note { position: fixed; max-width: 24rem; padding: .5rem .7rem; border-radius: 6px; background: #1a1a1a; color: #fff;
          font-size: 13px; white-space: pre-line; pointer-events: none; visibility: hidden; }
"""
_SCRIPT = """
  const note = document.querySelector(".note");
  const nodes = [...document.querySelectorAll(".node")];
  const about = new Map(nodes.map(node => {
    const title = node.querySelector("title");
    const text = title.textContent;
    title.remove();  // else the browser shows its own, later and smaller
    node.setAttribute("tabindex", "0");
    node.setAttribute("aria-label", text);
    return [node, text];
  }));
  function show(node) {
    const name = node.dataset.name;
    for (const other of nodes) other.classList.toggle("chosen", other.dataset.name === name);
    for (const edge of document.querySelectorAll(".edge"))
      edge.classList.toggle("faded", edge.dataset.parent !== name && edge.dataset.child !== name);
    note.textContent = about.get(node);
    const box = node.getBoundingClientRect();
    note.style.left = Math.max(8, Math.min(box.right + 10, innerWidth - note.offsetWidth - 8)) + "px";
    note.style.top = Math.max(8, Math.min(box.bottom + 6, innerHeight - note.offsetHeight - 8)) + "px";
    note.style.visibility = "visible";
  }
  function hide() {
    note.style.visibility = "hidden";
    for (const part of document.querySelectorAll(".chosen, .faded")) part.classList.remove("chosen", "faded");
  }
  for (const node of nodes) {
    for (const event of ["pointerenter", "focus"]) node.addEventListener(event, () => show(node));
    for (const event of ["pointerleave", "blur"]) node.addEventListener(event, hide);
  }
"""


def to_html(scene: Scene) -> str:
    """One HTML document; nothing is loaded from elsewhere."""
    title = escape(scene.name or "graphspec")
    described = f"<p>{escape(scene.description)}</p>\n" if scene.description else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{described}<figure>\n{to_svg(scene)}</figure>\n"
        f'<div class="note" role="status"></div>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n'
    )
