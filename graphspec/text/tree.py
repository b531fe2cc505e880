"""The nodes of a located tree: every key and value knows its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from graphspec.diagnostics import SourceText, Span

Plain = None | bool | int | float | str
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Scalar:
    """A number, a word, a truth value or null. `text` is what was written, without quotes."""

    span: Span
    source: SourceText
    value: Plain
    text: str


@dataclass(frozen=True)
class Sequence:
    """A list."""

    span: Span
    source: SourceText
    items: tuple["Node", ...]


@dataclass(frozen=True)
class Entry:
    """One `key: value` of a mapping."""

    key: str
    span: Span
    source: SourceText
    value: "Node"


@dataclass(frozen=True)
class Mapping:
    """Keys and values, in the order written."""

    span: Span
    source: SourceText
    entries: tuple[Entry, ...]

    @cached_property
    def index(self) -> dict[str, Entry]:
        """Entries by key."""
        return {entry.key: entry for entry in self.entries}


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:
    """The node without places: dict, list or scalar."""
    if isinstance(node, Mapping):
        return {entry.key: plain(entry.value) for entry in node.entries}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def child(node: Node | None, step: str | int) -> Node | None:
    """What stands below a node at a key or a position; None if nothing does."""
    if isinstance(node, Mapping) and isinstance(step, str):
        entry = node.index.get(step)
        return entry.value if entry else None
    if isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def edited(node: Node, path: Path, change: Callable[[Entry], Entry | None]) -> Node:
    """The tree with the entry at `path` changed, or dropped where `change` gives None; the same where there is none.

    An item of a list is changed as the value of an entry without a key.
    """
    step, rest = path[0], path[1:]
    new: Callable[[Entry], Entry | None] = change
    if rest:
        new = lambda entry: replace(entry, value=edited(entry.value, rest, change))  # noqa: E731
    if isinstance(node, Mapping):
        entries = (new(entry) if entry.key == step else entry for entry in node.entries)
        return replace(node, entries=tuple(entry for entry in entries if entry is not None))
    if isinstance(node, Sequence) and child(node, step) is not None:
        place = int(step)
        found = new(Entry("", node.items[place].span, node.items[place].source, node.items[place]))
        middle = () if found is None else (found.value,)
        return replace(node, items=(*node.items[:place], *middle, *node.items[place + 1 :]))
    return node
