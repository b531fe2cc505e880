"""`gru`: whose function it is, and what it walks on. Code GS026."""

from collections.abc import Iterator

from graphspec.graphs.declared_names import Outline
from graphspec.graphs.graph import SIDES, Side
from graphspec.graphs.network_choice import network_of
from graphspec.language import FactorSpec, NetworkParameter
from graphspec.language.networks import Gru
from graphspec.language.plates import MARK, NEIGHBOURS, base_of
from graphspec.language.variables import default_domain
from graphspec.text.report import Report
from graphspec.text.tree import Path

EXAMPLE = "`h: {parents: [h@previous, x], network: {kind: gru, hidden: 32}}`"
Problem = tuple[str, str]
"""What is wrong, and what to do."""


def check_grus(outline: Outline, report: Report) -> None:
    """GS026: a gru is the function of a deterministic variable, of whose parents one is its own neighbour."""
    for side in SIDES:
        for name, factor in outline.factors(side).items():
            if (side, name) in outline.truncated:
                continue
            for parameter, given in factor.parameters.items():
                network = given.network if isinstance(given, NetworkParameter) else None
                network = outline.spec.networks.get(network) if isinstance(network, str) else network
                if isinstance(network, Gru):
                    message = f"a gru walks along a plate, and here it would give the {parameter} of {name}"
                    hint = f"give the gru to a deterministic variable and read that: {EXAMPLE}"
                    report.error("GS026", (side, name, "parameters", parameter, "network"), message, hint=hint)
            if factor.parents and isinstance(network_of(factor, outline.spec), Gru):
                for message, hint in _problems(outline, side, name, factor):
                    report.error("GS026", _place(side, name, factor), message, hint=hint)


def _place(side: Side, name: str, factor: FactorSpec) -> Path:
    return (side, name) if factor.network is None else (side, name, "network")


def _problems(outline: Outline, side: Side, name: str, factor: FactorSpec) -> Iterator[Problem]:
    declared = outline.variables[name]
    own = [parent for parent in factor.parents if base_of(parent) == name]
    states = [parent for parent in own if parent.partition(MARK)[2] in NEIGHBOURS]
    domain = default_domain(declared)
    if declared.role != "deterministic":
        yield (
            f"a gru is the function of a deterministic variable, and {name} is {declared.role}",
            f"give the gru to a deterministic variable and let {name} read that: {EXAMPLE}",
        )
    elif declared.plate is None:
        yield f"a gru walks along a plate, and {name} has one value a row", f"give {name} a `plate:`"
    elif not states:
        view = f"{name}{MARK}previous"
        yield f"the state of a gru is its own neighbour, and {name} does not read it", f"add `{view}` to the parents"
    elif len(own) == len(set(factor.parents)):
        yield f"the gru of {name} has a state and no inputs", "name what it reads at each element"
    elif domain not in (None, "real"):
        yield (
            f"the value of a gru is its state, between -1 and 1, and {name} is a {domain}",
            "remove the domain; another variable may be a function of it",
        )
