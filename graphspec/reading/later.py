"""What comes later in version 1 of the language, found before the schema would call it a mistake.

From: a `Document`. To: GS090 at each place, and the plain values without these parts, so that everything else in the
file is still checked.
"""

from typing import Any

from graphspec.text.report import Report
from graphspec.text.tree import Path

LATER = "this comes later in version 1 of the language"


def take_out_later(value: dict[str, Any], report: Report) -> dict[str, Any]:
    """A copy of `value` without `exact`, which is reported where it stands."""
    rest = dict(value)
    recognition = rest.get("recognition")
    if isinstance(recognition, dict):
        summed = [name for name, factor in recognition.items() if factor == "exact" and name != "auto"]
        for name in summed:
            _not_yet(report, ("recognition", name), "exact summation of a discrete chain is not there yet")
        rest["recognition"] = {name: factor for name, factor in recognition.items() if name not in summed}
    return rest


def _not_yet(report: Report, path: Path, message: str) -> None:
    report.error("GS090", path, message, hint=LATER)
