"""A mistake as data: code, message, place, suggestion. Wording and layout come last, in `render_text`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, order=True)
class Span:
    """A place in a text: 0-based line and column of its first and one past its last character."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class SourceText:
    """The text that spans point into. `name` is what the user typed: a path, `-`, or `--set`.

    included: where another spec takes this one in; None for the spec itself.
    """

    name: str
    text: str
    included: "Related | None" = field(default=None, repr=False)

    def line(self, number: int) -> str:
        """Line `number` (0-based) without its line break; empty past the end."""
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    @cached_property
    def lines(self) -> list[str]:
        """The text by lines, without line breaks."""
        return self.text.splitlines()


@dataclass(frozen=True)
class Related:
    """A second place that explains the first, such as where a key was defined before."""

    message: str
    span: Span
    source: SourceText


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `message` says what is wrong, `label` stands beside the caret, `hint` says what to do; `path` is the
    field that it is about."""

    code: str
    message: str
    span: Span | None
    source: SourceText | None
    severity: Severity = "error"
    label: str = ""
    hint: str = ""
    related: tuple[Related, ...] = field(default=())
    path: tuple[str | int, ...] = field(default=(), compare=False)


def inclusions(source: SourceText | None) -> tuple[Related, ...]:
    """Where a text was included, and where that one was: what a reader who sees only the outermost needs to know."""
    found: list[Related] = []
    while source is not None and source.included is not None:
        found.append(source.included)
        source = source.included.source
    return tuple(found)


class SpecError(Exception):
    """The spec is at fault. Carries every diagnostic found, errors and warnings, in order of place."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(render_text(self.diagnostics))


class InternalError(Exception):
    """A promise of our own code is broken: please report it."""


def render_text(diagnostics: Iterable[Diagnostic]) -> str:
    """Every diagnostic as `file:line:col: severity[CODE]: message` with the line and a caret."""
    return "\n\n".join(_render_one(diagnostic) for diagnostic in diagnostics)


def _render_one(diagnostic: Diagnostic) -> str:
    head = f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    lines = [_located(head, diagnostic.span, diagnostic.source)]
    lines += _snippet(diagnostic.span, diagnostic.source, diagnostic.label)
    for related in diagnostic.related:
        lines.append(_located(f"note: {related.message}", related.span, related.source))
        lines += _snippet(related.span, related.source, "")
    if diagnostic.hint:
        lines.append(f"  = help: {diagnostic.hint}")
    return "\n".join(lines)


def _located(head: str, span: Span | None, source: SourceText | None) -> str:
    if source is None:
        return head
    if span is None:
        return f"{source.name}: {head}"
    return f"{source.name}:{span.line + 1}:{span.column + 1}: {head}"


def _snippet(span: Span | None, source: SourceText | None, label: str) -> list[str]:
    if span is None or source is None:
        return []
    text = source.line(span.line)
    end = span.end_column if span.end_line == span.line else len(text)
    carets = "^" * max(1, end - span.column)
    gutter = f"{span.line + 1:>5} | "
    blank = " " * (len(gutter) - 2) + "| "
    pad = "".join("\t" if character == "\t" else " " for character in text[: span.column])
    return [gutter + text, f"{blank}{pad}{carets} {label}".rstrip()]
