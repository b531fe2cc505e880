"""What PyYAML's syntax errors mean for someone who writes a spec: place, what was expected, what to do."""

import re
from dataclasses import dataclass

import yaml
from yaml.reader import Reader, ReaderError

from graphspec.diagnostics import Diagnostic, Related, SourceText, Span


@dataclass(frozen=True)
class _Wording:
    """How one of PyYAML's messages is told. `pattern` meets `problem`, `context` meets the context if given.

    at_context: the mistake stands where the construct began. opened: name it as a second place.
    """

    pattern: str
    message: str
    hint: str
    context: str = ""
    code: str = "GS002"
    at_context: bool = False
    opened: str = ""


_QUOTE = "put the text in quotes"
_WORDINGS = (
    _Wording(r"found character '\\t'", "a tab where YAML expects spaces", "indent with spaces"),
    _Wording(r"found character '([@`%])'", "a value cannot start with `{0}`", _QUOTE),
    _Wording(
        r"found undefined alias '?([^']*)'?",
        "no anchor is called `{0}`",
        "an anchor `&{0}` must come before its alias `*{0}`",
        code="GS004",
    ),
    _Wording(
        r"second occurrence",
        "this anchor is defined twice",
        "give the second anchor a name of its own",
        context=r"duplicate anchor",
        code="GS004",
        opened="first defined here",
    ),
    _Wording(
        r"but found another document",
        "a second document starts here",
        "a file holds one spec: remove `---`",
        code="GS007",
    ),
    _Wording(
        r"mapping values are not allowed here",
        "a `:` that belongs to no key",
        "check the indentation of this line and the one above; a text with `: ` in it needs quotes",
    ),
    _Wording(
        r"could not find expected ':'",
        "expected `:` after this key",
        "write `key: value`; a text over several lines needs quotes",
        at_context=True,
    ),
    _Wording(
        r"expected ',' or '([\]}])', but got '?([^']*)'?",
        "expected `,` or `{0}` here",
        "close the bracket, or separate the entries by commas",
        opened="the bracket opened here",
    ),
    _Wording(
        r"expected <block end>, but found '([^']*)'",
        "this does not line up with the lines above",
        "entries of one mapping or list start in the same column",
    ),
    _Wording(
        r"found unexpected end of stream",
        "this quote is never closed",
        "close the quote",
        context=r"quoted scalar",
        at_context=True,
    ),
    _Wording(r"expected '<document start>', but found '([\]}])'", "this `{0}` closes nothing", "remove it"),
    _Wording(
        r"expected '<document start>'",
        "this does not belong to the mapping above",
        "entries of one mapping start in the same column",
    ),
    _Wording(
        r"sequence entries are not allowed here",
        "a list entry cannot start here",
        "put `- ` on a line of its own, below its key",
    ),
    _Wording(
        r"found unknown escape character '(.)'",
        "`\\{0}` is not an escape sequence",
        "use single quotes, or write the backslash twice",
    ),
    _Wording(r"expected alphabetic or numeric character", "expected a name after `&` or `*`", _QUOTE),
    _Wording(
        r"found undefined tag handle",
        "tags are refused: a spec constructs no objects",
        "write the value alone; quotes make it text",
        code="GS006",
    ),
    _Wording(
        r"expected the node content, but found '([^']*)'",
        "expected a value, found `{0}`",
        "write the value before it; quotes make it text",
    ),
)


def explain_syntax(error: yaml.MarkedYAMLError | ReaderError, source: SourceText) -> Diagnostic:
    """PyYAML's error in our words, at the place where the author should look."""
    if isinstance(error, ReaderError):
        return _unprintable(error, source)
    problem, context = error.problem or "", error.context or ""
    for wording in _WORDINGS:
        match = re.search(wording.pattern, problem)
        if match and re.search(wording.context, context):
            return _worded(wording, match, error, source)
    message = f"this is not YAML: {problem or context}"
    return Diagnostic("GS002", message, _place(error.problem_mark or error.context_mark), source)


def _worded(wording: _Wording, match: re.Match[str], error: yaml.MarkedYAMLError, source: SourceText) -> Diagnostic:
    mark = error.context_mark if wording.at_context and error.context_mark else error.problem_mark
    related: tuple[Related, ...] = ()
    opened = _place(error.context_mark)
    if wording.opened and opened is not None:
        related = (Related(wording.opened, opened, source),)
    groups = match.groups()
    message, hint = wording.message.format(*groups), wording.hint.format(*groups)
    return Diagnostic(wording.code, message, _place(mark), source, hint=hint, related=related)


def _place(mark: yaml.Mark | None) -> Span | None:
    return None if mark is None else Span(mark.line, mark.column, mark.line, mark.column + 1)


def _unprintable(error: ReaderError, source: SourceText) -> Diagnostic:
    before = source.text[: error.position].splitlines() or [""]
    fresh = source.text[: error.position].endswith(("\n", "\r"))
    line, column = (len(before), 0) if fresh else (len(before) - 1, len(before[-1]))
    message = f"the character U+{ord(source.text[error.position]):04X} is not allowed in YAML"
    shown = SourceText(source.name, Reader.NON_PRINTABLE.sub("\N{REPLACEMENT CHARACTER}", source.text))
    return Diagnostic("GS002", message, Span(line, column, line, column + 1), shown, hint="remove it")
