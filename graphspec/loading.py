"""`load`: path -> `Graphs`, the steps of the front in order, all mistakes at once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from graphspec.diagnostics import Diagnostic, Span, SpecError
from graphspec.graphs.connect import connect
from graphspec.graphs.declared_names import outline_of
from graphspec.graphs.graph import Graphs
from graphspec.headers.automatic_names import fill_names
from graphspec.including.expansion import take_in_includes
from graphspec.reading.overrides import apply_overrides
from graphspec.reading.spec_files import read_text
from graphspec.reading.validation import read_spec
from graphspec.rules import check_rules
from graphspec.rules.data_rules import spec_file
from graphspec.text.report import Report
from graphspec.text.source import read_faulty_document


def load(
    path: str | Path, overrides: Sequence[str] = (), *, text: str | None = None, data_dir: Path | None = None
) -> Graphs:
    """The two graphs of a spec, checked, with every default filled in. Warnings stand in `Graphs.warnings`.

    path: a file, or "-" for standard input. overrides: `section.field=value` each. text: the spec itself, if it is at
    hand; `path` is then only its name in messages. data_dir: where data are looked for last (`--data-dir`).
    Raises SpecError, whose `diagnostics` are everything found, in order of place.
    """
    graphs, diagnostics = _checked(str(path), overrides, text, data_dir)
    if graphs is None or any(found.severity == "error" for found in diagnostics):
        raise SpecError(diagnostics)
    return replace(graphs, warnings=diagnostics)


def check_file(
    path: str | Path, overrides: Sequence[str] = (), *, text: str | None = None, data_dir: Path | None = None
) -> tuple[Diagnostic, ...]:
    """Everything found in a spec, in order of place; empty if it is fine. Never raises SpecError."""
    return check_graphs(path, overrides, text=text, data_dir=data_dir)[1]


def check_graphs(
    path: str | Path, overrides: Sequence[str] = (), *, text: str | None = None, data_dir: Path | None = None
) -> tuple[Graphs | None, tuple[Diagnostic, ...]]:
    """The graphs, or None if there are errors, and everything found. Never raises SpecError."""
    try:
        graphs, found = _checked(str(path), overrides, text, data_dir)
    except SpecError as error:
        return None, error.diagnostics
    return (None if any(each.severity == "error" for each in found) else graphs), found


def _checked(
    name: str, overrides: Sequence[str], text: str | None, data_dir: Path | None
) -> tuple[Graphs | None, tuple[Diagnostic, ...]]:
    document, found = read_faulty_document(read_text(name) if text is None else text, name)
    try:
        document = apply_overrides(document, overrides)
    except SpecError as error:
        raise SpecError((*found, *error.diagnostics)) from None
    report = Report(document)
    report.diagnostics += found
    graphs = None
    spec = read_spec(take_in_includes(document, report), report)
    if spec is not None:
        spec = fill_names(spec, spec_file(report), data_dir, report)
        outline = outline_of(spec, report)
        graphs = connect(outline, report)
        graphs = check_rules(outline, graphs, report, data_dir)
    return graphs, tuple(sorted(report.diagnostics, key=_place))


def _place(diagnostic: Diagnostic) -> tuple[bool, str, Span, str]:
    """Order of reading: the file before the overrides, then by line and column."""
    name = diagnostic.source.name if diagnostic.source else ""
    return name == "--set", name, diagnostic.span or Span(0, 0, 0, 0), diagnostic.code
