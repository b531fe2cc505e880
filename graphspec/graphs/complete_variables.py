"""From a declaration to a `Variable`: domain, event shape, how many values.

Reports what a declaration says wrongly about itself (GS043-GS047, GS049). A declaration without a usable domain or
shape becomes None, and whoever depends on it stays silent.
"""

from graphspec.graphs.graph import Variable
from graphspec.language import Domain, VariableSpec
from graphspec.language.domains import DOMAINS
from graphspec.language.variables import AUTO, default_domain
from graphspec.reading.suggestions import listed
from graphspec.text.report import Report
from graphspec.text.tree import Path

VECTOR_DOMAINS: tuple[Domain, ...] = ("direction", "simplex")
SMALLEST_COUNT = 0


def variable_of(name: str, declared: VariableSpec, report: Report, *, derived: bool = False) -> Variable | None:
    """The variable, or None where its domain or shape cannot be known. A deterministic variable without a size has
    shape () until `connect` has seen its network."""
    path: Path = ("variables", name)
    domain: Domain | None = default_domain(declared)
    if declared.names == AUTO:  # its names could not be read: whoever tried has said so
        return None
    usable = _shape_is_clear(declared, report, path)
    usable &= _role_allows(declared, domain, report, path)
    usable &= _vector_shape(declared, domain, report, path)
    _fields_belong(declared, domain, report, path)
    _missing_is_allowed(declared, report, path)
    support, minimum = _support(declared, domain, report, path)
    if not usable or (domain == "category" and support is None):
        return None
    return Variable(
        name=name,
        role=declared.role,
        domain=domain,
        shape=declared.event_shape(),
        support=support,
        minimum=minimum,
        names=_names(declared),
        missing=declared.missing,
        derived=derived,
    )


def _names(declared: VariableSpec) -> tuple[str, ...]:
    return declared.names if isinstance(declared.names, tuple) else ()


def _shape_is_clear(declared: VariableSpec, report: Report, path: Path) -> bool:
    if declared.size is None or declared.shape is None:
        return True
    hint = "keep one: `size: 3` is short for `shape: [3]`"
    report.error("GS047", (*path, "size"), "both `size` and `shape` say how large this is", key=True, hint=hint)
    return declared.shape == (declared.size,)


def _role_allows(declared: VariableSpec, domain: Domain | None, report: Report, path: Path) -> bool:
    if declared.role != "deterministic" or domain is None or not DOMAINS[domain].discrete:
        return True
    instead = {"binary": "unit", "category": "simplex", "count": "positive"}[domain]
    message = f"a deterministic variable cannot be a {domain}: the output of a function is not counted"
    hint = f"use `domain: {instead}` for its expected value, or make it latent"
    report.error("GS049", (*path, "domain"), message, hint=hint)
    return False


def _vector_shape(declared: VariableSpec, domain: Domain | None, report: Report, path: Path) -> bool:
    shape = declared.event_shape()
    inferred = declared.role == "deterministic" and declared.shape is None and declared.size is None
    if domain not in VECTOR_DOMAINS or inferred or (shape and shape[0] > 1):
        return True
    field = next((f for f in ("shape", "size") if getattr(declared, f) is not None), "domain")
    what = "a unit vector" if domain == "direction" else "a vector of shares that add up to one"
    message = f"a {domain} is {what} along its first axis, which needs at least two elements"
    report.error("GS045", (*path, field), message, hint="for example `size: 3`")
    return False


_BELONGS: dict[str, tuple[Domain, ...]] = {
    "classes": ("category",),
    "names": ("category", "binary"),
    "minimum": ("count",),
    "maximum": ("count",),
}
_WRITTEN = {"minimum": "min", "maximum": "max"}


def _fields_belong(declared: VariableSpec, domain: Domain | None, report: Report, path: Path) -> None:
    for field, domains in _BELONGS.items():
        if getattr(declared, field) is None or domain in domains:
            continue
        word = _WRITTEN.get(field, field)
        has = f"this is a {domain}" if domain else "this has no domain"
        hint = f"add `domain: {domains[0]}`" if declared.domain is None else f"remove `{word}`, or change the domain"
        report.error(
            "GS043", (*path, word), f"`{word}` belongs to a {' or '.join(domains)}, and {has}", key=True, hint=hint
        )


def _missing_is_allowed(declared: VariableSpec, report: Report, path: Path) -> None:
    if not declared.missing or declared.role == "observed":
        return
    hints = {
        "supervised": "a supervised variable may be blank in any row: remove `missing`",
        "latent": "no row has a latent variable: remove `missing`",
        "deterministic": "a deterministic variable is computed, never read from rows: remove `missing`",
    }
    message = f"`missing: true` is for observed variables, and this is {declared.role}"
    report.error("GS046", (*path, "missing"), message, key=True, hint=hints[declared.role])


def _support(declared: VariableSpec, domain: Domain | None, report: Report, path: Path) -> tuple[int | None, int]:
    """Number of values of one element (None: not finite), and the smallest value of a count."""
    _names_differ(declared, report, path)
    if domain == "binary":
        _two_names(declared, report, path)
        return 2, 0
    if domain == "category":
        return _classes(declared, report, path), 0
    if domain == "count":
        return _count(declared, report, path)
    return None, 0


def _names_differ(declared: VariableSpec, report: Report, path: Path) -> None:
    names = _names(declared)
    for place, name in enumerate(names):
        if name in names[:place]:
            report.error(
                "GS044", (*path, "names", place), f"the name {name} is given twice", hint="each value needs its own"
            )


def _two_names(declared: VariableSpec, report: Report, path: Path) -> None:
    if declared.names is not None and len(declared.names) != 2:
        message = f"a binary has two values, and here are {len(declared.names)} names"
        hint = "`names: [NO, YES]` names 0, then 1; with more values use `domain: category`"
        report.error("GS044", (*path, "names"), message, hint=hint)


def _classes(declared: VariableSpec, report: Report, path: Path) -> int | None:
    if isinstance(declared.names, tuple):
        count = len(declared.names)
        if declared.classes is not None and declared.classes != count:
            report.error(
                "GS044",
                (*path, "names"),
                f"{declared.classes} classes, but {count} names: {listed(declared.names)}",
                hint="one name per class, in order",
                related=(report.related((*path, "classes"), "the number of classes is given here"),),
            )
            return declared.classes
        if count < 2:
            report.error("GS044", (*path, "names"), "a category needs at least two values", hint="name every class")
            return None
        return count
    if declared.classes is None:
        hint = "add `classes: 10`, or `names: [cat, dog]`"
        report.error("GS044", (*path, "domain"), "a category must say how many values it has", hint=hint)
    return declared.classes


def _count(declared: VariableSpec, report: Report, path: Path) -> tuple[int | None, int]:
    low, high = declared.minimum, declared.maximum
    start = SMALLEST_COUNT if low is None else low
    if start < SMALLEST_COUNT:
        report.error("GS044", (*path, "min"), f"a count is never negative, and its smallest value is {start}")
        start = SMALLEST_COUNT
    if high is None:
        if start > SMALLEST_COUNT:
            hint = "add `max`, or remove `min`"
            report.error("GS044", (*path, "min"), "a count without `max` starts at 0", key=True, hint=hint)
        return None, SMALLEST_COUNT
    if high <= start:
        said = "the largest value is below the smallest" if high < start else "a count with one value is a constant"
        report.error("GS044", (*path, "max"), f"{said}: {start} to {high}", hint="`min` and `max` are both included")
        return 2, start
    return high - start + 1, start
