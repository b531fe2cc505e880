"""What an omitted network means in an included spec: the included spec's own default, never that of the outer one."""

from dataclasses import replace

from graphspec.graphs.complete_variables import variable_of
from graphspec.graphs.family_choice import check_family
from graphspec.graphs.graph import SIDES
from graphspec.graphs.parameter_values import heads_of
from graphspec.including.included_spec import Opened
from graphspec.including.renaming import as_node, with_field
from graphspec.language import DEFAULT_NETWORK, FactorSpec, NetworkParameter
from graphspec.text.report import Report
from graphspec.text.tree import Entry, Mapping, Node, child

DEFAULT = "default"


def with_network(opened: Opened, side: str, entry: Entry) -> Entry:
    """A factor of the included spec, in its names, with the network said that it and its parameters leave out."""
    spec = opened.spec
    if side == "recognition" and entry.key in spec.recognition.exact:
        return entry
    factor = (spec.generative if side == "generative" else spec.recognition.factors)[entry.key]
    default = as_node(
        DEFAULT if DEFAULT in spec.networks else DEFAULT_NETWORK.model_dump(mode="json", exclude_unset=True),
        entry.value,
    )
    node = entry.value
    if factor.network is None and _wants_network(opened, side, entry.key, factor):
        node = with_field(node, "network", default)
    parameters = child(node, "parameters")
    if isinstance(parameters, Mapping):
        changed = tuple(_parameter(each, factor, default) for each in parameters.entries)
        node = with_field(node, "parameters", replace(parameters, entries=changed))
    return replace(entry, value=node)


def _parameter(entry: Entry, factor: FactorSpec, default: Node) -> Entry:
    given = factor.parameters.get(entry.key)
    if isinstance(given, NetworkParameter) and given.network is None:
        return replace(entry, value=with_field(entry.value, "network", default))
    return entry


def _wants_network(opened: Opened, side: str, name: str, factor: FactorSpec) -> bool:
    """A network is left out, and not because there is nothing for it to give."""
    declared = opened.spec.variables.get(name)
    if declared is None or not factor.parents:
        return False
    if declared.role == "deterministic":
        return True
    aside = Report(opened.document)
    variable = variable_of(name, declared, aside)
    if variable is None:
        return False
    family = check_family(variable, factor, SIDES[0] if side == SIDES[0] else SIDES[1], aside, (side, name))
    return family is not None and (not family.parameters or bool(heads_of(family, factor.parameters)))
