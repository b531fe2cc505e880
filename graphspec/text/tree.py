"""The nodes of a located tree: every key and value knows its place."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphspec.diagnostics import SourceText, Span

Plain = None | bool | int | float | str


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
