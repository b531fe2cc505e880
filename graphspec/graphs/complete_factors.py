"""From an entry of a graph to a `Factor`: family, options, parameters, network; and the shapes of features.

Reports what one factor says wrongly about itself (GS050-GS067). A factor that cannot be resolved becomes None. A
parent whose declaration is broken is left out in silence: that mistake has been reported where it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import networkx as nx

from graphspec.graphs.declared_names import Outline
from graphspec.graphs.family_choice import check_family, check_options
from graphspec.graphs.graph import Factor, Side, Variable
from graphspec.graphs.network_choice import check_feature, check_gives, check_gives_something, find_network, network_of
from graphspec.graphs.parameter_shape import parameter_shape
from graphspec.graphs.parameter_values import check_parameters, heads_of, standard_values
from graphspec.graphs.reading_across import ParentReading, readings, with_keys
from graphspec.graphs.viewed import counted_parents, viewed_variable
from graphspec.graphs.walks import circles
from graphspec.language import WEIGHTLESS, FactorSpec, LearnedParameter, NetworkParameter, NetworkSpec, ParameterSpec
from graphspec.language.families import CERTAIN, Family
from graphspec.language.networks import Elementwise, Gru
from graphspec.text.report import Report
from graphspec.text.tree import Path


@dataclass
class FactorContext:
    """What resolving one factor needs to know. variables: None where a declaration is broken or a shape is unknown.

    views: factors of what is read across elements, found as factors are resolved; their variables are in `variables`.
    """

    outline: Outline
    variables: dict[str, Variable | None]
    report: Report
    views: dict[str, Factor] = field(default_factory=dict)

    def factor(self, side: Side, name: str) -> FactorSpec:
        """A factor as written, its parents called by what they are read as."""
        written = self.outline.factors(side)[name]
        found = self._readings(side, name, written)
        return with_keys(written, {parent: reading.key for parent, reading in found.items()})

    def _readings(self, side: Side, name: str, written: FactorSpec) -> dict[str, ParentReading]:
        """Every parent's reading; what is read across elements gets a variable of its own."""
        if not self.outline.spec.plates:
            return {}
        found = readings(self.outline.spec, side, name, network_of(written, self.outline.spec))
        for reading in found.values():
            if reading.view is None or self.variables.get(reading.key) is not None:
                continue
            self.variables[reading.key] = viewed_variable(self.outline.spec, reading, self.variables.get(reading.name))
            read = counted_parents(self.outline.spec, reading)
            self.views[reading.key] = Factor(side, reading.key, read, None, view=reading.view)
        return found

    def parents(self, side: Side, name: str) -> dict[str, Variable] | None:
        """The resolved parents; None if one of them is unknown, so that shapes cannot be judged."""
        found: dict[str, Variable] = {}
        for parent in dict.fromkeys(self.factor(side, name).parents):
            variable = self.variables.get(parent)
            if variable is None:
                return None
            found[parent] = variable
        return found

    def network(self, reference: str | NetworkSpec | None, path: Path) -> tuple[NetworkSpec | None, str]:
        """See `find_network`."""
        return find_network(reference, self.outline.spec, self.report, path)


def resolve_states(context: FactorContext, functions: Sequence[tuple[Side, str]]) -> None:
    """Shapes of features that depend on themselves along a walk, which the network alone has to tell (changes
    `context`). Where it does not, and no parent does, the size has to be said (GS065)."""
    homes = {name: side for side, name in functions}
    graph = nx.DiGraph([(p, n) for n, side in homes.items() for p in context.outline.parents(side, n) if p in homes])
    circular = [name for circle in circles(graph) for name in sorted(circle) if not _sized(context, name)]
    told: dict[str, Variable] = {}
    for name in circular:
        variable, path = context.variables[name], (homes[name], name)
        network, _ = context.network(context.outline.factors(homes[name])[name].network, path)
        shape = None if network is None else network.state_shape()
        if variable is not None and shape is not None and variable.domain is None:
            told[name] = replace(variable, shape=shape)
    context.variables.update({name: told.get(name) for name in circular})
    for name in circular:
        if name not in told and context.parents(homes[name], name) is None:
            message = f"{name} depends on its own neighbour, and nothing tells how large it is"
            hint = "add `size:`, or a network with hidden layers, whose last one is its value"
            context.report.error("GS065", ("variables", name), message, key=True, hint=hint)


def _sized(context: FactorContext, name: str) -> bool:
    declared = context.outline.variables[name]
    return declared.shape is not None or declared.size is not None or context.variables[name] is None


def resolve_shape(context: FactorContext, side: Side, name: str) -> None:
    """Finds the shape of a deterministic variable from its network, if it declares none (changes `context`)."""
    declared, variable = context.outline.variables[name], context.variables[name]
    if (side, name) in context.outline.truncated:
        context.variables[name] = variable = None
    if variable is None or variable.shape or declared.shape is not None or declared.size is not None:
        return
    factor, path = context.factor(side, name), (side, name)
    network, _ = context.network(factor.network, path)
    parents = context.parents(side, name)
    context.variables[name] = None
    if network is None or not parents:
        return
    if declared.domain is not None and not isinstance(network, WEIGHTLESS):
        message = f"{name} has a domain but no size: without a size its value is the network's last hidden layer"
        hint = "add `size:` (or `shape: []` for a scalar), or remove the domain"
        context.report.error("GS065", ("variables", name, "domain"), message, hint=hint)
        return
    shape = check_feature(network, parents, context.report, path)
    if shape is not None:
        context.variables[name] = replace(variable, shape=shape)


def resolve_factor(context: FactorContext, side: Side, name: str, *, derived: bool = False) -> Factor | None:
    """The factor with every default filled in; None after an error, here or in the variable's declaration."""
    variable = context.variables[name]
    if variable is None or (side, name) in context.outline.truncated:
        return None
    factor = context.factor(side, name)
    base = Factor(
        side=side,
        variable=name,
        parents=tuple(dict.fromkeys(p for p in factor.parents if p in context.variables)),
        family=None,
        stop_gradient=frozenset(p for p in factor.stop_gradient if p in factor.parents),
        derived=derived,
    )
    if variable.role == "deterministic":
        return _function(context, base, variable, factor)
    return _conditional(context, base, variable, factor)


def _function(context: FactorContext, base: Factor, variable: Variable, factor: FactorSpec) -> Factor | None:
    path: Path = (base.side, base.variable)
    network, label = context.network(factor.network, path)
    if network is None or not factor.parents:
        return None
    parents = context.parents(base.side, base.variable)
    declared = context.outline.variables[base.variable]
    if parents is not None and (declared.shape is not None or declared.size is not None):
        check_gives(network, parents, variable.shape, base.variable, context.report, path)
    return replace(base, network=network, network_name=label)


def _conditional(context: FactorContext, base: Factor, variable: Variable, factor: FactorSpec) -> Factor | None:
    path: Path = (base.side, base.variable)
    family = check_family(variable, factor, base.side, context.report, path)
    if family is None:
        if factor.parents:
            context.network(factor.network, path)
        return None
    options = check_options(family, factor, context.report, path)
    given = check_parameters(variable, family, factor, context.report, path)
    parameters = {n: _with_network(context, base, variable, family, n, value) for n, value in given.items()}
    standard = False
    if not factor.parents:
        standard = base.side == "generative" and not given and bool(family.parameters)
        parameters = {**parameters, **_root_values(base.side, variable, family, given)}
    network, label = _network(context, base, variable, family, factor, given)
    if factor.parents and network is None and label:
        return None
    return replace(
        base, family=family, options=options, parameters=parameters, network=network,
        network_name=label, standard=standard,
    )  # fmt: skip


def _root_values(
    side: Side, variable: Variable, family: Family, given: Mapping[str, ParameterSpec]
) -> dict[str, ParameterSpec]:
    """Parameters of a root that nobody wrote: standard values in p, learned ones in q."""
    values = standard_values(variable, family, given)
    return values if side == "generative" else {name: LearnedParameter(learned="element") for name in values}


def _network(
    context: FactorContext, base: Factor, variable: Variable, family: Family, factor: FactorSpec,
    given: Mapping[str, ParameterSpec],
) -> tuple[NetworkSpec | None, str]:  # fmt: skip
    """The factor's own network: (None, "") where there is nothing for it to give; (None, name) after an error."""
    path: Path = (base.side, base.variable)
    heads = heads_of(family, given)
    idle = not factor.parents or (not heads and bool(family.parameters))
    if idle and factor.network is None:
        return None, ""
    network, label = context.network(factor.network, path)
    good = check_gives_something(network, heads, family, factor, context.report, path)
    if network is None or not good or idle:
        return None, label or "unusable"
    parents = context.parents(base.side, base.variable)
    direct = family.parameter(family.direct) if isinstance(network, WEIGHTLESS) else None
    target = variable.shape if direct is None else parameter_shape(variable, direct)
    if parents is not None and not isinstance(network, Gru):  # which `rules/gru_rules.py` refuses
        what, counted = f"the {family.direct} of {base.variable}", family.name == CERTAIN
        check_gives(network, parents, target, what, context.report, path, counted=counted)
        for head in heads if isinstance(network, Elementwise) else ():
            if head.extent == "vector":
                told = f"elementwise gives each element a number, and the {head.name} of {base.variable} is one for all"
                hint = f"use linear or mlp, or give it apart: `parameters: {{{head.name}: learned}}`"
                context.report.error("GS061", (*path, "network"), told, hint=hint)
    return network, label


def _with_network(
    context: FactorContext, base: Factor, variable: Variable, family: Family, name: str, value: ParameterSpec
) -> ParameterSpec:
    """A parameter with a network of its own gets the architecture in place of its name."""
    info = family.parameter(name)
    if not isinstance(value, NetworkParameter) or info is None:
        return value
    path: Path = (base.side, base.variable, "parameters", name)
    network, _ = context.network(value.network, path)
    parents = {p: v for p in value.parents if (v := context.variables.get(p)) is not None and p in base.parents}
    if network is not None and len(parents) == len(set(value.parents)) and not isinstance(network, Gru):
        target, what = parameter_shape(variable, info), f"the {name} of {base.variable}"
        check_gives(network, parents, target, what, context.report, path)
    return value.model_copy(update={"network": network})
