"""Functions of discrete variables: `distribution: certain`. Codes GS027, GS096."""

from collections.abc import Iterator
from itertools import product
from math import inf, prod

from graphspec.graphs.coupling import MOST_JOINT, coupling_reader, is_certain, joint_values, summed_jointly
from graphspec.graphs.graph import SIDES, Factor, Graphs, Variable, View
from graphspec.language.networks import Identity, Product, SumOf
from graphspec.language.plates import NEIGHBOURS, shown
from graphspec.reading.suggestions import amount, listed
from graphspec.rules.refusals import refuse
from graphspec.text.report import Report

COMPUTES = (SumOf, Product, Identity)

Problem = tuple[tuple[str, ...], str, str]
"""Where in the factor, what is wrong, and what to do."""
Range = tuple[float, float]
"""Smallest and largest value; without an end, infinite."""


def check_certain(graphs: Graphs, report: Report) -> None:
    """Every factor of `certain` computes a value that its variable can have, in both graphs, from what is summed."""
    told = set[str]()
    for side in SIDES:
        for name, factor in graphs.factors(side).items():
            if not is_certain(factor) or name in told:
                continue
            problem = next(_problems(graphs, factor), None)
            if problem is not None:
                place, message, hint = problem
                report.error("GS027", (side, name, *place), message, hint=hint)
                told.add(name)
            elif name in _depends_on(graphs, name):
                what = f"{name}, which depends on its own value at a neighbour"
                _refuse(report, factor, what, "it would be a chain of values, which is not summed as one")
                told.add(name)
            elif side == "recognition":
                _check_objective(graphs, name, report)
                _check_summed(graphs, factor, report)


def _problems(graphs: Graphs, factor: Factor) -> Iterator[Problem]:
    """What is wrong with one factor, the first being the cause of the others."""
    name, variable = factor.variable, graphs.variables[factor.variable]
    if variable.role == "observed":
        message = f"{name} is observed and certain: rows that are not as computed would be impossible under q"
        yield ("distribution",), message, "make it supervised: its label then weighs what q says"
    other = graphs.recognition.get(name) if factor.side == "generative" else graphs.generative.get(name)
    if not is_certain(other):
        elsewhere = "recognition" if factor.side == "generative" else "generative"
        message = f"{name} is certain here and not in {elsewhere}"
        yield ("distribution",), message, f"write the same factor under `{elsewhere}`, `distribution: certain` too"
    if not factor.parents:
        yield ("distribution",), f"{name} has no parents, so there is nothing to compute it from", "name its parents"
    if factor.parameters:
        message = f"the value of {name} is what its network computes, and `parameters` gives it too"
        yield ("parameters",), message, "remove `parameters`, and say `network: {kind: sum}`"
    if not isinstance(factor.network, COMPUTES):
        used = f"{factor.network.kind} is none that counts" if factor.network is not None else "none is written"
        message, place = f"{name} is computed by a network without weights, and {used}", ("network",)
        yield place if factor.network_name == "" else (), message, "say `network: {kind: sum}`, product or identity"
    yield from _parents(graphs, factor)
    yield from _values(graphs, factor, variable)
    if other is not None and (set(other.parents), other.network) != (set(factor.parents), factor.network):
        message = f"p and q compute {name} differently, so that p would give no mass to what q says"
        yield (), message, "write the same parents and the same network in both graphs"


def _view(graphs: Graphs, parent: str) -> View | None:
    return graphs.views[parent].view if parent in graphs.views else None


def _base(graphs: Graphs, parent: str) -> str:
    view = _view(graphs, parent)
    return parent if view is None or view.kind == "place" else view.base


def _parents(graphs: Graphs, factor: Factor) -> Iterator[Problem]:
    for parent in factor.parents:
        base, view = graphs.variables[_base(graphs, parent)], _view(graphs, parent)
        if not base.discrete:
            what = f"a {base.domain}" if base.domain else "a feature"
            message = f"{factor.variable} is certain, so its parents are discrete, and {base.name} is {what}"
            yield ("parents",), message, "parents are binary, category or count"
        if view is not None and view.kind == "mean":
            message = f"{shown(parent)} has fractions, and {factor.variable} is counted"
            yield ("parents",), message, f"read `{base.name}@sum`"


def _values(graphs: Graphs, factor: Factor, variable: Variable) -> Iterator[Problem]:
    """The variable's domain contains every result."""
    limits = {field: getattr(factor.network, field, None) for field in ("minimum", "maximum")}
    for field, limit in limits.items():
        if limit is not None and limit != int(limit):
            message = f"{variable.name} is counted, and its network keeps it at {limit:g}"
            yield ("network", field), message, "give a whole number"
    low, high = _results(graphs, factor)
    first, last = variable.minimum, variable.minimum + (variable.support or 1) - 1
    if low < first or high > last:
        found = f"{low:g} to {high:g}" if high < inf else f"{low:g} or more"
        message = f"{variable.name} has the values {first} to {last}, and its network gives {found}"
        kind = f"`domain: count, min: {low:g}, max: {high:g}`" if 0 <= low <= high < inf else "a wider domain"
        yield (), message, f"give {variable.name} {kind}, or keep a sum in it by `minimum` and `maximum`"


def _results(graphs: Graphs, factor: Factor) -> Range:
    """Smallest and largest value that the factor's network can give."""
    network, ranges = factor.network, {parent: _range(graphs, parent) for parent in factor.parents}
    if isinstance(network, SumOf):
        signed = [(-high, -low) if name in network.minus else (low, high) for name, (low, high) in ranges.items()]
        low, high = sum(low for low, _ in signed), sum(high for _, high in signed)
        if network.minimum is not None:
            low, high = max(low, network.minimum), max(high, network.minimum)
        return (low, high) if network.maximum is None else (min(low, network.maximum), min(high, network.maximum))
    if isinstance(network, Product):
        ends = [prod(picked) for picked in product(*ranges.values())]
        endless = any(high == inf for _, high in ranges.values())
        return (0.0, inf) if endless else (min(ends), max(ends))
    return next(iter(ranges.values()))


def _range(graphs: Graphs, parent: str) -> Range:
    """Smallest and largest value of a parent as it is read."""
    view, base = _view(graphs, parent), graphs.variables[_base(graphs, parent)]
    low, high = float(base.minimum), inf if base.support is None else base.minimum + base.support - 1.0
    if view is not None and graphs.ragged(view.taken) is not None:
        low = min(low, 0.0)  # of no element there is zero
    if view is not None and view.kind == "sum":
        count = prod(size for plate, size in base.plates if plate in view.taken)
        return count * low, count * high
    return (min(low, 0.0), max(high, 0.0)) if view is not None and view.kind in NEIGHBOURS else (low, high)


def _check_objective(graphs: Graphs, name: str, report: Report) -> None:
    """What is asked of a hidden variable's draws and divergence."""
    for field in ("beta", "free_bits", "estimators", "consistency"):
        if name in getattr(graphs.spec.objective, field):
            message = f"{name} is certain: it has no draws and no divergence, and nothing for `{field}` to change"
            hint = "leave it out; `alpha` weighs its label"
            report.error("GS027", ("objective", field, name), message, key=True, hint=hint)
    if graphs.spec.data is not None and name in graphs.spec.data.variables and graphs.spec.data.variables[name].soft:
        message = f"{name} is certain: it has one value, and `soft` gives shares to several"
        report.error("GS027", ("data", "variables", name, "soft"), message, key=True, hint="name a column of values")


def _check_summed(graphs: Graphs, factor: Factor, report: Report) -> None:
    """GS096: whatever may be hidden of what a value is computed from is summed, and has few joint values."""
    summed: dict[str, int] = {}
    for parent in _computed_from(graphs, factor):
        base = graphs.variables[_base(graphs, parent)]
        if base.role not in ("latent", "supervised"):
            continue
        because = _not_summed(graphs, base.name)
        if because:
            _refuse(report, factor, f"{factor.variable} of {base.name}, which is not summed", because)
            return
        view = _view(graphs, parent)
        apart = view is None or view.kind in NEIGHBOURS
        values = (base.support or 1) ** prod(base.shape) if apart else joint_values(graphs, base.name)
        summed[base.name] = max(values, summed.get(base.name, 1))
    total = prod(summed.values())
    if total > MOST_JOINT:
        because = f"there are {amount(total)} joint values, more than {MOST_JOINT}"
        _refuse(report, factor, f"a sum over {listed(summed)} for {factor.variable}", because)


def _refuse(report: Report, factor: Factor, what: str, because: str) -> None:
    instead = "fewer values or elements, or a distribution in place of `certain`"
    refuse(report, (factor.side, factor.variable), what, because, instead, key=True)


def _depends_on(graphs: Graphs, name: str) -> set[str]:
    """What is above a certain variable through others that are certain, itself perhaps among them."""
    found, pending = set[str](), [name]
    while pending:
        factor = graphs.recognition.get(pending.pop())
        above = {_base(graphs, parent) for parent in factor.parents} if factor and is_certain(factor) else set()
        pending += above - found
        found |= above
    return found


def _computed_from(graphs: Graphs, factor: Factor) -> list[str]:
    """Parents as they are read, those that are certain replaced by theirs."""
    found = dict[str, None]()
    for parent in factor.parents:
        above = graphs.recognition.get(_base(graphs, parent))
        found |= dict.fromkeys(_computed_from(graphs, above) if above and is_certain(above) else [parent])
    return list(found)


def _not_summed(graphs: Graphs, name: str) -> str:
    """Why a hidden variable is drawn; nothing where it is summed."""
    variable, asked = graphs.variables[name], graphs.spec.objective.estimators.get(name)
    if variable.support is None:
        return f"{name} has no largest value"
    if asked is not None and asked.kind != "enumerate":
        return f"the spec asks to draw {name} (`{asked.kind}`)"
    reader = coupling_reader(graphs, name)
    if reader is not None and not summed_jointly(graphs, name):
        joint = amount(joint_values(graphs, name))
        return f"{shown(reader)} couples the elements of {name}, which have {joint} joint values"
    scored = [other for other in _below(graphs, name) if _scored(graphs, other)]
    return f"{scored[0]} is drawn below it, by the score function" if scored else ""


def _below(graphs: Graphs, name: str) -> list[str]:
    """Hidden variables that depend on one in recognition."""
    graph, found, pending = graphs.graph("recognition"), dict[str, None](), [name]
    while pending:
        for child in graph.successors(pending.pop()):
            if child not in found:
                found[child] = None
                pending.append(child)
    return [child for child in found if child in graphs.recognition and not graphs.recognition[child].deterministic]


def _scored(graphs: Graphs, name: str) -> bool:
    """Draws of the variable have no gradient but the score function's."""
    variable, family = graphs.variables[name], graphs.recognition[name].family
    asked = graphs.spec.objective.estimators.get(name)
    if asked is not None:
        return asked.kind == "score_function"
    assert family is not None, "deterministic variables are not drawn"
    return variable.support is None if variable.discrete else not family.reparameterized
