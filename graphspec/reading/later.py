"""What comes later in version 1 of the language, found before the schema would call it a mistake.

From: a `Document`. To: GS090 at each place, and the plain values without these parts, so that everything else in the
file is still checked. Not here: what `check` accepts and only `compile` or `train` refuse (`not_yet.py`).
"""

from typing import Any

from graphspec.text.report import Report
from graphspec.text.tree import Path

NEIGHBOURS = ("@previous", "@next")


def take_out_later(value: dict[str, Any], report: Report) -> dict[str, Any]:
    """A copy of `value` without plates, includes, neighbours and `exact`; each is reported where it stands."""
    rest = dict(value)
    for section, what in (("plates", "plates and sequences are"), ("include", "nested specs (`include`) are")):
        if rest.pop(section, None) not in (None, {}):
            _not_yet(report, (section,), f"{what} not there yet", key=True)
    told = "plates" in value
    if isinstance(rest.get("variables"), dict):
        rest["variables"] = {
            name: _without_plate(("variables", name), entry, report, told) for name, entry in rest["variables"].items()
        }
    for side in ("generative", "recognition"):
        if isinstance(rest.get(side), dict):
            rest[side] = _without_sequences(side, rest[side], report)
    return rest


def _without_plate(path: Path, entry: Any, report: Report, told: bool) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("plate"), str):
        return entry
    if not told:
        _not_yet(report, (*path, "plate"), "plates are not there yet", key=True)
    return {key: item for key, item in entry.items() if key != "plate"}


def _without_sequences(side: str, factors: dict[str, Any], report: Report) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, factor in factors.items():
        if side == "recognition" and factor == "exact" and name != "auto":
            _not_yet(report, (side, name), "exact summation of a discrete chain is not there yet")
        else:
            result[name] = _without_neighbours((side, name), factor, report)
    return result


def _without_neighbours(path: Path, value: Any, report: Report) -> Any:
    """`name` for `name@previous` and `name@next` in lists of parents, at any depth of a factor."""
    if isinstance(value, dict):
        return {key: _without_neighbours((*path, key), item, report) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    kept = []
    for index, item in enumerate(value):
        if isinstance(item, str) and item.endswith(NEIGHBOURS):
            _not_yet(report, (*path, index), f"`{item}`: neighbours in a sequence are not there yet")
            kept.append(item.partition("@")[0])
        else:
            kept.append(_without_neighbours((*path, index), item, report))
    return kept


def _not_yet(report: Report, path: Path, message: str, *, key: bool = False) -> None:
    report.error("GS090", path, message, key=key, hint="this comes later in version 1 of the language")
