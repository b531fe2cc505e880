"""YAML text becomes a located tree: every key and value knows its place.

From: text. To: `Document`, immutable. Scalars follow the core schema of YAML 1.2 (so `1e-3` is a number, and `no` is
a word). Not here: what the fields mean.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphspec.diagnostics import Diagnostic, Related, SourceText, Span, SpecError
from graphspec.text.composing import compose
from graphspec.text.tree import Mapping, Node, Path, Scalar, Sequence, child, plain


@dataclass(frozen=True)
class Document:
    """One spec as a located tree."""

    root: Mapping
    source: SourceText

    @cached_property
    def value(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars; keys are always text."""
        result = plain(self.root)
        assert isinstance(result, dict)
        return result

    def node(self, path: Path) -> Node | None:
        """What stands at `path`, None if nothing does."""
        found: Node | None = self.root
        for step in path:
            found = child(found, step)
        return found

    def locate(self, path: Path, *, key: bool = False) -> tuple[Span, SourceText]:
        """Place of the value at `path`, or of its key. Where the path ends early: of the deepest part that exists,
        by its key if it spans several lines, for then the key is what a reader recognises."""
        place: tuple[Span, SourceText] = (self.root.span, self.root.source)
        if self.root.entries:
            place = (self.root.entries[0].span, self.root.entries[0].source)
        here: Node = self.root
        for depth, step in enumerate(path):
            below = child(here, step)
            if below is None:
                return place
            key_place = _key_place(here, step)
            last = depth == len(path) - 1
            wants_key = key if last else below.span.line != below.span.end_line
            place = key_place if key_place and wants_key else (below.span, below.source)
            here = below
        return place


def _key_place(node: Node, step: str | int) -> tuple[Span, SourceText] | None:
    if isinstance(node, Mapping) and isinstance(step, str):
        return node.index[step].span, node.index[step].source
    return None


def read_document(text: str, name: str) -> Document:
    """The located tree of a spec. `name` is what the user typed, for messages.

    Raises SpecError with everything found: syntax, duplicate keys, merge keys, tags, anchors that contain themselves
    or expand too far, more than 1 MiB, 64 levels or 100 000 values, no content, several documents, no mapping.
    """
    document, found = read_faulty_document(text, name)
    if found:
        raise SpecError(found)
    return document


def read_faulty_document(
    text: str, name: str, included: Related | None = None
) -> tuple[Document, tuple[Diagnostic, ...]]:
    """The located tree, and what is wrong with it where that leaves the structure known (a duplicate key, a tag), so
    that the other mistakes can be found too. Raises SpecError where the structure is not known.

    included: where another spec takes this one in.
    """
    source = SourceText(name, text.removeprefix("\ufeff"), included)
    root, found = compose(source)
    if isinstance(root, Mapping):
        return Document(root, source), tuple(found)
    if root is not None and not (isinstance(root, Scalar) and root.value is None):
        kind = "a list" if isinstance(root, Sequence) else "a single value"
        hint = "a spec starts like `graphspec: 1`, then `variables:`, `generative:`, `recognition:`"
        found.append(Diagnostic("GS007", f"expected sections, found {kind}", root.span, source, hint=hint))
    elif not found:
        hint = "`graphspec new` writes a starter spec"
        found.append(Diagnostic("GS007", "there is nothing in this file", None, source, hint=hint))
    raise SpecError(sorted(found, key=lambda diagnostic: diagnostic.span or Span(0, 0, 0, 0)))
