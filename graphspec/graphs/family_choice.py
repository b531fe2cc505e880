"""The family of a factor: known, legal on the domain, with options it has. Codes GS050-GS052, GS056.

Part of completing a factor, which needs what is found here.
"""

from typing import Any

from graphspec.graphs.graph import Side, Variable
from graphspec.language import DistributionSpec, FactorSpec
from graphspec.language.domains import DOMAINS
from graphspec.language.families import FAMILIES, Family
from graphspec.reading.suggestions import did_you_mean, listed
from graphspec.reading.unsupported import unsupported_distribution
from graphspec.text.report import Report
from graphspec.text.tree import Mapping, Path

_SMALLEST_OPTION = {"levels": 2}


def check_family(variable: Variable, factor: FactorSpec, side: Side, report: Report, path: Path) -> Family | None:
    """The family a factor names, or its domain's default; None after an error."""
    if factor.distribution is None:
        return _default_family(variable, factor, side, report, path)
    name, place = factor.distribution.kind, _kind_path(factor.distribution, report, path)
    family = FAMILIES.get(name)
    refused = unsupported_distribution(name) if family is None else None
    if refused is not None:
        report.error(refused.code, place, refused.message, hint=refused.hint)
        return None
    if family is None:
        legal = legal_families(variable)
        hint = did_you_mean(name, legal, quote="'") or did_you_mean(
            name, FAMILIES, f"on {_described(variable)}: {listed(legal)}", quote="'"
        )
        report.error("GS050", place, f"there is no distribution '{name}'", hint=hint)
        return None
    if not _legal(variable, family, report, place):
        return None
    return family


def _default_family(variable: Variable, factor: FactorSpec, side: Side, report: Report, path: Path) -> Family | None:
    info = DOMAINS[variable.domain or "real"]
    name = info.bounded_family if variable.support is not None else info.default_family
    if side == "generative" and variable.domain == "count" and variable.support is None and not factor.parents:
        report.error(
            "GS056",
            path,
            f"{variable.name} is a root without an upper end, so it has no standard prior",
            hint="say its distribution, for example `{distribution: poisson, parameters: {rate: learned}}`, or give "
            f"{variable.name} a `max`",
        )
        return None
    assert name is not None, "every domain has a default family"
    return FAMILIES[name]


def _kind_path(distribution: DistributionSpec, report: Report, path: Path) -> Path:
    place = (*path, "distribution")
    return (*place, "kind") if isinstance(report.document.node(place), Mapping) else place


def legal_families(variable: Variable) -> tuple[str, ...]:
    """Families that this variable may have, in the order of the table."""
    return tuple(name for name, family in FAMILIES.items() if not _objection(variable, family))


def _legal(variable: Variable, family: Family, report: Report, place: Path) -> bool:
    objection = _objection(variable, family)
    if objection:
        legal = legal_families(variable)
        close = did_you_mean(family.name, legal, quote="'")
        report.error(
            "GS051", place, f"{family.name} {objection}", hint=close or f"on {_described(variable)}: {listed(legal)}"
        )
    return not objection


def _objection(variable: Variable, family: Family) -> str:
    domain = variable.domain or "real"
    if domain not in family.domains:
        return f"is a distribution on {' or '.join(sorted(family.domains))}, and {variable.name} is {domain}"
    if family.bounded is True and variable.support is None:
        return f"gives every value its own probability, and {variable.name} has no largest value (`max`)"
    if family.bounded is False and variable.support is not None:
        return f"has no largest value, and {variable.name} ends at {variable.minimum + variable.support - 1}"
    return ""


def _described(variable: Variable) -> str:
    domain = variable.domain or "real"
    if domain == "count":
        return "a count with `max`" if variable.support is not None else "a count without `max`"
    return f"domain {domain}"


def check_options(family: Family, factor: FactorSpec, report: Report, path: Path) -> dict[str, Any]:
    """The family's options, defaults filled in; what is unknown or of the wrong kind is reported and left out."""
    options: dict[str, Any] = {name: default for name, (default, _) in family.options.items()}
    given = {} if factor.distribution is None else factor.distribution.options
    for name, value in given.items():
        place = (*path, "distribution", name)
        if name not in options:
            known = f"it has {listed(options)}" if options else "it has none"
            hint = did_you_mean(name, options, quote="'")
            if family.parameter(name) is not None:
                hint = f"{name} is a parameter: write `parameters: {{{name}: ...}}` beside `distribution`"
            report.error("GS052", place, f"{family.name} has no option '{name}'; {known}", key=True, hint=hint)
        elif not _option_is_good(name, value, options[name]):
            wanted = "a list of whole numbers" if isinstance(options[name], list) else "a whole number"
            least = _SMALLEST_OPTION.get(name, 1)
            report.error(
                "GS052", place, f"'{name}' of {family.name} is {wanted} from {least}", hint=family.options[name][1]
            )
        else:
            options[name] = value
    return options


def _option_is_good(name: str, value: Any, default: Any) -> bool:
    least = _SMALLEST_OPTION.get(name, 1)
    values = value if isinstance(default, list) and isinstance(value, list) else [value]
    return all(isinstance(v, int) and not isinstance(v, bool) and v >= least for v in values)
