"""Counts of plates: what may count elements, and what a plate of varying length refuses. GS020, GS021, GS090, GS096."""

from collections.abc import Iterator

import networkx as nx

from graphspec.graphs.declared_names import Outline
from graphspec.graphs.graph import SIDES, Side
from graphspec.graphs.network_choice import network_of
from graphspec.graphs.plate_counts import count_fits, counts_along, counts_elements
from graphspec.graphs.reading_across import variable_path
from graphspec.language import FactorSpec, NetworkParameter, NetworkSpec, Spec, VariableSpec
from graphspec.reading.later import LATER
from graphspec.reading.suggestions import did_you_mean
from graphspec.text.report import Report
from graphspec.text.tree import Path

EXAMPLE = "{role: observed, domain: count, max: 10}"


def check_counts(outline: Outline, report: Report) -> None:
    """GS020, GS021: every count of a plate counts, stands where the plate does, and depends on nothing in it."""
    spec = outline.spec
    for name, plate in spec.plates.items():
        if plate.count is None or outline.doubtful(plate.count):
            continue
        path, count = ("plates", name, "count"), spec.variables.get(plate.count)
        if count is None:
            known = [other for other, variable in spec.variables.items() if counts_elements(variable)]
            hint = did_you_mean(plate.count, known, f"declare it: `{plate.count}: {EXAMPLE}`", quote="'")
            report.error("GS021", path, f"there is no variable '{plate.count}'", hint=hint)
        elif (wrong := _no_count(count)) is not None:
            message = f"{plate.count} cannot say how many {name} a row has: {wrong}"
            report.error("GS021", path, message, hint=f"a count is one number with a largest value: `{EXAMPLE}`")
        elif count.plate != plate.inside:
            around = "is repeated by row" if plate.inside is None else f"is inside of {plate.inside}"
            message = f"{plate.count} {_place(count.plate)}, and plate {name} {around}"
            where = "without `plate:`" if plate.inside is None else f"with `plate: {plate.inside}`"
            report.error("GS021", path, message, hint=f"declare {plate.count} {where}: one count for each repetition")
        elif not count_fits(spec, name):
            message = f"plate {name} has size {plate.size}, and its count {plate.count} goes up to {count.maximum}"
            report.error("GS020", (*path[:2], "size"), message, hint="leave `size` out: it is the count's `max`")
        else:
            _check_independent(outline, name, plate.count, report)
            _check_hidden(outline, name, plate.count, report)


def _no_count(variable: VariableSpec) -> str | None:
    """Why a variable counts nothing."""
    if counts_elements(variable):
        return None
    if variable.role == "deterministic":
        return "it is computed"
    if variable.domain != "count":
        return f"its domain is {variable.domain or 'real'}"
    if variable.event_shape():
        return "it has several numbers"
    return "it may be blank" if variable.missing else "it has no `max`"


def _place(plate: str | None) -> str:
    return "belongs to the row" if plate is None else f"stands in plate {plate}"


def _check_independent(outline: Outline, plate: str, count: str, report: Report) -> None:
    """Whether elements are there cannot depend on what they are."""
    for side in SIDES:
        graph = outline.graph(side)
        above = nx.ancestors(graph, count) if count in graph else set()
        inside = [name for name in outline.variables if name in above and plate in variable_path(outline.spec, name)]
        if inside:
            way = " → ".join(nx.shortest_path(graph, inside[0], count))
            message = f"{count} counts the elements of {plate} and depends on {inside[0]}, which stands there: {way}"
            hint = f"let {count} read variables outside of the plate: it decides which elements exist"
            report.error("GS021", (side, count), message, key=True, hint=hint)


def _check_hidden(outline: Outline, plate: str, count: str, report: Report) -> None:
    """A count that rows may lack."""
    spec = outline.spec
    if spec.variables[count].role == "observed":
        return
    message = f"{count} may be hidden: plates whose count is not observed are not there yet"
    report.error("GS090", ("plates", plate, "count"), message, hint=LATER)


def check_ragged(outline: Outline, report: Report) -> None:
    """GS096: statistics of a batch in a plate whose elements may be absent."""
    spec = outline.spec
    for side in SIDES:
        for name, factor in outline.factors(side).items():
            counts = counts_along(spec, variable_path(spec, name)) if _placed(spec, name) else ()
            for path, normalization in _normalizations(spec, side, name, factor) if counts else ():
                if normalization == "batch":
                    message = f"not supported: `normalization: batch` of {name}, whose elements may be absent"
                    reason = "because its statistics would count elements that are not there"
                    report.error("GS096", path, f"{message}, {reason}", hint="instead: `normalization: layer`")


def _placed(spec: Spec, name: str) -> bool:
    plate = spec.variables[name].plate
    return plate is None or plate in spec.plates


def _normalizations(spec: Spec, side: Side, name: str, factor: FactorSpec) -> Iterator[tuple[Path, str]]:
    """The normalization of every network of a factor."""
    path: Path = (side, name) if factor.network is None else (side, name, "network")
    own: list[tuple[Path, NetworkSpec | None]] = [(path, network_of(factor, spec))] if factor.parents else []
    for parameter, value in factor.parameters.items():
        if isinstance(value, NetworkParameter):
            asked = FactorSpec(network=value.network)
            own.append(((side, name, "parameters", parameter), network_of(asked, spec)))
    for path, network in own:
        yield path, getattr(network, "normalization", "none")
