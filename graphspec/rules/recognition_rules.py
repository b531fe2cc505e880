"""What the two graphs promise each other: warnings that need the whole picture. Codes GS101-GS104."""

from math import prod

from graphspec.graphs.graph import Factor, Graphs
from graphspec.graphs.separation import with_ancestors
from graphspec.language import NetworkParameter
from graphspec.reading.suggestions import amount, listed
from graphspec.rules.graph_rules import silenced
from graphspec.text.report import Report

LARGE_ENUMERATION = 1000
"""Joint values of enumerated variables per row above which `check` warns."""


def _deterministic(graphs: Graphs) -> set[str]:
    return {name for name, variable in graphs.variables.items() if variable.role == "deterministic"}


def check_informed_latents(graphs: Graphs, report: Report) -> None:
    """A latent whose value leaves no trace in what is observed or labelled (GS101). One that recognition reads on the
    way to another variable is an auxiliary variable, and meant."""
    model, recognition = graphs.graph("generative"), graphs.graph("recognition")
    informed, auxiliary = set[str](), set[str]()
    with_ancestors(model, [n for n in (*graphs.observed, *graphs.supervised) if n in model], informed)
    hidden = [n for n in (*graphs.latent, *graphs.supervised) if n in recognition]
    with_ancestors(recognition, {p for n in hidden for p in recognition.predecessors(n)}, auxiliary)
    for name in graphs.latent:
        if name in informed or name in auxiliary or silenced(graphs.spec, "GS101", name):
            continue
        hint = f"the data cannot say anything about it: make {name} a parent of something observed, or remove it"
        report.warning("GS101", ("variables", name), f"nothing observed depends on latent {name}", key=True, hint=hint)


def check_estimators_are_quiet(graphs: Graphs, report: Report) -> None:
    """Hidden variables whose gradient can only come from a score function (GS102)."""
    for name in (*graphs.supervised, *graphs.latent):
        if name in graphs.exact:
            continue
        factor, variable = graphs.recognition[name], graphs.variables[name]
        assert factor.family is not None
        asked = graphs.spec.objective.estimators.get(name)
        if asked is not None and asked.kind == "mean":
            continue
        if asked is not None and asked.kind == "score_function":
            reason = f"the spec asks for a score function for {name}"
        elif variable.discrete and variable.support is None:
            reason = f"{name} has no largest value, so its values cannot be summed or relaxed"
        elif not variable.discrete and not factor.family.reparameterized:
            reason = f"draws of {factor.family.name} have no gradient"
        else:
            continue
        if not silenced(graphs.spec, "GS102", name):
            hint = "give a count its `max`" if variable.domain == "count" else "choose another estimator or family"
            path = ("recognition", name)
            said = f"{reason}: its gradient will be noisy"
            report.warning("GS102", path, said, key=True, hint=f"{hint}, or raise objective.samples")


def check_enumerations(graphs: Graphs, report: Report) -> None:
    """Sums that the spec asks for and that are long (GS103); without being asked the compiler keeps sums short."""
    sizes: dict[str, int] = {}
    for name, asked in graphs.spec.objective.estimators.items():
        variable = graphs.variables.get(name)
        if asked.kind == "enumerate" and asked.budget is None and variable is not None and variable.support is not None:
            sizes[name] = variable.support ** prod(variable.shape)
    total = prod(sizes.values())
    if total <= LARGE_ENUMERATION or any(silenced(graphs.spec, "GS103", name) for name in sizes):
        return
    widest = max(sizes, key=sizes.__getitem__)
    product = " × ".join(amount(size, " ") for size in sizes.values())
    said = f"{listed(sizes)} together have {product + ' = ' if len(sizes) > 1 else ''}{amount(total, ' ')} values"
    message = f"{said}, and each row is computed for every one"
    hint = f"`estimators: {{{widest}: relax}}` draws instead of summing"
    report.warning("GS103", ("objective", "estimators", widest), message, key=True, hint=hint)


def check_parents_are_read(graphs: Graphs, report: Report) -> None:
    """Parents that no network of their factor reads, because `parameters` gives everything (GS104)."""
    for side in ("generative", "recognition"):
        for name, factor in graphs.factors(side).items():
            idle = _unread(factor)
            if idle and not silenced(graphs.spec, "GS104", name):
                given = listed(factor.parameters)
                said = f"no parameter of {name} depends on {listed(idle)}: `parameters` gives {given}"
                hint = f"remove {listed(idle)} from the parents, or leave a parameter to the network"
                report.warning("GS104", (side, name, "parents"), said, hint=hint)


def _unread(factor: Factor) -> list[str]:
    if factor.network is not None or factor.deterministic or not (factor.family and factor.family.parameters):
        return []
    read = {p for value in factor.parameters.values() if isinstance(value, NetworkParameter) for p in value.parents}
    return [parent for parent in factor.parents if parent not in read]
