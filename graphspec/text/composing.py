"""Composing YAML into a located tree. Composition is PyYAML's; objects are never constructed.

From: `SourceText`. To: the root `Node` and every finding. Not here: what the fields mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Never

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from graphspec.diagnostics import Diagnostic, Related, SourceText, Span
from graphspec.text.scalars import resolve_scalar
from graphspec.text.tree import Entry, Mapping, Node, Plain, Scalar, Sequence
from graphspec.text.yaml_errors import explain_syntax

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000


class _Stop(Exception):
    """A cap was reached; nothing sensible can follow."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


class _Composer(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML's composer with caps. A node's `tag` is "plain" or "text" unless the author wrote a tag."""

    def __init__(self, source: SourceText) -> None:
        Reader.__init__(self, source.text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self.source = source
        self.depth = 0
        self.count = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return "plain" if implicit is True or (isinstance(implicit, tuple) and implicit[0]) else "text"

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.count += 1
        place = _point(self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        if self.depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise _Stop(Diagnostic("GS008", message, place, self.source))
        if self.count > MAX_NODES:
            message = f"more than {MAX_NODES} values in one file"
            raise _Stop(Diagnostic("GS008", message, place, self.source))
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _point(mark: Any) -> Span:
    return Span(mark.line, mark.column, mark.line, mark.column + 1)


def _span(node: Any) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line, start.column, end.line, end.column)


def compose(source: SourceText) -> tuple[Node | None, list[Diagnostic]]:
    """The located tree of one YAML document (None: empty, or too broken to build) and what is wrong with it."""
    if len(source.text.encode("utf-8", "replace")) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES >> 20} MiB"
        return None, [Diagnostic("GS008", message, None, source, hint="a spec holds structure; data belongs in files")]
    try:
        root = _Composer(source).get_single_node()
    except _Stop as stop:
        return None, [stop.diagnostic]
    except (yaml.MarkedYAMLError, ReaderError) as error:
        return None, [explain_syntax(error, source)]
    if root is None:
        return None, []
    builder = _Builder(source)
    try:
        return builder.build(root).node, builder.found
    except _Stop as stop:
        return None, [*builder.found, stop.diagnostic]


@dataclass(frozen=True)
class _Built:
    """A finished node; `count` and `height` are those of the tree with every alias written out."""

    node: Node
    count: int
    height: int


@dataclass
class _Builder:
    """PyYAML's nodes -> ours. An alias is the very node of its anchor, so sizes are counted, not walked."""

    source: SourceText
    found: list[Diagnostic] = field(default_factory=list)
    done: dict[int, _Built] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)

    def build(self, node: Any) -> _Built:
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.open:
            self._stop("GS004", _span(node), "this anchor contains itself", "write the inner part out")
        self.open.add(id(node))
        self._refuse_tag(node)
        parts = list(self._parts(node))
        count = 1 + sum(part.count for part in parts)
        height = 1 + max((part.height for part in parts), default=0)
        if count > MAX_NODES:
            self._stop("GS004", _span(node), f"aliases expand to more than {MAX_NODES} values", "write fewer aliases")
        if height > MAX_DEPTH:
            self._stop("GS008", _span(node), f"nested more than {MAX_DEPTH} levels deep", "")
        self.open.remove(id(node))
        built = _Built(self._assemble(node, [part.node for part in parts]), count, height)
        self.done[id(node)] = built
        return built

    def _parts(self, node: Any) -> Iterator[_Built]:
        if isinstance(node, yaml.MappingNode):
            yield from (self.build(value) for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            yield from (self.build(item) for item in node.value)

    def _assemble(self, node: Any, parts: list[Node]) -> Node:
        if isinstance(node, yaml.SequenceNode):
            return Sequence(_span(node), self.source, tuple(parts))
        if isinstance(node, yaml.MappingNode):
            return Mapping(_span(node), self.source, self._entries(node, parts))
        return Scalar(_span(node), self.source, self._scalar(node), node.value)

    def _scalar(self, node: Any) -> Plain:
        if node.tag != "plain":
            return str(node.value)
        try:
            return resolve_scalar(node.value)
        except OverflowError:
            self._error("GS008", _span(node), "this whole number does not fit in 64 bits")
            return 0

    def _entries(self, node: Any, parts: list[Node]) -> tuple[Entry, ...]:
        seen: dict[str, Entry] = {}
        merged: list[Entry] = []  # what the author meant by `<<`, so that no field seems to be missing
        for (key, _), value in zip(node.value, parts, strict=True):
            if not isinstance(key, yaml.ScalarNode):
                self._error("GS002", _span(key), "a key must be a single word", "lists and mappings cannot be keys")
            elif key.value == "<<" and key.style is None:
                hint = "anchors and aliases (&name, *name) repeat whole values; write merged fields out"
                self._error("GS005", _span(key), "the merge key `<<` is not part of the language", hint)
                merged += value.entries if isinstance(value, Mapping) else ()
            else:
                self._refuse_tag(key)
                entry = Entry(key.value, _span(key), self.source, value)
                if key.value in seen:
                    self._duplicate(entry, seen[key.value])
                else:
                    seen[key.value] = entry
        return (*seen.values(), *(entry for entry in merged if entry.key not in seen))

    def _duplicate(self, entry: Entry, first: Entry) -> None:
        related = (Related("first defined here", first.span, first.source),)
        message = f"`{entry.key}` is defined twice"
        hint = "remove one of the two, or rename it"
        self.found.append(
            Diagnostic("GS003", message, entry.span, entry.source, label="second time", hint=hint, related=related)
        )

    def _refuse_tag(self, node: Any) -> None:
        if node.tag not in ("plain", "text"):
            shown = str(node.tag).replace("tag:yaml.org,2002:", "!!")
            hint = "write the value alone; quotes make it text"
            self._error("GS006", _span(node), f"the tag `{shown}` is refused: a spec constructs no objects", hint)

    def _error(self, code: str, span: Span, message: str, hint: str = "") -> None:
        self.found.append(Diagnostic(code, message, span, self.source, hint=hint))

    def _stop(self, code: str, span: Span, message: str, hint: str) -> Never:
        raise _Stop(Diagnostic(code, message, span, self.source, hint=hint))
