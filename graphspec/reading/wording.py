"""pydantic's errors in our words: what was expected, what came, and what the author probably meant.

From: `ValidationError` and the located tree. To: `Finding`, each with the repair that reading goes on with.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_origin

from pydantic_core import ErrorDetails

from graphspec.language import FactorSpec
from graphspec.language.base import Section
from graphspec.reading.expectations import expectation, found, homes_of, type_hint
from graphspec.reading.schema_walk import (
    Place,
    arms,
    declared_at,
    fields_of,
    follow,
    network_kinds,
    sections_of,
    words_of,
)
from graphspec.reading.suggestions import did_you_mean, listed, suggest
from graphspec.reading.unsupported import Unsupported, unsupported_network, unsupported_value
from graphspec.text.scalars import resolve_scalar
from graphspec.text.source import Document
from graphspec.text.tree import Mapping as TreeMapping
from graphspec.text.tree import Node, Path, Scalar


@dataclass(frozen=True)
class Repair:
    """What to change so that checking can go on: rename a key, set or wrap a value, empty or drop an entry."""

    action: Literal["rename", "set", "wrap", "empty", "drop"]
    path: Path
    value: Any = None


@dataclass(frozen=True)
class Finding:
    """One mistake by path; `related` are paths with a word on each. Without a repair the path is best dropped."""

    code: str
    path: Path
    message: str
    key: bool = False
    label: str = ""
    hint: str = ""
    related: tuple[tuple[Path, str], ...] = ()
    repair: Repair | None = None


MOST_RIVALS = 50
_RANGES = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "greater than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def translate(errors: Iterable[ErrorDetails], document: Document) -> list[Finding]:
    """Every mistake once: the arms of a union are one mistake, and so is a misspelling of a required field."""
    grouped: dict[Path, tuple[Place, list[ErrorDetails]]] = {}
    missing: dict[Path, Place] = {}
    unknown: dict[Path, Place] = {}
    for error in errors:
        place = follow(error["loc"], document)
        if error["type"] == "missing" and isinstance(error["loc"][-1], int):  # of a list that has its length
            place = follow(error["loc"][:-1], document)
            grouped.setdefault(place.path, (place, []))[1].append(error)
        elif error["type"] == "missing":
            missing[place.path] = place
        elif error["type"] == "extra_forbidden":
            unknown[place.path] = place
        elif error["type"] != "too_short" or not error["input"]:  # a list of wrong entries is told entry by entry
            grouped.setdefault(place.path, (place, []))[1].append(error)
    findings = _misspelled(missing, unknown, document)
    findings += [_unknown(place, document) for place in unknown.values()]
    findings += [_missing(place) for place in missing.values()]
    findings += [_value(place, found_there, document) for place, found_there in grouped.values()]
    return findings


def dotted(path: Path) -> str:
    """`training.initialize.0.from`: as `--set` names it."""
    return ".".join(str(step) for step in path)


# --- fields -------------------------------------------------------------------------------------------------------


def _misspelled(missing: dict[Path, Place], unknown: dict[Path, Place], document: Document) -> list[Finding]:
    """Takes each pair of a missing field and an unknown one like it out of the two, as one finding."""
    findings = []
    for path in list(missing):
        name, parent = str(path[-1]), path[:-1]
        node, fields = document.node(parent), fields_of(_owner(parent, document))
        keys = [key for key in node.index if key not in fields] if isinstance(node, TreeMapping) else []
        del keys[MOST_RIVALS:]
        free = [field for field in fields if document.node((*parent, field)) is None]
        rival = next((key for key in keys if suggest(key, free) == name), None)
        if rival is not None:
            del missing[path]
            unknown.pop((*parent, rival), None)
            findings.append(_renamed((*parent, rival), name, document))
    return findings


def _unknown(place: Place, document: Document) -> Finding:
    name, parent = str(place.path[-1]), place.path[:-1]
    owner = _owner(parent, document)
    node = document.node(parent)
    taken = set(node.index) if isinstance(node, TreeMapping) else set()
    here = [field for field in fields_of(owner) if field not in taken]
    homes = homes_of(name)
    meant = suggest(name, here)
    if ":" in name and name.partition(":")[0] in fields_of(owner):
        key, _, value = name.partition(":")
        hint = f"a space is missing after the colon: `{key}: {value}`"
        return Finding("GS010", place.path, _no_field(name, parent), key=True, hint=hint)
    if name == "order" and parent[:1] == ("plates",) and getattr(document.node(place.path), "text", "") == "unknown":
        hint = f"it is said of the labels: `data: {{plates: {{{parent[-1]}: {{order: unknown}}}}}}`"
        return Finding(
            "GS010", place.path, _no_field(name, parent), key=True, hint=hint, repair=Repair("drop", place.path)
        )
    if meant is not None and not (homes and meant.lower() != name.lower() and not _obvious(name, meant)):
        return _renamed(place.path, meant, document)
    given = suggest(name, taken & set(fields_of(owner)))
    if given is not None and not homes:
        hint = f"its word here is `{given}`, which is already given"
    else:
        hint = f"`{name}` belongs to {listed(homes, 'or', most=None)}" if homes else _fields_hint(owner, parent)
    return Finding("GS010", place.path, _no_field(name, parent), key=True, hint=hint, repair=Repair("drop", place.path))


def _obvious(name: str, meant: str) -> bool:
    """The two words differ by a slip at most, so a like-named field elsewhere is no better guess."""
    return abs(len(name) - len(meant)) <= 1 and name[:2].lower() == meant[:2].lower()


def _renamed(path: Path, meant: str, document: Document) -> Finding:
    label = f"did you mean `{meant}`?"
    message = _no_field(str(path[-1]), path[:-1])
    node = document.node((*path[:-1], meant))
    repair = Repair("rename", path, meant) if node is None else Repair("drop", path)
    return Finding("GS010", path, message, key=True, label=label, repair=repair)


def _no_field(name: str, parent: Path) -> str:
    return f"`{dotted(parent)}` has no field `{name}`" if parent else f"there is no section `{name}`"


def _fields_hint(owner: Any, parent: Path) -> str:
    fields = list(fields_of(owner))
    what = "fields here" if parent else "sections"
    return f"{what}: {', '.join(fields)}" if fields else ""


def _owner(path: Path, document: Document) -> Any:
    """The section class of the mapping at `path`: of several forms, the one with the mapping's `kind` or fields."""
    node = document.node(path)
    keys = set(node.index) if isinstance(node, TreeMapping) else set()
    kind = node.index["kind"].value if isinstance(node, TreeMapping) and "kind" in node.index else None
    declared = declared_at(path)
    if isinstance(kind, Scalar) and (chosen := network_kinds(declared).get(kind.text)):
        return chosen
    return max(sections_of(declared), key=lambda section: len(keys & set(fields_of(section))), default=None)


def _missing(place: Place) -> Finding:
    name, parent = str(place.path[-1]), place.path[:-1]
    message = f"`{dotted(parent)}` needs a field `{name}`" if parent else f"the section `{name}` is missing"
    return Finding("GS011", place.path, message, hint=_purpose(place))


def _purpose(place: Place) -> str:
    owner = declared_at(place.path[:-1])
    for section in sections_of(owner):
        field = fields_of(section).get(str(place.path[-1]))
        if field is not None and field.description:
            return f"`{place.path[-1]}`: {field.description}"
    return f"expected {expectation(place.declared)}"


# --- values -------------------------------------------------------------------------------------------------------


def _value(place: Place, errors: list[ErrorDetails], document: Document) -> Finding:
    error = errors[0]
    kind = error["type"]
    refused = unsupported_value(place.path, document.node(place.path))
    if refused is not None:
        return _refused(place.path, refused)
    if kind in _RANGES and len(errors) == 1:
        return _out_of_range(place, error, document)
    if kind == "value_error":
        return _rule(place, error, document)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _network_kind(place, document)
    if kind == "string_pattern_mismatch":
        message = f"{found(document.node(place.path))} does not have the form that `{dotted(place.path)}` needs"
        return Finding("GS018", place.path, message, hint=_purpose(place))
    if kind == "too_short":
        message = f"`{dotted(place.path)}` needs at least one entry, found an empty list"
        return Finding("GS012", place.path, message, hint=_purpose(place))
    if kind in ("missing", "too_long"):
        entries = getattr(document.node(place.path), "items", ())
        message = f"expected {expectation(place.declared)} for `{dotted(place.path)}`, found {len(entries)}"
        return Finding("GS012", place.path, message, hint=_purpose(place))
    if kind == "finite_number":
        return Finding("GS014", place.path, f"`{dotted(place.path)}` must be a finite number")
    return _wrong_kind(place, document)


def _wrong_kind(place: Place, document: Document) -> Finding:
    node = document.node(place.path)
    words = [word for word in words_of(place.declared) if isinstance(word, str)]
    text = node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None
    wanted = expectation(place.declared)
    message = f"expected {wanted} for `{dotted(place.path)}`, found {found(node)}"
    if text is not None and words:
        meant = suggest(text, words)
        repair = Repair("set", place.path, meant) if meant else None
        return Finding("GS013", place.path, message, label=did_you_mean(text, words), repair=repair)
    label = did_you_mean(text, ["learned", "auto"]) if text and re.search("`(learned|auto)`", wanted) else ""
    hint = type_hint(node, place.declared)
    return Finding("GS012", place.path, message, label=label, hint=hint, repair=_plain_repair(place, node, text))


def _plain_repair(place: Place, node: Node | None, text: str | None) -> Repair | None:
    """A value whose meaning is plain although its form is wrong: an empty factor, a number in quotes, a list of one."""
    forms = list(arms(place.declared))
    if isinstance(node, Scalar) and node.value is None and FactorSpec in forms:
        return Repair("empty", place.path)
    if text is None:
        return None
    number = resolve_scalar(text) if len(text) < 19 else text
    if isinstance(number, int | float) and not isinstance(number, bool) and type(number) in forms:
        return Repair("set", place.path, number)
    return Repair("wrap", place.path) if forms and all(get_origin(form) is tuple for form in forms) else None


def _out_of_range(place: Place, error: ErrorDetails, document: Document) -> Finding:
    name, words = _RANGES[error["type"]]
    limit = error.get("ctx", {})[name]
    message = f"`{dotted(place.path)}` must be {words} {limit:g}, found {found(document.node(place.path))}"
    return Finding("GS014", place.path, message)


def _rule(place: Place, error: ErrorDetails, document: Document) -> Finding:
    """A rule over several fields, or over the form of a text; it points at the last field that the rule names."""
    message = str(error.get("ctx", {}).get("error", error["msg"]))
    node = document.node(place.path)
    if not isinstance(node, TreeMapping):
        return Finding("GS018", place.path, f"`{dotted(place.path)}`: {message}; found {found(node)}")
    named = [entry.key for entry in node.entries if re.search(rf"\b{re.escape(entry.key)}\b", message)]
    where = f"`{dotted(place.path)}`: {message}"
    if len(named) < 2:
        return Finding("GS015", place.path, where, repair=_drop(place.path))
    related = tuple(((*place.path, key), "the other is here") for key in named[:-1])
    return Finding("GS015", (*place.path, named[-1]), where, key=True, related=related)


def _drop(path: Path) -> Repair | None:
    return Repair("drop", path) if len(path) > 1 else None


def _refused(path: Path, found: Unsupported) -> Finding:
    repair = Repair("set", path, found.go_on) if found.go_on is not None else None
    return Finding(found.code, path, found.message, hint=found.hint, repair=repair)


def _network_kind(place: Place, document: Document) -> Finding:
    node = document.node(place.path)
    assert isinstance(node, TreeMapping)
    kinds = network_kinds(place.declared)
    hint = f"kinds of networks: {', '.join(kinds)}"
    path = (*place.path, "kind")
    written = document.node(path)
    if written is None:
        return _without_kind(place.path, node, kinds, document, hint)
    text = str(written.text) if isinstance(written, Scalar) else ""
    refused = unsupported_network(text)
    if refused is not None:
        return _refused(path, refused)
    meant = suggest(text, kinds)
    message = f"`{dotted(place.path)}` has a kind that does not exist: {found(written)}"
    repair = Repair("set", path, meant) if meant else None
    return Finding("GS013", path, message, label=did_you_mean(text, kinds), hint=hint, repair=repair)


def _without_kind(
    path: Path, node: TreeMapping, kinds: Mapping[str, type[Section]], document: Document, hint: str
) -> Finding:
    misspelled = [key for key in node.index if suggest(key, ["kind"])]
    if misspelled:
        return _renamed((*path, misspelled[0]), "kind", document)
    fitting = [word for word, kind in kinds.items() if node.index and set(node.index) <= set(fields_of(kind))]
    hint = f"kinds with these fields: {', '.join(fitting)}" if fitting else hint
    return Finding("GS011", (*path, "kind"), f"`{dotted(path)}` needs a field `kind`", hint=hint)
