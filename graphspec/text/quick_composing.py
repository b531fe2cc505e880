"""Composing a YAML text that has nothing to find fault with, by the parser in C.

From: `SourceText`. To: its root `Node`; or None wherever a text is out of the ordinary (a syntax error, an anchor, a
tag, a key given twice, a cap reached, no C parser installed). `composing` then reads it with PyYAML's own parser, which
finds and words every mistake. Where both read a text they agree to the column (`tests/test_quick_composing.py`).
"""

from typing import Any

import yaml

from graphspec.diagnostics import SourceText, Span
from graphspec.text.scalars import resolve_scalar
from graphspec.text.tree import Entry, Mapping, Node, Scalar, Sequence

UNUSUAL = "\t?\ufeff\x85\u2028\u2029"
"""Tabs, marked keys, a byte order mark, rare line breaks: here the two parsers differ in what they accept or count (as
they do on a last line without a break)."""


class _Unusual(Exception):
    """Something for the other parser."""


def compose_clean(source: SourceText, most_nodes: int, most_levels: int) -> Node | None:
    """The located tree of a faultless text of one document, else None; never raises."""
    try:
        from yaml import CBaseLoader
    except ImportError:
        return None
    if not source.text.endswith("\n") or any(character in source.text for character in UNUSUAL):
        return None
    try:
        return _Reader(CBaseLoader(source.text), source, most_nodes, most_levels).document()
    except (_Unusual, yaml.YAMLError, UnicodeEncodeError, OverflowError):
        return None


class _Reader:
    """Events in, nodes out."""

    def __init__(self, parser: Any, source: SourceText, most_nodes: int, most_levels: int) -> None:
        self.next = parser.get_event
        self.source = source
        self.left = most_nodes
        self.most_levels = most_levels

    def document(self) -> Node:
        """The one document of the stream."""
        self.next()  # the stream's start
        if not isinstance(self.next(), yaml.DocumentStartEvent):
            raise _Unusual
        root = self._node(self.next(), 1)
        self.next()  # the document's end
        if not isinstance(self.next(), yaml.StreamEndEvent):
            raise _Unusual
        return root

    def _node(self, event: Any, level: int) -> Node:
        self.left -= 1
        if self.left < 0 or level > self.most_levels or event.anchor is not None or event.tag is not None:
            raise _Unusual
        if isinstance(event, yaml.ScalarEvent):
            plain, text = event.implicit[0], event.value
            if event.style in ("|", ">"):
                raise _Unusual
            span = _one_line(event, event) if plain else _span(event, event)
            return Scalar(span, self.source, resolve_scalar(text) if plain else text, text)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, level)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, level)
        raise _Unusual

    def _sequence(self, start: Any, level: int) -> Sequence:
        items = []
        event = self.next()
        while not isinstance(event, yaml.SequenceEndEvent):
            items.append(self._node(event, level + 1))
            event = self.next()
        span = _one_line(start, event) if start.flow_style else _span(start, event)
        return Sequence(span, self.source, tuple(items))

    def _mapping(self, start: Any, level: int) -> Mapping:
        entries: dict[str, Entry] = {}
        event = self.next()
        while not isinstance(event, yaml.MappingEndEvent):
            self.left -= 1
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            if key is None or key in entries or key == "<<" or event.anchor is not None or event.tag is not None:
                raise _Unusual
            entries[key] = Entry(key, _span(event, event), self.source, self._node(self.next(), level + 1))
            event = self.next()
        span = _one_line(start, event) if start.flow_style else _span(start, event)
        return Mapping(span, self.source, tuple(entries.values()))


def _one_line(start: Any, end: Any) -> Span:
    """A span with something in it, within one line: elsewhere the two parsers place ends differently."""
    span = _span(start, end)
    if span.line != span.end_line or span.column == span.end_column:
        raise _Unusual
    return span


def _span(start: Any, end: Any) -> Span:
    first, last = start.start_mark, end.end_mark
    return Span(first.line, first.column, last.line, last.column)
