"""Includes become parts of the tree of the spec that names them, before anything else looks at it.

From: a document with a section `include`. To: one flat document without it, in which every place is still in the file
where it was written, and what starts from a run stands in `training.initialize`. Reports GS091 to GS096, and sets
`Report.incomplete` where an include could not be taken in. Not here: what any rule says of the flat spec.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from graphspec.including.agreement import (
    counted_alike,
    declared_alike,
    names_are_known,
    parents_keep_names,
    role_may_be,
)
from graphspec.including.default_network import with_network
from graphspec.including.included_spec import Opened, open_included
from graphspec.including.renaming import Naming, as_node, entries_of, with_field
from graphspec.language.include import IncludeSpec
from graphspec.text.report import Report
from graphspec.text.source import Document
from graphspec.text.tree import Entry, Mapping, Node, Scalar, Sequence, child, plain

SECTIONS = ("variables", "generative", "recognition", "networks")
GRAPHS = ("generative", "recognition")


def take_in_includes(document: Document, report: Report, chain: tuple[Path, ...] = ()) -> Document:
    """The flat document. An entry of `include` that is no include stays, for whoever checks the fields.

    chain: files that are open already, the outermost first.
    """
    section = child(document.root, "include")
    if not isinstance(section, Mapping):
        return document
    flat = _Flat(document, report)
    unread: list[Entry] = []
    for entry in section.entries:
        wanted = _fields(entry)
        if wanted is None:
            unread.append(entry)
            report.incomplete = True
            continue
        opened = open_included(
            entry, wanted, report, chain or (Path(document.source.name).resolve(),), take_in_includes
        )
        if opened is None or not flat.add(opened):
            report.incomplete = True
    return flat.document(replace(section, entries=tuple(unread)))


def _fields(entry: Entry) -> IncludeSpec | None:
    try:
        return IncludeSpec.model_validate(plain(entry.value))
    except ValidationError:
        return None


class _Flat:
    """The sections of a spec while includes are added to them."""

    def __init__(self, document: Document, report: Report) -> None:
        self._document, self._report = document, report
        self._own = {name: {e.key: e for e in entries_of(document.root, name)} for name in SECTIONS}
        self._brought: dict[str, dict[str, tuple[Entry, str]]] = {name: {} for name in SECTIONS}
        self._weights: list[Node] = []

    def add(self, opened: Opened) -> bool:
        """Everything that an include brings; False (reported) where it does not fit."""
        naming = self._naming(opened)
        fits = [
            names_are_known(opened, self._report),
            self._plate_is_there(opened),
            self._names_are_free(opened, naming),
            self._variables_fit(opened, naming),
            parents_keep_names(opened, naming, self._report),
            counted_alike(opened, naming, self._report),
            self._freezes_a_run(opened),
        ]
        if not all(fits):
            return False
        kept = {side: self._factors(opened, side) for side in GRAPHS}
        alone = [self._is_alone(opened, side, naming.factor(e), e) for side, factors in kept.items() for e in factors]
        for side, factors in kept.items():
            for entry in factors:
                made = naming.factor(with_network(opened, side, entry))
                self._brought[side].setdefault(made.key, (made, opened.here.key))
        self._add_variables(opened, naming)
        self._add_networks(opened, naming, kept)
        self._weights += self._starts(opened, naming, kept)
        return all(alone)

    def document(self, unread: Mapping) -> Document:
        """The flat document; `unread` includes stay."""
        sections: dict[str, Node] = {}
        for name in SECTIONS:
            brought = tuple(entry for entry, _ in self._brought[name].values())
            there = child(self._document.root, name)
            if brought and (there is None or isinstance(there, Mapping) or _is_auto(there)):
                sections[name] = _with_entries(there, brought, unread)
        training = self._training(unread)
        if training is not None:
            sections["training"] = training
        entries = [e for e in self._document.root.entries if e.key != "include"]
        known = {e.key for e in entries}
        entries = [replace(e, value=sections.get(e.key, e.value)) for e in entries]
        entries += [Entry(n, v.span, v.source, v) for n, v in sections.items() if n not in known]
        if unread.entries:
            entries.append(Entry("include", unread.span, unread.source, unread))
        return replace(self._document, root=replace(self._document.root, entries=tuple(entries)))

    def _naming(self, opened: Opened) -> Naming:
        prefix, given = opened.here.key, opened.wanted.rename
        variables = {e.key: given.get(e.key, f"{prefix}_{e.key}") for e in opened.entries("variables")}
        return Naming(variables, {e.key: f"{prefix}_{e.key}" for e in opened.entries("networks")})

    def _factors(self, opened: Opened, side: str) -> list[Entry]:
        left = set(opened.wanted.without)
        return [entry for entry in opened.entries(side) if f"{side}.{entry.key}" not in left]

    def _plate_is_there(self, opened: Opened) -> bool:
        plate = opened.wanted.plate
        if plate is None or any(entry.key == plate for entry in entries_of(self._document.root, "plates")):
            return True
        message = f"there is no plate '{plate}'"
        hint = f"declare it: `plates: {{{plate}: {{size: 3}}}}`"
        self._report.error("GS020", (*opened.place, "plate"), message, hint=hint)
        return False

    def _freezes_a_run(self, opened: Opened) -> bool:
        if not opened.wanted.freeze or opened.wanted.run is not None:
            return True
        message = "`freeze` keeps the weights of a run, and a `spec` has none: they would stay as they were drawn"
        hint = "train it, and include the `run`; or leave `freeze` out"
        self._report.error("GS093", (*opened.place, "freeze"), message, key=True, hint=hint)
        return False

    def _names_are_free(self, opened: Opened, naming: Naming) -> bool:
        """No two things of one name, but a variable that this spec declares too."""
        fine, seen = True, dict[str, str]()
        for inner, name in naming.variables.items():
            path = (*opened.place, "rename", inner)
            other = self._brought["variables"].get(name)
            if name in seen:
                message = f"'{seen[name]}' and '{inner}' of the included spec would both be called '{name}'"
                self._report.error("GS092", path, message, hint="rename one of them")
                fine = False
            elif other is not None:
                message = f"'{other[1]}' and '{opened.here.key}' both bring a variable '{name}'"
                hint = f"rename one of them; or declare '{name}' in this spec, if they are one variable"
                related = (self._report.related(("include", other[1]), "the other include", key=True),)
                self._report.error("GS092", path, message, hint=hint, related=related)
                fine = False
            seen[name] = inner
        for inner, name in naming.networks.items():
            if name in self._own["networks"]:
                related = (self._report.related(("networks", name), "written here", key=True),)
                message = f"the included network '{inner}' would be called '{name}', which is taken"
                hint = "rename the network here, or the include"
                self._report.error("GS092", opened.place, message, key=True, hint=hint, related=related)
                fine = False
        return fine

    def _variables_fit(self, opened: Opened, naming: Naming) -> bool:
        fits = [True]
        for entry in opened.entries("variables"):
            own = self._own["variables"].get(naming.variables[entry.key])
            fits.append(role_may_be(opened, entry.key, own, self._report))
            if own is not None:
                fits.append(declared_alike(opened, entry, own, self._report))
        return all(fits)

    def _is_alone(self, opened: Opened, side: str, made: Entry, inner: Entry) -> bool:
        """No factor of the variable is written here, or comes from another include."""
        own, other = self._own[side].get(made.key), self._brought[side].get(made.key)
        if own is None and other is None:
            return True
        key = f"{side}.{inner.key}"
        hint = f"leave the included one behind: `without: [{key}]` in include.{opened.here.key}"
        related = (self._report.related(opened.place, "included here", key=True),)
        if own is not None:
            message = f"'{made.key}' has a factor here and one in the included spec ({key})"
            self._report.error("GS094", (side, made.key), message, key=True, hint=hint, related=related)
        elif other is not None:
            message = f"'{other[1]}' and '{opened.here.key}' both bring a factor of '{made.key}' in {side}"
            self._report.error("GS094", opened.place, message, key=True, hint=hint)
        return False

    def _add_variables(self, opened: Opened, naming: Naming) -> None:
        for entry in opened.entries("variables"):
            name, node = naming.variables[entry.key], entry.value
            if name in self._own["variables"]:
                continue
            for key, there in (("role", ("roles", entry.key)), ("plate", ("plate",))):
                given = self._document.node((*opened.place, *there))
                if given is not None:
                    node = with_field(node, key, given)
            self._brought["variables"][name] = (replace(entry, key=name, value=node), opened.here.key)

    def _add_networks(self, opened: Opened, naming: Naming, kept: dict[str, list[Entry]]) -> None:
        """Those that factors name which came along."""
        named = {name for side, entries in kept.items() for e in entries for name in _networks_of(opened, side, e)}
        for entry in opened.entries("networks"):
            if entry.key in named:
                name = naming.networks[entry.key]
                made = replace(entry, key=name, value=naming.network(entry.value))
                self._brought["networks"][name] = (made, opened.here.key)

    def _starts(self, opened: Opened, naming: Naming, kept: dict[str, list[Entry]]) -> list[Node]:
        """Entries of `training.initialize`: of the run itself, or of runs that the included spec includes."""
        if opened.run:
            summed = opened.spec.recognition.exact  # without a factor in recognition, and so without weights
            here = {
                side: [naming.variable(e.key) for e in entries if side == "generative" or e.key not in summed]
                for side, entries in kept.items()
            }
            outermost = self._document.source.included is None
            start = {
                "from": str(opened.wanted.run) if outermost else opened.run,
                "factors": [f"{side}.{name}" for side, names in here.items() for name in names],
                "rename": {there: name for there, name in naming.variables.items() if there != name},
                "freeze": opened.wanted.freeze,
            }
            place = self._document.node((*opened.place, "run"))
            return [as_node(start, place)] if place is not None and start["factors"] else []
        nested = opened.document.node(("training", "initialize"))
        return [
            renamed
            for start in (nested.items if isinstance(nested, Sequence) else ())
            if (renamed := _renamed_start(start, naming, set(opened.wanted.without))) is not None
        ]

    def _training(self, unread: Mapping) -> Node | None:
        there = child(self._document.root, "training")
        if not self._weights or not (there is None or isinstance(there, Mapping)):
            return None
        given = child(there, "initialize")
        own = () if given is None else given.items if isinstance(given, Sequence) else (given,)
        place = given if given is not None else self._weights[0]
        starts = Sequence(place.span, place.source, (*own, *self._weights))
        return with_field(there if there is not None else Mapping(unread.span, unread.source, ()), "initialize", starts)


def _renamed_start(start: Node, naming: Naming, without: set[str]) -> Node | None:
    """A nested include's start in the names of the outer spec; None where all its factors were left behind."""
    said = plain(start)
    factors = [key for key in said["factors"] if key not in without]
    names = {there: naming.variable(name) for there, name in said["rename"].items()}
    for inner, name in naming.variables.items():
        if inner not in said["rename"].values() and inner != name:
            names.setdefault(inner, name)
    keys = [f"{side}.{naming.variable(name)}" for side, _, name in (key.partition(".") for key in factors)]
    return as_node({**said, "factors": keys, "rename": names}, start) if keys else None


def _networks_of(opened: Opened, side: str, entry: Entry) -> Iterable[str]:
    """Names of networks in a factor, the default where it is meant."""
    made = plain(with_network(opened, side, entry).value)
    made = made if isinstance(made, dict) else {}  # an entry without fields, or the word `exact`
    for value in (made, *(made.get("parameters") or {}).values()):
        if isinstance(value, dict) and isinstance(value.get("network"), str):
            yield value["network"]


def _is_auto(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value == "auto"


def _with_entries(there: Node | None, brought: tuple[Entry, ...], place: Mapping) -> Mapping:
    """A section with more entries; `auto` alone becomes its flag."""
    if isinstance(there, Scalar):
        flag = Entry("auto", there.span, there.source, replace(there, value=True, text="true"))
        return Mapping(there.span, there.source, (flag, *brought))
    if isinstance(there, Mapping):
        return replace(there, entries=(*there.entries, *brought))
    return Mapping(place.span, place.source, brought)
