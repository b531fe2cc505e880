"""Obvious guesses applied to the located tree, so that checking can go on; places stay the author's."""

from collections.abc import Iterable
from dataclasses import replace

from graphspec.reading.wording import Repair
from graphspec.text.source import Document, Path
from graphspec.text.tree import Entry, Mapping, Node, Scalar, Sequence


def repaired(document: Document, repairs: Iterable[Repair]) -> Document:
    """The document with every repair applied; one whose path is gone by then is passed over."""
    root: Node = document.root
    # Later positions first: dropping an entry of a list moves those after it.
    for repair in sorted(repairs, key=lambda repair: [str(step).rjust(12) for step in repair.path], reverse=True):
        root = _below(root, repair.path, repair)
    assert isinstance(root, Mapping)
    return replace(document, root=root)


def _below(node: Node, path: Path, repair: Repair) -> Node:
    step, rest = path[0], path[1:]
    if isinstance(node, Mapping):
        entries = []
        for entry in node.entries:
            changed = entry if entry.key != step else _entry(entry, rest, repair)
            if changed is not None:
                entries.append(changed)
        return replace(node, entries=tuple(entries))
    if isinstance(node, Sequence) and isinstance(step, int):
        items = []
        for position, item in enumerate(node.items):
            kept = item if position != step else _below(item, rest, repair) if rest else _value(item, repair)
            if kept is not None:
                items.append(kept)
        return replace(node, items=tuple(items))
    return node


def _entry(entry: Entry, rest: Path, repair: Repair) -> Entry | None:
    if rest:
        return replace(entry, value=_below(entry.value, rest, repair))
    if repair.action == "rename":
        return replace(entry, key=str(repair.value))
    value = _value(entry.value, repair)
    return None if value is None else replace(entry, value=value)


def _value(node: Node, repair: Repair) -> Node | None:
    """The new value at the same place; None: dropped."""
    match repair.action:
        case "set":
            return Scalar(node.span, node.source, repair.value, str(repair.value))
        case "wrap":
            return Sequence(node.span, node.source, (node,))
        case "empty":
            return Mapping(node.span, node.source, ())
    return None
