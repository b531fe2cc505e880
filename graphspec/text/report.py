"""Collecting findings. Rules speak in paths (`("variables", "y", "classes")`); the document knows where those stand."""

from graphspec.diagnostics import Diagnostic, Related, Severity, inclusions
from graphspec.text.source import Document
from graphspec.text.tree import Path


class Report:
    """Everything found so far in one document. Rules add; only `loading` decides when to stop.

    dropped: paths that reading left out because it could not make sense of them (reported there); rules about names
    and graphs say nothing about what hangs on them. incomplete: an included spec could not be taken in (reported, too),
    so that names may be unknown which it would have brought.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.diagnostics: list[Diagnostic] = []
        self._told: set[Diagnostic] = set()
        self.dropped: set[Path] = set()
        self.incomplete = False

    def error(
        self,
        code: str,
        path: Path,
        message: str,
        *,
        key: bool = False,
        label: str = "",
        hint: str = "",
        related: tuple[Related, ...] = (),
        severity: Severity = "error",
    ) -> None:
        """A mistake at `path` (its value, or with `key` the key itself): the spec cannot be used."""
        span, source = self.document.locate(path, key=key)
        related = (*related, *inclusions(source))
        found = Diagnostic(code, message, span, source, severity, label, hint, related, path)
        if found not in self._told:
            self._told.add(found)
            self.diagnostics.append(found)

    def warning(self, code: str, path: Path, message: str, *, key: bool = False, hint: str = "") -> None:
        """Something that works but will probably disappoint; `allow: [CODE]` on a variable or factor silences it."""
        self.error(code, path, message, key=key, hint=hint, severity="warning")

    def note(self, code: str, path: Path, message: str, *, key: bool = False, hint: str = "") -> None:
        """Worth knowing; never an error."""
        self.error(code, path, message, key=key, hint=hint, severity="note")

    def related(self, path: Path, message: str, *, key: bool = False) -> Related:
        """A second place, for `related=`."""
        span, source = self.document.locate(path, key=key)
        return Related(message, span, source)

    @property
    def failed(self) -> bool:
        """At least one error so far."""
        return any(d.severity == "error" for d in self.diagnostics)
