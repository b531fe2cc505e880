"""What an include says of the included spec's names, and what this spec says of the same variables: GS092, GS093."""

from collections.abc import Iterator

from pydantic import ValidationError

from graphspec.diagnostics import Related
from graphspec.including.included_spec import Opened
from graphspec.including.renaming import Naming
from graphspec.language import FactorSpec, NetworkParameter, VariableSpec
from graphspec.language.networks import PythonNetwork
from graphspec.language.variables import default_domain
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.text.report import Report
from graphspec.text.tree import Entry, plain

MAY_BECOME = {
    "observed": ("observed", "supervised", "latent"),
    "supervised": ("supervised", "latent"),
    "latent": ("latent", "supervised"),
}


def names_are_known(opened: Opened, report: Report) -> bool:
    """Left sides of `rename` and `roles`, and factors in `without`, are those of the included spec (GS092)."""
    variables, fine = opened.spec.variables, True
    for field, names in (("rename", opened.wanted.rename), ("roles", opened.wanted.roles)):
        for name in names:
            if name not in variables:
                hint = did_you_mean(name, variables, f"its variables: {few(variables)}")
                message = f"the included spec has no variable '{name}'"
                report.error("GS092", (*opened.place, field, name), message, key=True, hint=hint)
                fine = False
    factors = [f"{side}.{e.key}" for side in ("generative", "recognition") for e in opened.entries(side)]
    for index, key in enumerate(opened.wanted.without):
        if key not in factors:
            hint = did_you_mean(key, factors, f"its factors: {few(factors)}")
            message = f"the included spec has no factor '{key}'"
            report.error("GS092", (*opened.place, "without", index), message, hint=hint)
            fine = False
    return fine


def role_may_be(opened: Opened, name: str, own: Entry | None, report: Report) -> bool:
    """The role that a variable has here is one that it may have (GS093)."""
    was, wanted = opened.spec.variables[name].role, opened.wanted.roles.get(name)
    place = (*opened.place, "roles", name)
    if own is not None:
        if wanted is not None:
            related = (report.related(("variables", own.key), "declared here", key=True),)
            message = f"'{own.key}' is declared in this spec, which says its role there"
            report.error("GS093", place, message, hint="leave it out of `roles`", related=related)
            return False
        here = plain(own.value).get("role") if isinstance(plain(own.value), dict) else None
        if here is None or (here == "deterministic") == (was == "deterministic"):
            return True
        message = f"'{own.key}' is {here} here and {was} in the included spec, where it is '{name}'"
        hint = "a function has no density, and what has one is no function; rename the included one, and write its view"
        report.error("GS093", ("variables", own.key, "role"), message, hint=hint, related=_there(opened, name))
        return False
    if wanted is None or wanted in MAY_BECOME.get(was, ()):
        return True
    may = f"{was} may become {' or '.join(MAY_BECOME[was][1:])}" if was in MAY_BECOME else "a function stays one"
    message = f"'{name}' is {was} in the included spec and cannot become {wanted}"
    report.error("GS093", place, message, hint=may, related=_there(opened, name))
    return False


def declared_alike(opened: Opened, entry: Entry, own: Entry, report: Report) -> bool:
    """A variable that both specs declare takes the same values in both (GS092)."""
    try:
        here = VariableSpec.model_validate(plain(own.value))
    except ValidationError:  # told where fields are checked
        return False
    there = opened.spec.variables[entry.key]
    for field, ours, theirs in _differences(here, there):
        path = ("variables", own.key, field) if report.document.node(("variables", own.key, field)) else None
        message = f"'{own.key}' has {ours} here and {theirs} in the included spec, where it is '{entry.key}'"
        related = _there(opened, entry.key)
        report.error(
            "GS092", path or ("variables", own.key), message, key=path is None, related=related,
            hint="declare it as it is there, or rename the included one",
        )  # fmt: skip
        return False
    return True


def _differences(here: VariableSpec, there: VariableSpec) -> Iterator[tuple[str, str, str]]:
    """(field, said here, said there) of what differs; names that one of the two does not give say nothing."""
    yield from _unequal("domain", f"domain {default_domain(here)}", f"domain {default_domain(there)}")
    field = "shape" if here.shape is not None else "size"
    yield from _unequal(field, f"shape {_shape(here)}", f"shape {_shape(there)}")
    classes = [v.classes or (len(v.names) if isinstance(v.names, tuple) else None) for v in (here, there)]
    if None not in classes:
        yield from _unequal("classes", f"{classes[0]} classes", f"{classes[1]} classes")
    if isinstance(here.names, tuple) and isinstance(there.names, tuple):
        yield from _unequal("names", f"names {', '.join(here.names)}", f"names {', '.join(there.names)}")
    if here.domain == "count":
        yield from _unequal("max", f"values {_range(here)}", f"values {_range(there)}")


def _unequal(field: str, ours: str, theirs: str) -> Iterator[tuple[str, str, str]]:
    if ours != theirs:
        yield field, ours, theirs


def _shape(variable: VariableSpec) -> str:
    inferred = variable.role == "deterministic" and variable.shape is None and variable.size is None
    return "of its network" if inferred else str(list(variable.event_shape()))


def _range(variable: VariableSpec) -> str:
    return f"{variable.minimum or 0} to {'any' if variable.maximum is None else variable.maximum}"


def parents_keep_names(opened: Opened, naming: Naming, report: Report) -> bool:
    """A python class gets its parents by name, so they keep them (GS092)."""
    fine = True
    for side, factors in (("generative", opened.spec.generative), ("recognition", opened.spec.recognition.factors)):
        for name, factor in factors.items():
            for parents in _read_by_python(opened, factor):
                moved = [parent for parent in parents if naming.variable(parent) != parent]
                if moved and f"{side}.{name}" not in opened.wanted.without:
                    keep = ", ".join(f"{parent}: {parent}" for parent in moved)
                    message = f"the network of {side}.{name} is a python class that gets {few(moved)} by name"
                    report.error("GS092", opened.place, message, key=True, hint=f"keep it: `rename: {{{keep}}}`")
                    fine = False
    return fine


def counted_alike(opened: Opened, naming: Naming, report: Report) -> bool:
    """A variable of a run is counted here as it is there: standardized in both, or in neither (GS092); where it has no
    column here, a note says in which units it is."""
    fine = True
    for inner, name in naming.variables.items():
        column = report.document.node(("data", "variables", name))
        there = inner in opened.standardized
        if column is None:
            if there:
                message = f"'{name}' is counted in the units of the run: standardized, as its column was there"
                report.note("GS092", opened.place, message, key=True)
            continue
        written = plain(column)
        here = isinstance(written, dict) and written.get("standardize") is True
        if opened.run and here != there:
            words = ("as it is", "standardized") if there else ("standardized", "as it is")
            message = f"'{name}' is read {words[0]} here, and the weights of the run count it {words[1]}"
            hint = (
                "`standardize: true`: it is then counted by the numbers of the run"
                if there
                else "leave `standardize` out"
            )
            report.error("GS092", ("data", "variables", name), message, hint=hint)
            fine = False
    return fine


def _read_by_python(opened: Opened, factor: FactorSpec) -> Iterator[tuple[str, ...]]:
    own = [p for p in factor.parameters.values() if isinstance(p, NetworkParameter)]
    for said, parents in ((factor.network, factor.parents), *((p.network, p.parents) for p in own)):
        network = opened.spec.networks.get(said or "default") if said is None or isinstance(said, str) else said
        if isinstance(network, PythonNetwork):
            yield parents


def _there(opened: Opened, name: str) -> tuple[Related, ...]:
    entry = next(e for e in opened.entries("variables") if e.key == name)
    return (Related("in the included spec", entry.span, entry.source),)
