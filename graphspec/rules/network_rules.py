"""Entries of `networks`, whether a factor names them or not. Codes GS067, GS100."""

from graphspec.graphs.declared_names import Outline
from graphspec.graphs.network_choice import DEFAULT, check_network
from graphspec.language import NetworkParameter, Spec
from graphspec.reading.suggestions import suggest
from graphspec.text.report import Report


def check_named_networks(spec: Spec, report: Report) -> None:
    """Entries of `networks`, whether used or not."""
    for name, network in spec.networks.items():
        check_network(network, report, ("networks", name))


def check_unused_networks(outline: Outline, report: Report) -> None:
    """Warns of entries that no factor names (GS100). `default` is used wherever a network is left out."""
    spec = outline.spec
    used = {DEFAULT} if spec.recognition.auto else set()
    for factor in [*spec.generative.values(), *spec.recognition.factors.values()]:
        parameters = [p for p in factor.parameters.values() if isinstance(p, NetworkParameter)]
        for reference in [factor.network, *(p.network for p in parameters)]:
            if reference is None and factor.parents:
                used.add(DEFAULT)
            elif isinstance(reference, str):
                used.add(suggest(reference, spec.networks) or reference)
    if not outline.whole:
        return
    for name in spec.networks:
        if name not in used:
            hint = f"write `network: {name}` in a factor, or remove it"
            report.warning("GS100", ("networks", name), f"no factor uses the network '{name}'", key=True, hint=hint)
