"""A located tree becomes a `Spec`: shapes of fields, names, language version.

From: `Document`. To: `Spec`, or None where too much is wrong to go on. What can be repaired by an obvious guess (a
misspelled field, a word that has a synonym) is reported and repaired, so that later rules see the rest and all
mistakes come at once. Not here: rules over the two graphs (`graphs/`, `rules/`).
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from pydantic import ValidationError

from graphspec.language import Spec
from graphspec.language.base import IDENTIFIER, RESERVED_NAMES
from graphspec.reading.suggestions import listed
from graphspec.reading.wording import Finding, Repair, translate
from graphspec.text.report import Report
from graphspec.text.source import Document
from graphspec.text.tree import Entry, Mapping, Node, Path, Scalar, Sequence, edited

LANGUAGE_VERSION = 1
ROUNDS = 5
MOST_ERRORS = 200
# A wrong value here says nothing about the graphs: they are checked as if it had been left out.
INDEPENDENT = frozenset({"name", "description", "objective", "data", "training"})


def read_spec(document: Document, report: Report) -> Spec | None:
    """The spec, with every mistake of field, value and name reported.

    None where the rest of the checks would only report consequences. What could not be read is left out and noted in
    `report.dropped`, so that the rules say nothing about what hangs on it. Afterwards `report.document` is the document
    as repaired, in which every place is still the author's.
    """
    _check_version(document, report)
    usable = _check_names(document, report)
    spec = _validated(document, report)
    return spec if usable else None


def _validated(document: Document, report: Report) -> Spec | None:
    """Validates, repairs what was found, and validates again: a field that was misspelled has its value checked too."""
    dropped: set[Path] = set()
    for _ in range(ROUNDS):
        report.document = document
        value = dict(document.value)
        value["graphspec"] = LANGUAGE_VERSION
        try:
            return _without_faulty_data(Spec.model_validate(value), dropped)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            findings = translate(errors[:MOST_ERRORS], document)
        for finding in findings:
            if not _follows(finding, dropped):
                _report(finding, report)
        if len(errors) > MOST_ERRORS:
            report.error("GS008", (), f"{len(errors) - MOST_ERRORS} more mistakes of fields and values are not shown")
            return None
        repairs = [_repair(finding) for finding in findings]
        dropped |= {repair.path for repair in repairs if repair.action == "drop"}
        report.dropped |= {path for path in dropped if path[0] not in INDEPENDENT}
        document = _repaired(document, repairs)
    return None


def _follows(finding: Finding, dropped: set[Path]) -> bool:
    """The finding is only there because something was left out."""
    if finding.code == "GS015":
        mapping = finding.path[:-1] if finding.key else finding.path
        return any(path[: len(mapping)] == mapping for path in dropped)
    parents = {path[:-1] for path in dropped}
    if finding.code == "GS012":
        return finding.path in parents  # a list left empty by it
    return finding.code == "GS011" and (finding.path in dropped or finding.path[:-1] in parents)


def _without_faulty_data(spec: Spec, dropped: set[Path]) -> Spec:
    """Rules on data look at many fields together: with some of them left out they would see mistakes that are none."""
    faulty = any(path[0] == "data" for path in dropped)
    return spec.model_copy(update={"data": None}) if faulty else spec


def _report(finding: Finding, report: Report) -> None:
    related = tuple(report.related(path, words, key=True) for path, words in finding.related)
    message = finding.message
    hint = finding.hint
    report.error(finding.code, finding.path, message, key=finding.key, label=finding.label, hint=hint, related=related)


def _repair(finding: Finding) -> Repair:
    """The guess to go on with: the finding's own, else to leave out what is wrong."""
    if finding.repair is not None:
        return finding.repair
    missing = finding.code == "GS011" and len(finding.path) > 1
    return Repair("drop", finding.path[:-1] if missing else finding.path)


def _repaired(document: Document, repairs: Iterable[Repair]) -> Document:
    """The document with every repair applied, in which places are still the author's; a repair whose path is gone by
    then is passed over."""
    root: Node = document.root
    # Later positions first: dropping an entry of a list moves those after it.
    for repair in sorted(repairs, key=lambda repair: [str(step).rjust(12) for step in repair.path], reverse=True):
        root = edited(root, repair.path, partial(_mended, repair))
    assert isinstance(root, Mapping)
    return replace(document, root=root)


def _mended(repair: Repair, entry: Entry) -> Entry | None:
    """The new key, or the new value at the same place; None: dropped."""
    node = entry.value
    match repair.action:
        case "rename":
            return replace(entry, key=str(repair.value))
        case "set":
            return replace(entry, value=Scalar(node.span, node.source, repair.value, str(repair.value)))
        case "wrap":
            return replace(entry, value=Sequence(node.span, node.source, (node,)))
        case "empty":
            return replace(entry, value=Mapping(node.span, node.source, ()))
    return None


def _check_version(document: Document, report: Report) -> None:
    node = document.node(("graphspec",))
    if node is None:
        report.error("GS017", (), "the language version is missing", hint=f"begin with `graphspec: {LANGUAGE_VERSION}`")
    elif not isinstance(node, Scalar) or type(node.value) is not int or node.value != LANGUAGE_VERSION:
        message = f"this program reads language version {LANGUAGE_VERSION}"
        report.error("GS017", ("graphspec",), message, hint=f"write `graphspec: {LANGUAGE_VERSION}`")


def _check_names(document: Document, report: Report) -> bool:
    """Names that are no identifiers are reported and kept; False where a reserved name makes the graphs unreadable."""
    usable = True
    for section, what in (("variables", "variable"), ("networks", "network"), ("include", "included spec")):
        node = document.node((section,))
        reserved = {"variables": RESERVED_NAMES, "networks": RESERVED_NAMES - {"default"}}.get(section, frozenset())
        for name in node.index if isinstance(node, Mapping) else ():
            if name in reserved:
                usable = False
                message = f"`{name}` has a meaning of its own and cannot be the name of a {what}"
                hint = f"{listed(sorted(reserved), quote='`')} are reserved"
                report.error("GS016", (section, name), message, key=True, hint=hint)
            elif not re.fullmatch(IDENTIFIER, name):
                message = f"`{name}` cannot be the name of a {what}"
                report.error("GS016", (section, name), message, key=True, hint=_name_hint(name))
    return usable


def _name_hint(name: str) -> str:
    rule = "names have letters, digits and `_`, and start with no digit"
    better = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    better = f"_{better}" if better[:1].isdigit() else better
    return f"{rule}: `{better}`" if better and better not in RESERVED_NAMES else rule
