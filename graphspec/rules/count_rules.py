"""Counts of plates: what may count elements, and what a plate of varying length refuses. GS020, GS021, GS096."""

from collections.abc import Iterator

import networkx as nx

from graphspec.graphs.coupling import coupling_reader
from graphspec.graphs.declared_names import Outline
from graphspec.graphs.graph import SIDES, Graphs, Side
from graphspec.graphs.network_choice import network_of
from graphspec.graphs.plate_counts import count_fits, counts_along, counts_elements
from graphspec.graphs.reading_across import variable_path
from graphspec.language import FactorSpec, NetworkParameter, NetworkSpec, Spec, VariableSpec
from graphspec.language.plates import shown
from graphspec.reading.suggestions import did_you_mean
from graphspec.rules.refusals import refuse
from graphspec.text.report import Report
from graphspec.text.tree import Path

MOST_VALUES = 256
"""Of a count that is summed over."""
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
    """GS021, GS096: a count that rows may lack takes all its values, and nothing that rows show stands in its plate."""
    spec, variable = outline.spec, outline.spec.variables[count]
    if variable.role == "observed":
        return
    inside = [name for name in outline.variables if plate in variable_path(spec, name)]
    for name in inside:
        role = spec.variables[name].role
        if role == "observed":
            message = f"{name} is observed for each of {plate}, and {count}, which says how many, may be hidden"
            hint = f"make {count} observed: rows that show their {plate} show how many they have"
            report.error("GS021", ("variables", name, "role"), message, hint=hint)
        elif role == "supervised" and variable.role == "latent":
            what = f"labels of {name}, which stands in plate {plate} with the latent count {count}"
            instead = f"label the count too (`{count}: {{role: supervised, ..}}`)"
            refuse(report, ("variables", name, "role"), what, "a label says that its element is there", instead)
    low, high = variable.minimum or 0, variable.maximum or 0
    if high - low >= MOST_VALUES:
        message = f"{count} may be hidden and has {high - low + 1} values, more than the {MOST_VALUES} that are summed"
        report.error("GS021", ("variables", count, "max"), message, hint="lower `max`, or make the count observed")
    asked = spec.objective.estimators.get(count)
    if asked is not None and (asked.kind != "enumerate" or asked.budget is not None):
        what, because = f"an estimator of {count}, a plate's count", "which elements are there is summed over exactly"
        refuse(report, ("objective", "estimators", count), what, because, "leave the line out")


def check_scored(graphs: Graphs, report: Report) -> None:
    """GS096: draws without a gradient beside a hidden count, whose values would be drawn, too."""
    counts = [plate.count for plate in graphs.plates.values() if plate.count is not None]
    hidden = [count for count in counts if graphs.variables[count].role != "observed"]
    for name in (*graphs.supervised, *graphs.latent) if hidden else ():
        if name in graphs.exact:
            continue
        factor, variable = graphs.recognition[name], graphs.variables[name]
        asked = graphs.spec.objective.estimators.get(name)
        endless = variable.discrete and variable.support is None
        pathless = not variable.discrete and factor.family is not None and not factor.family.reparameterized
        if (asked is not None and asked.kind == "score_function") or (asked is None and (endless or pathless)):
            what = f"the score function of {name} beside {hidden[0]}, a count that may be hidden"
            instead = "a family whose draws have a gradient, or a count with `max`"
            refuse(report, ("recognition", name), what, "values of the count are summed, not drawn", instead)


def check_nested(graphs: Graphs, report: Report) -> None:
    """GS096: a plate inside another, whose counts are summed for each element of the outer one by itself."""
    for plate in graphs.plates.values():
        count = plate.count
        if count is None or len(plate.path) == 1 or graphs.variables[count].role == "observed":
            continue
        reader = coupling_reader(graphs, count)
        if reader is not None:
            outer = plate.path[-2]
            what = f"{count}, a count of each of {outer} that may be hidden, beside {shown(reader)}"
            because = f"it ties {outer} together, and the values of all their counts would be summed at once"
            instead = f"make {count} observed, or read {plate.name} within their own element of {outer} only"
            refuse(report, ("recognition", count), what, because, instead, key=True)


def check_ragged(outline: Outline, report: Report) -> None:
    """GS096: statistics of a batch in a plate whose elements may be absent."""
    spec = outline.spec
    for side in SIDES:
        for name, factor in outline.factors(side).items():
            counts = counts_along(spec, variable_path(spec, name)) if _placed(spec, name) else ()
            for path, normalization in _normalizations(spec, side, name, factor) if counts else ():
                if normalization == "batch":
                    what = f"`normalization: batch` of {name}, whose elements may be absent"
                    because = "its statistics would count elements that are not there"
                    refuse(report, path, what, because, "`normalization: layer`")


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
