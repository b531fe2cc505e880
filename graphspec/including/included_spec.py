"""One included spec, opened: found, read and checked by itself, with `auto` resolved and its own includes taken in.

From: an entry of `include`. To: `Opened`, or None where it cannot be used (reported: GS091 not found, GS095 in a circle
or too deep, GS096 with plates, and whatever is wrong in the file itself). Not here: what its names are called outside.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from graphspec.diagnostics import Diagnostic, Related, SpecError, inclusions
from graphspec.graphs.declared_names import outline_of
from graphspec.graphs.inversion import derive_recognition, invertible
from graphspec.including.renaming import as_node, entries_of
from graphspec.language import Spec
from graphspec.language.include import DEEPEST_INCLUDE, IncludeSpec
from graphspec.reading.spec_files import beside, read_text
from graphspec.reading.validation import read_spec
from graphspec.rules import check_rules
from graphspec.text.report import Report
from graphspec.text.source import Document, read_faulty_document
from graphspec.text.tree import Entry, Mapping

STAYS_BEHIND = frozenset({"objective", "data", "training"})
_MANIFEST, _RESOLVED = "manifest.json", "resolved.yaml"
_WEIGHTS = ("checkpoints/best.safetensors", "checkpoints/last.safetensors")
_A_RUN = "name a folder that `graphspec train` wrote"

Expand = Callable[[Document, Report, tuple[Path, ...]], Document]
"""Takes in the includes of an included spec: `expansion.take_in_includes`."""


@dataclass(frozen=True)
class Opened:
    """A spec as it stands alone. here: its entry in the spec that includes it, and what that says.

    spec, document: in its own names, without what stays behind. run: the folder of its weights, as it is found from
    the working folder; "" where it has none. standardized: variables that the run has in units of its own.
    """

    here: Entry
    wanted: IncludeSpec
    spec: Spec
    document: Document
    run: str
    standardized: frozenset[str]

    def entries(self, section: str) -> tuple[Entry, ...]:
        """Of `variables`, `generative`, `recognition` (with what `auto` derived) or `networks`."""
        return entries_of(self.document.root, section)

    @property
    def place(self) -> tuple[str, str]:
        """Path of its entry in the including spec."""
        return "include", self.here.key


def open_included(
    here: Entry, wanted: IncludeSpec, report: Report, chain: tuple[Path, ...], expand: Expand
) -> Opened | None:
    """chain: files that are open, the outermost first."""
    file = _run_file(here, wanted, report) if wanted.run is not None else _spec_file(here, wanted, report)
    if file is None or not _may_nest(here, file, report, chain):
        return None
    document = _read(here, wanted, file, report)
    if document is None:
        return None
    standardized = _standardized(document) if wanted.run is not None else frozenset()
    document = _without_what_stays(document)
    inner = Report(document)
    document = expand(document, inner, (*chain, file.resolve()))
    spec = read_spec(document, inner)
    if spec is not None and not inner.failed:
        document = _with_derived(spec, inner)
    report.diagnostics += [found for found in inner.diagnostics if found.severity == "error"]
    if spec is None or inner.failed or inner.incomplete:
        return None
    spec = read_spec(document, Report(document))
    assert spec is not None, "it was read before"
    run = str(file.parent) if wanted.run is not None else ""
    return Opened(here, wanted, spec, document, run, standardized)


def _without_what_stays(document: Document) -> Document:
    kept = tuple(entry for entry in document.root.entries if entry.key not in STAYS_BEHIND)
    return replace(document, root=replace(document.root, entries=kept))


def _standardized(document: Document) -> frozenset[str]:
    columns = document.node(("data", "variables"))
    entries = columns.entries if isinstance(columns, Mapping) else ()
    return frozenset(e.key for e in entries if document.node(("data", "variables", e.key, "standardize")) is not None
                     and document.value["data"]["variables"][e.key]["standardize"] is True)  # fmt: skip


def _folder(report: Report) -> Path:
    """Where the including spec is."""
    return Path(report.document.source.name).parent


def _run_file(here: Entry, wanted: IncludeSpec, report: Report) -> Path | None:
    path, folder = ("include", here.key, "run"), beside(str(wanted.run), _folder(report))
    again = (
        f"{_A_RUN}; a training that began with it goes on from its own resolved.yaml: graphspec train RUN/{_RESOLVED} "
    )
    if not folder.exists():
        hint = f"{again}--out RUN --resume"
        report.error(
            "GS091", path, f"there is no run folder {folder}, beside the spec or in the working folder", hint=hint
        )
    elif not (folder / _MANIFEST).is_file() or not (folder / _RESOLVED).is_file():
        what = "a file" if folder.is_file() else f"no run folder: it has no {_MANIFEST}"
        what = f"a damaged run folder: {_RESOLVED} is missing" if (folder / _MANIFEST).is_file() else what
        hint = f"{_A_RUN}, or include it with fresh weights: `spec: {wanted.run}`" if folder.is_file() else _A_RUN
        report.error("GS091", path, f"{folder} is {what}", hint=hint)
    elif not any((folder / weights).is_file() for weights in _WEIGHTS):
        hint = "train it to the end of an epoch at least"
        report.error("GS091", path, f"the run {folder} has no weights yet", hint=hint)
    else:
        return folder / _RESOLVED
    return None


def _spec_file(here: Entry, wanted: IncludeSpec, report: Report) -> Path | None:
    file = beside(str(wanted.spec), _folder(report))
    if file.is_file():
        return file
    path = ("include", here.key, "spec")
    if file.is_dir():
        hint = f"a trained model is included by `run: {wanted.spec}`" if (file / _MANIFEST).is_file() else ""
        report.error("GS091", path, f"{file} is a folder, not a spec", hint=hint)
    else:
        report.error("GS091", path, f"there is no file {file}, beside the spec or in the working folder")
    return None


def _may_nest(here: Entry, file: Path, report: Report, chain: tuple[Path, ...]) -> bool:
    path = ("include", here.key)
    if file.resolve() in chain:
        names = " -> ".join(each.name for each in (*chain[chain.index(file.resolve()) :], file))
        report.error("GS095", path, f"a spec cannot be a part of itself: {names}", key=True)
        return False
    if len(chain) > DEEPEST_INCLUDE:
        message = f"includes nest more than {DEEPEST_INCLUDE} deep: {' -> '.join(each.name for each in chain)}"
        report.error("GS095", path, message, key=True, hint="train a part of it, and include its run")
        return False
    return True


def _read(here: Entry, wanted: IncludeSpec, file: Path, report: Report) -> Document | None:
    """The located tree; every place in it knows where it was included."""
    place = report.related(("include", here.key, "spec" if wanted.run is None else "run"), "included here")
    try:
        document, found = read_faulty_document(read_text(str(file)), str(file), place)
    except SpecError as error:
        report.diagnostics += [_told_where(diagnostic, place) for diagnostic in error.diagnostics]
        return None
    report.diagnostics += [_told_where(diagnostic, place) for diagnostic in found]
    if found:
        return None
    plates = document.node(("plates",))
    if isinstance(plates, Mapping) and plates.entries:
        message = f"not supported: plates inside an included spec ({file}), because its variables would stand in two"
        hint = "write them here, and say `plate:` for the include"
        related = (Related("its plates", plates.entries[0].span, plates.source),)
        report.error("GS096", ("include", here.key), message, key=True, hint=hint, related=related)
        return None
    return document


def _told_where(found: Diagnostic, place: Related) -> Diagnostic:
    more = inclusions(found.source) or (place, *inclusions(place.source))
    return replace(found, related=(*found.related, *more))


def _with_derived(spec: Spec, report: Report) -> Document:
    """The document with the recognition graph that `auto` stands for written out, all of it at the place of `auto`."""
    document = report.document
    recognition = document.node(("recognition",))
    if not spec.recognition.auto or recognition is None:
        return document
    outline = outline_of(spec, report)
    if not invertible(outline):
        check_rules(outline, None, report)
        if not report.failed:
            report.error("GS035", ("recognition",), "`auto` cannot be derived from these graphs by themselves")
        return document
    derived = derive_recognition(outline)
    factors = {n: f.model_dump(mode="json", by_alias=True, exclude_unset=True) for n, f in derived.factors.items()}
    added = {n: v.model_dump(mode="json", by_alias=True, exclude_unset=True) for n, v in derived.variables.items()}
    written = tuple(e for e in entries_of(document.root, "recognition") if e.key != "auto")
    entries = (*written, *_entries(as_node(factors, recognition)))
    root = _replaced(document.root, "recognition", Mapping(recognition.span, recognition.source, entries))
    if added:
        variables = (*entries_of(document.root, "variables"), *_entries(as_node(added, recognition)))
        root = _replaced(root, "variables", Mapping(recognition.span, recognition.source, variables))
    return replace(document, root=root)


def _entries(node: object) -> tuple[Entry, ...]:
    return node.entries if isinstance(node, Mapping) else ()


def _replaced(root: Mapping, section: str, value: Mapping) -> Mapping:
    return replace(root, entries=tuple(replace(e, value=value) if e.key == section else e for e in root.entries))
