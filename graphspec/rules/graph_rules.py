"""Names, roles and loops: the structure of the two graphs. Codes GS030-GS042, GS046, GS048, GS106.

All rules read the `Outline`, so they speak even where a factor or a shape could not be resolved.
"""

from collections.abc import Iterable

import networkx as nx

from graphspec.codes import CODES
from graphspec.graphs.circles import looks_across
from graphspec.graphs.declared_names import Outline, loops
from graphspec.graphs.graph import SIDES, Side
from graphspec.language import FactorSpec, NetworkParameter, Spec
from graphspec.language.plates import base_of
from graphspec.reading.suggestions import did_you_mean, listed
from graphspec.text.report import Report
from graphspec.text.tree import Path, Sequence, plain

FIRST_WARNING = "GS100"


def parent_path(report: Report, path: Path, name: str, *, last: bool = False) -> Path:
    """Where `name` stands in the list at `path` (its last place with `last`); the list itself if it is not there."""
    written = report.document.node(path)
    items = plain(written) if isinstance(written, Sequence) else []
    places = [place for place, item in enumerate(items) if str(item) == name]
    places = places or [place for place, item in enumerate(items) if base_of(str(item)) == name]
    return (*path, places[-1] if last else places[0]) if places else path


def silenced(spec: Spec, code: str, name: str) -> bool:
    """`allow: [CODE]` stands on the variable or on one of its factors."""
    holders = [spec.variables.get(name), spec.generative.get(name), spec.recognition.factors.get(name)]
    return any(holder is not None and code in holder.allow for holder in holders)


def check_names(outline: Outline, report: Report) -> None:
    """Factors and parents name declared variables (GS030), each parent once (GS041)."""
    for side in SIDES:
        for name, factor in outline.written(side).items():
            if name not in outline.variables and not outline.doubtful(name):
                near = [meant] if (meant := outline.meant(name)) is not None else []
                hint = did_you_mean(name, near, "declare it under `variables`, or remove this entry", quote="'")
                report.error("GS030", (side, name), f"there is no variable '{name}'", key=True, hint=hint)
            _check_parents(outline, side, name, factor, report)
            _check_subsets(outline, side, name, factor, report)


def _check_parents(outline: Outline, side: Side, name: str, factor: FactorSpec, report: Report) -> None:
    path: Path = (side, name, "parents")
    for parent in dict.fromkeys(factor.parents):
        base = base_of(parent)
        known = base in outline.variables or parent in outline.spec.plates
        if not known and not outline.doubtful(base):
            hint = _meant_instead(outline, base, name)
            if base in outline.spec.networks:
                hint = f"'{base}' is a network: write `network: {base}`"
            report.error("GS030", parent_path(report, path, parent), f"there is no variable '{base}'", hint=hint)
        if factor.parents.count(parent) > 1 and (side, name) not in outline.truncated:
            place = parent_path(report, path, parent, last=True)
            report.error("GS041", place, f"{parent} is a parent twice", hint="parents add up once each: remove one")


def _meant_instead(outline: Outline, unknown: str, reader: str) -> str:
    """The declared variable that a parent of `reader` is probably meant to be, else what there is."""
    others = list(outline.variables)
    if reader in outline.variables:
        others.remove(reader)
    meant = outline.meant(unknown)
    near = others if meant == reader else () if meant is None else (meant,)
    return did_you_mean(unknown, near, f"declared are: {listed(others)}", quote="'")


def _check_subsets(outline: Outline, side: Side, name: str, factor: FactorSpec, report: Report) -> None:
    """`stop_gradient` and the parents of parameters are parents of the factor (GS042)."""
    wanted: list[tuple[Path, tuple[str, ...]]] = [((side, name, "stop_gradient"), factor.stop_gradient)]
    for parameter, value in factor.parameters.items():
        if isinstance(value, NetworkParameter):
            wanted.append(((side, name, "parameters", parameter, "parents"), value.parents))
    for path, names in wanted:
        for other in names:
            if other not in factor.parents and (side, name) not in outline.truncated:
                hint = did_you_mean(other, factor.parents, "add it to `parents`, or leave it out here", quote="'")
                report.error(
                    "GS042", parent_path(report, path, other), f"{other} is not a parent of {name} here", hint=hint
                )


def check_allowances(outline: Outline, report: Report) -> None:
    """`allow` lists codes of warnings (GS048)."""
    spec = outline.spec
    holders: list[tuple[Path, tuple[str, ...]]] = [(("variables", n), v.allow) for n, v in spec.variables.items()]
    holders += [((side, n), factor.allow) for side in SIDES for n, factor in outline.written(side).items()]
    warnings = [code for code in CODES if code >= FIRST_WARNING]
    for path, codes in holders:
        for place, code in enumerate(codes):
            if code in warnings:
                continue
            said = (
                f"{code} is an error, and errors cannot be silenced" if code in CODES else f"there is no code '{code}'"
            )
            hint = f"warnings are {listed(warnings, most=None)}"
            report.error("GS048", (*path, "allow", place), said, hint=hint)


def check_cycles(outline: Outline, report: Report) -> None:
    """No variable depends on itself: GS031 within one graph, GS033 and GS034 through a borrowed function."""
    for side in SIDES:
        graph = outline.graph(side)
        for component in loops(graph):
            if looks_across(outline, side, component):
                continue  # `check_loops` says which of these are no walks
            own = [name for name in outline.factors(side) if name in component]
            if own and not _told_elsewhere(outline, side, component):
                _report_loop(outline, side, _shortest_loop(graph, component, own[0]), report)


def _told_elsewhere(outline: Outline, side: Side, component: set[str]) -> bool:
    """A loop of borrowed functions alone belongs to the graph that defines them."""
    return side == "recognition" and all(outline.borrowed(side, name) for name in component)


def _shortest_loop(graph: nx.DiGraph, component: set[str], start: str) -> list[str]:
    """A shortest way from `start` back to itself."""
    if graph.has_edge(start, start):
        return [start, start]
    inside = graph.subgraph(component)
    ways = [nx.shortest_path(inside, child, start) for child in inside.successors(start)]
    return [start, *min(ways, key=len)]


def _report_loop(outline: Outline, side: Side, loop: list[str], report: Report) -> None:
    name, parent = loop[0], loop[-2]
    way = " → ".join(loop)
    path = parent_path(report, (side, name, "parents"), parent)
    borrowed = [n for n in dict.fromkeys(loop) if outline.borrowed(side, n)]
    if not borrowed:
        said = f"{name} is its own parent" if len(loop) == 2 else f"{name} depends on itself: {way}"
        report.error("GS031", path, said, hint=f"a {side} graph has no cycles: remove one of these arrows")
        return
    other: Side = "generative" if side == "recognition" else "recognition"
    related = tuple(report.related((other, n), f"{n} is defined here", key=True) for n in borrowed)
    code = "GS033" if side == "recognition" else "GS034"
    hint = f"{name} may read a {other} function only if everything that function needs comes before {name}"
    said = f"{name} in {side} cannot read {parent}, which needs {name} itself: {way}"
    report.error(code, path, said, hint=hint, related=related)


def check_roles(outline: Outline, report: Report) -> None:
    """Every role has the factors it needs, and no others (GS032, GS035-GS039)."""
    for name, declared in outline.variables.items():
        if declared.role == "deterministic":
            _check_function(outline, name, report)
        elif declared.role == "observed":
            _check_observed(outline, name, report)
        else:
            _check_hidden(outline, name, report)


def _lacks(outline: Outline, side: Side, name: str) -> bool:
    return not (outline.open or outline.has_factor(side, name) or name in outline.misspelled(side))


def _check_hidden(outline: Outline, name: str, report: Report) -> None:
    role, place = outline.role(name), ("variables", name)
    if _lacks(outline, "generative", name):
        use = {"latent": "nothing would depend on it", "supervised": "the model would not say how likely a label is"}
        message = f"{role} {name} has no factor in generative: {use[str(role)]}"
        hint = f"add `{name}: {{}}` for a root with the domain's standard prior, or name its parents"
        report.error("GS035", place, message, key=True, hint=hint)
    if not outline.spec.recognition.auto and _lacks(outline, "recognition", name):
        observed = ", ".join(outline.observed[:3])
        report.error(
            "GS032",
            place,
            f"recognition forgets {role} {name}: no factor says how it follows from what is observed",
            key=True,
            hint=f"add `{name}: {{parents: [{observed}]}}` to recognition, or `auto: true` to derive it",
        )


def _check_observed(outline: Outline, name: str, report: Report) -> None:
    if name in outline.factors("recognition"):
        hint = "remove this entry; recognition says how hidden variables follow from observed ones"
        if not outline.has_factor("generative", name):
            hint = f"move it to generative, which models {name}; recognition only reads it"
        report.error(
            "GS036", ("recognition", name), f"{name} is observed: recognition never has to find it", key=True, hint=hint
        )
    if outline.variables[name].missing:
        _check_leaf(outline, name, report)


def _check_leaf(outline: Outline, name: str, report: Report) -> None:
    """Blanks are dropped from the likelihood, which is exact for leaves of p only (GS046)."""
    graph, place = outline.graph("generative"), ("variables", name, "missing")
    children = list(graph.successors(name)) if name in graph else []
    if children:
        message = f"{name} may be blank, and {listed(children)} in generative depends on it"
        hint = "only leaves of the generative graph may be `missing`; what others depend on can be supervised"
        report.error("GS046", place, message, key=True, hint=hint)
    elif _lacks(outline, "generative", name):
        report.error(
            "GS046", place, f"{name} may be blank, and generative does not model it", key=True,
            hint=f"add `{name}` to generative: a blank then drops its likelihood term",
        )  # fmt: skip


def _check_function(outline: Outline, name: str, report: Report) -> None:
    homes = [side for side in SIDES if name in outline.factors(side)]
    if len(homes) == 2:
        related = (report.related(("generative", name), f"{name} is defined here", key=True),)
        hint = "keep one; the other graph reads the same function and the same weights"
        report.error(
            "GS037", ("recognition", name), f"{name} is defined in both graphs", key=True, hint=hint, related=related
        )
    elif not homes and all(_lacks(outline, side, name) for side in SIDES):
        hint = f"add `{name}: {{parents: [...]}}` to generative or recognition"
        report.error("GS038", ("variables", name), f"no graph says how {name} is computed", key=True, hint=hint)
    for side in homes:
        _check_computed(outline, side, name, outline.factors(side)[name], report)


def _check_computed(outline: Outline, side: Side, name: str, factor: FactorSpec, report: Report) -> None:
    written = [("distribution", factor.distribution is not None), ("parameters", bool(factor.parameters))]
    for field in (field for field, given in written if given):
        hint = f"remove `{field}`, or make {name} latent"
        said = f"{name} is deterministic, so it has no {field}"
        report.error("GS039", (side, name, field), said, key=True, hint=hint)
    if not factor.parents and (side, name) not in outline.truncated:
        hint = f"name what it is computed from: `{name}: {{parents: [...]}}`"
        report.error("GS039", (side, name), f"{name} is deterministic and has no parents", key=True, hint=hint)


def check_unused_variables(outline: Outline, report: Report) -> None:
    """Observed and deterministic variables that nobody reads and nothing models (GS106)."""
    if not outline.whole:
        return
    spec = outline.spec
    read = {base_of(parent) for side in SIDES for f in outline.written(side).values() for parent in f.parents}
    read |= {plate.count for plate in spec.plates.values() if plate.count is not None}
    for name in _unread(outline, read):
        if silenced(spec, "GS106", name):
            continue
        what = "models or reads" if outline.role(name) == "observed" else "reads"
        hint = "name it as a parent, or remove it"
        report.warning("GS106", ("variables", name), f"nothing {what} {name}", key=True, hint=hint)


def _unread(outline: Outline, read: set[str]) -> Iterable[str]:
    for name in outline.variables:
        if name in read:
            continue
        role = outline.role(name)
        auto_trunk = outline.spec.recognition.auto and name in outline.factors("recognition")
        if (role == "observed" and name not in outline.factors("generative")) or (
            role == "deterministic" and outline.home(name) is not None and not auto_trunk
        ):
            yield name
