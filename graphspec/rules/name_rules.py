"""The spec's own name: the folder of its runs is called after it."""

from graphspec.language import Spec
from graphspec.text.report import Report

LONGEST = 100
"""Bytes: a file system takes 255, of which a number and the names of temporary files need some."""


def check_own_name(spec: Spec, report: Report) -> None:
    """GS016 for a name that is no name of a folder: it would be a place elsewhere, or none at all."""
    why = why_no_folder(spec.name)
    if spec.name and why:
        hint = "a short name without / and \\, such as `digits-m2`; --out says where runs are"
        report.error("GS016", ("name",), f"name: run folders are called after it, and {why}", hint=hint)


def why_no_folder(name: str) -> str:
    """What keeps a text from being the name of one folder; "" if nothing does."""
    if any(mark in name for mark in "/\\"):
        return "this is a path"
    if not name.isprintable():
        return "this has characters that cannot be shown"
    if name.startswith(".") or name != name.strip():
        return "this begins with a dot" if name.startswith(".") else "this begins or ends with a blank"
    size = len(name.encode("utf-8", "backslashreplace"))
    return f"this has {size} bytes: {LONGEST} are enough" if size > LONGEST else ""
