"""Diagnostics for machines: JSON, and SARIF 2.1.0 for code scanning. Text is `diagnostics.render_text`."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from graphspec.codes import CODES
from graphspec.diagnostics import Diagnostic, Related, SourceText, Span
from graphspec.graphs.label_rows import LabelRows

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_json(
    findings: Mapping[str, Iterable[Diagnostic]], labels: Mapping[str, LabelRows | None] | None = None
) -> dict[str, Any]:
    """`{"specs": [{"spec", "ok", "diagnostics", "labels"}], "errors", "warnings"}`; lines and columns count from 1.

    findings: spec as named by the user -> its diagnostics. `ok` means without errors. labels: rows that have each
    label, null where they could not be counted.
    """
    specs: list[dict[str, Any]] = []
    severities: list[str] = []
    for name, found in findings.items():
        diagnostics = tuple(found)
        ok = all(diagnostic.severity != "error" for diagnostic in diagnostics)
        counted = None if labels is None else labels.get(name)
        specs.append(
            {
                "spec": name,
                "ok": ok,
                "diagnostics": [diagnostic_as_json(entry) for entry in diagnostics],
                "labels": None if counted is None else asdict(counted),
            }
        )
        severities += [diagnostic.severity for diagnostic in diagnostics]
    return {"specs": specs, "errors": severities.count("error"), "warnings": severities.count("warning")}


def diagnostic_as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """One finding as plain values."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "label": diagnostic.label,
        "hint": diagnostic.hint,
        **_place(diagnostic.span, diagnostic.source),
        "related": [
            {"message": related.message, **_place(related.span, related.source)} for related in diagnostic.related
        ],
    }


def _place(span: Span | None, source: SourceText | None) -> dict[str, Any]:
    place: dict[str, Any] = {"file": source.name if source else None}
    if span is None:
        return {**place, "line": None, "column": None, "end_line": None, "end_column": None}
    return {
        **place,
        "line": span.line + 1,
        "column": span.column + 1,
        "end_line": span.end_line + 1,
        "end_column": span.end_column + 1,
    }


def as_sarif(findings: Iterable[Diagnostic], version: str) -> dict[str, Any]:
    """One SARIF 2.1.0 log with one run. Source: OASIS Static Analysis Results Interchange Format 2.1.0, section 3.

    version: of this program.
    """
    found = list(findings)
    codes = sorted({diagnostic.code for diagnostic in found})
    driver = {"name": "graphspec", "version": version, "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, codes.index(diagnostic.code)) for diagnostic in found],
    }
    return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    entry = CODES.get(code)
    rule: dict[str, Any] = {"id": code}
    if entry is not None:
        rule["shortDescription"] = {"text": entry.title}
        rule["fullDescription"] = {"text": entry.explanation}
    return rule


def _result(diagnostic: Diagnostic, index: int) -> dict[str, Any]:
    parts = [diagnostic.message, diagnostic.label, diagnostic.hint]
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": diagnostic.severity,
        "message": {"text": "; ".join(part for part in parts if part)},
        "locations": [_location(diagnostic.span, diagnostic.source)] if diagnostic.source else [],
    }
    if diagnostic.related:
        result["relatedLocations"] = [_related(number, related) for number, related in enumerate(diagnostic.related)]
    return result


def _related(number: int, related: Related) -> dict[str, Any]:
    return {"id": number, **_location(related.span, related.source), "message": {"text": related.message}}


def _location(span: Span | None, source: SourceText) -> dict[str, Any]:
    if source.name == "--set":
        # An override is no file: it is named, not linked.
        return {"logicalLocations": [{"fullyQualifiedName": f"--set {source.text}"}]}
    name = "stdin" if source.name == "-" else source.name.replace("\\", "/")
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(name)}}
    if span is not None:
        place = _place(span, source)
        physical["region"] = {
            "startLine": place["line"],
            "startColumn": place["column"],
            "endLine": place["end_line"],
            "endColumn": place["end_column"],
        }
    return {"physicalLocation": physical}
