"""`--set section.field=value`: overrides become part of the located tree and are checked like the rest of it.

From: a `Document` and override texts. To: a new `Document`; what an override wrote is located in the override's own
text, under the name `--set`. Not here: what the fields mean.
"""

from collections.abc import Sequence as Texts
from dataclasses import replace

from graphspec.diagnostics import Diagnostic, SourceText, Span, SpecError
from graphspec.reading.schema_walk import declared_at, fields_of, sections_of
from graphspec.reading.suggestions import counted
from graphspec.text.composing import MAX_DEPTH, compose
from graphspec.text.source import Document
from graphspec.text.tree import Entry, Mapping, Node, Path, Scalar, Sequence, edited

OVERRIDE_NAME = "--set"
_EXAMPLE = "write it like --set training.epochs=10; null deletes a field"
# Setting one of these replaces the other: each determines the other.
_RIVALS: dict[Path, Path] = {("objective", "rho"): ("objective", "gamma"), ("objective", "gamma"): ("objective", "rho")}


class _Refused(Exception):
    """One override cannot be applied: where in its path, and why."""

    def __init__(self, step: int, message: str, hint: str = _EXAMPLE) -> None:
        self.step = step
        self.message = message
        self.hint = hint


class _Override:
    """One override text, taken apart: keys with their places, and the located value."""

    def __init__(self, text: str) -> None:
        self.source = SourceText(OVERRIDE_NAME, text)
        left, equals, right = text.partition("=")
        keys = left.split(".")
        starts = [sum(len(key) + 1 for key in keys[:index]) for index in range(len(keys))]
        self.keys = keys
        if len(keys) > MAX_DEPTH:
            raise SpecError([self.refuse(Span(0, 0, 0, len(left)), f"the path has more than {MAX_DEPTH} parts")])
        self.spans = [Span(0, start, 0, start + len(key)) for key, start in zip(keys, starts, strict=True)]
        if not equals:
            raise SpecError([self.refuse(Span(0, 0, 0, len(text)), "expected SECTION.FIELD=VALUE")])
        for key, span in zip(keys, self.spans, strict=True):
            if not key.strip():
                raise SpecError([self.refuse(span, "a part of the path is empty")])
        value, found = _compose_at(right, len(left) + 1, self.source)
        if found:
            raise SpecError(found)
        end = Span(0, len(text), 0, len(text))
        self.value: Node = value or Scalar(end, self.source, None, "")

    @property
    def deletes(self) -> bool:
        """The value is null."""
        return isinstance(self.value, Scalar) and self.value.value is None

    def refuse(self, span: Span, message: str, hint: str = _EXAMPLE) -> Diagnostic:
        """A diagnostic that points into the override's text."""
        return Diagnostic("GS009", message, span, self.source, hint=hint)


def apply_overrides(document: Document, overrides: Texts[str]) -> Document:
    """The document with every override applied in order. Raises SpecError with all overrides that cannot be."""
    found: list[Diagnostic] = []
    for text in overrides:
        try:
            document = _apply(document, _Override(text))
        except SpecError as error:
            found += error.diagnostics
    if found:
        raise SpecError(found)
    return document


def _apply(document: Document, override: _Override) -> Document:
    root: Node = document.root
    rival = _RIVALS.get(tuple(override.keys))
    if rival and not override.deletes and document.node(rival[:1]) and document.node(rival):
        root = edited(root, rival, lambda entry: None)
    try:
        root = _changed(root, override, 0)
    except _Refused as refused:
        raise SpecError([override.refuse(override.spans[refused.step], refused.message, refused.hint)]) from None
    assert isinstance(root, Mapping)
    return replace(document, root=root)


def _changed(node: Node, override: _Override, step: int) -> Node:
    if isinstance(node, Mapping):
        return _changed_mapping(node, override, step)
    if isinstance(node, Sequence):
        return _changed_sequence(node, override, step)
    before = ".".join(override.keys[:step])
    hint = f"set `{before}` as a whole: --set '{before}={{{override.keys[step]}: ...}}'"
    raise _Refused(step, f"`{before}` is a single value and has no parts", hint)


def _changed_mapping(node: Mapping, override: _Override, step: int) -> Mapping:
    key = override.keys[step]
    old = node.index.get(key)
    last = step == len(override.keys) - 1
    if last and override.deletes:
        if old is None and not _is_field(override.keys):
            raise _Refused(step, f"there is no `{'.'.join(override.keys)}` to delete")
        return replace(node, entries=tuple(entry for entry in node.entries if entry.key != key))
    span = override.spans[step]
    if last:
        value = override.value
    elif old is None or (isinstance(old.value, Scalar) and old.value.value is None):
        value = _changed(Mapping(span, override.source, ()), override, step + 1)
    else:
        value = _changed(old.value, override, step + 1)
    if old is None:
        return replace(node, entries=(*node.entries, Entry(key, span, override.source, value)))
    fresh = Entry(key, span, override.source, value) if last else replace(old, value=value)
    return replace(node, entries=tuple(fresh if entry.key == key else entry for entry in node.entries))


def _is_field(keys: list[str]) -> bool:
    """The language has a field there, so that deleting it means its default, also where it is not written."""
    sections = sections_of(declared_at(tuple(keys[:-1])))
    return any(keys[-1] in fields_of(section) for section in sections)


def _changed_sequence(node: Sequence, override: _Override, step: int) -> Sequence:
    key = override.keys[step]
    before = ".".join(override.keys[:step])
    if not key.isdecimal():
        raise _Refused(step, f"`{before}` is a list: expected a position such as 0, found `{key}`")
    position, items = int(key), node.items
    if position >= len(items):
        size = counted(len(items), "entry", "entries")
        raise _Refused(step, f"`{before}` has {size}: position {position} does not exist (the first is 0)")
    if step < len(override.keys) - 1:
        middle: tuple[Node, ...] = (_changed(items[position], override, step + 1),)
    else:
        middle = () if override.deletes else (override.value,)
    return replace(node, items=(*items[:position], *middle, *items[position + 1 :]))


def _compose_at(text: str, column: int, source: SourceText) -> tuple[Node | None, list[Diagnostic]]:
    """The value of an override, located in the whole override text."""
    value, found = compose(SourceText(source.name, text))
    moved = [
        replace(
            d,
            span=d.span and _shift(d.span, column),
            source=source,
            code="GS009",
            related=tuple(replace(r, span=_shift(r.span, column), source=source) for r in d.related),
        )
        for d in found
    ]
    return (None if value is None else _moved(value, column, source)), moved


def _shift(span: Span, column: int) -> Span:
    start = column if span.line == 0 else 0
    end = column if span.end_line == 0 else 0
    return Span(span.line, span.column + start, span.end_line, span.end_column + end)


def _moved(node: Node, column: int, source: SourceText) -> Node:
    span = _shift(node.span, column)
    if isinstance(node, Scalar):
        return replace(node, span=span, source=source)
    if isinstance(node, Sequence):
        return Sequence(span, source, tuple(_moved(item, column, source) for item in node.items))
    entries = (
        Entry(entry.key, _shift(entry.span, column), source, _moved(entry.value, column, source))
        for entry in node.entries
    )
    return Mapping(span, source, tuple(entries))
