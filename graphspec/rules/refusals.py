"""GS096: what the language has and a spec cannot ask for here, always with the reason and what to write instead."""

from graphspec.text.report import Report
from graphspec.text.tree import Path


def refuse(report: Report, path: Path, what: str, because: str, instead: str, *, key: bool = False) -> None:
    """`not supported: WHAT, because BECAUSE`, with `instead: INSTEAD` below it."""
    report.error("GS096", path, f"not supported: {what}, because {because}", key=key, hint=f"instead: {instead}")
