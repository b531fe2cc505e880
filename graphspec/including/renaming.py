"""Entries of an included spec in the words of the spec that includes it: variables and networks called otherwise.

From: located entries, checked by themselves. To: the same entries, at the same places, under other names. A parent read
across elements keeps its view.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from graphspec.language.networks import FIRST
from graphspec.language.plates import base_of
from graphspec.text.source import Document
from graphspec.text.tree import Entry, Node, Scalar, Sequence, child
from graphspec.text.tree import Mapping as TreeMapping

_NAMING = {field for kind in FIRST for field in kind.names_parents}


@dataclass(frozen=True)
class Naming:
    """What an included spec's names are called here. networks: those of its section `networks`."""

    variables: Mapping[str, str]
    networks: Mapping[str, str]

    def variable(self, name: str) -> str:
        """`crop@previous` for `x@previous`."""
        base = base_of(name)
        return self.variables.get(base, base) + name[len(base) :]

    def factor(self, entry: Entry) -> Entry:
        """One factor: its name, and all that names parents or networks in it."""
        node = entry.value
        node = _each(node, ("parents", "stop_gradient"), self._names)
        node = _each(node, ("network",), self.network)
        node = _each(node, ("parameters",), self._parameters)
        return replace(entry, key=self.variable(entry.key), value=node)

    def network(self, node: Node) -> Node:
        """A network by name, or written in place."""
        if isinstance(node, Scalar):
            return _scalar(node, self.networks.get(str(node.value), node.text)) if node.value is not None else node
        return _each(node, _NAMING, self._names)

    def _names(self, node: Node) -> Node:
        if isinstance(node, Scalar):
            return _scalar(node, self.variable(node.text)) if isinstance(node.value, str) else node
        if isinstance(node, Sequence):
            return replace(node, items=tuple(self._names(item) for item in node.items))
        return node

    def _parameters(self, node: Node) -> Node:
        if not isinstance(node, TreeMapping):
            return node
        changed = (_each(_each(e.value, ("parents",), self._names), ("network",), self.network) for e in node.entries)
        entries = zip(node.entries, changed, strict=True)
        return replace(node, entries=tuple(replace(entry, value=value) for entry, value in entries))


def _scalar(node: Scalar, text: str) -> Scalar:
    return replace(node, value=text, text=text)


def _each(node: Node, fields: Iterable[str], change: Callable[[Node], Node]) -> Node:
    """A mapping with some of its values changed; anything else as it is."""
    if not isinstance(node, TreeMapping):
        return node
    wanted = frozenset(fields)
    return replace(
        node, entries=tuple(replace(e, value=change(e.value)) if e.key in wanted else e for e in node.entries)
    )


def with_field(node: Node, key: str, value: Node) -> Node:
    """A mapping with a field set, at the place of `value`."""
    assert isinstance(node, TreeMapping), "entries of sections are mappings"
    kept = tuple(entry for entry in node.entries if entry.key != key)
    return replace(node, entries=(*kept, Entry(key, value.span, value.source, value)))


def entries_of(node: Node | None, section: str) -> tuple[Entry, ...]:
    """The entries of a section that is there and is a mapping."""
    below = child(node, section)
    return below.entries if isinstance(below, TreeMapping) else ()


def takes_in_others(document: Document) -> bool:
    """Some variable or factor of a flat document came from an included spec."""
    sections = ("variables", "generative", "recognition")
    return any(e.source.included is not None for name in sections for e in entries_of(document.root, name))


def as_node(value: object, place: Node) -> Node:
    """Plain values as a tree, all of it at one place."""
    if isinstance(value, Mapping):
        entries = (Entry(str(k), place.span, place.source, as_node(v, place)) for k, v in value.items())
        return TreeMapping(place.span, place.source, tuple(entries))
    if isinstance(value, list | tuple):
        return Sequence(place.span, place.source, tuple(as_node(item, place) for item in value))
    assert value is None or isinstance(value, bool | int | float | str)
    return Scalar(place.span, place.source, value, str(value))
