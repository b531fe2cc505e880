"""From an entry of a graph to a `Factor`: family, options, parameters, network; and the shapes of features.

Reports what one factor says wrongly about itself (GS050-GS067). A factor that cannot be resolved becomes None. A
parent whose declaration is broken is left out in silence: that mistake has been reported where it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphspec.graphs.declared_names import Outline
from graphspec.graphs.family_choice import check_family, check_options
from graphspec.graphs.graph import Factor, Side, Variable
from graphspec.graphs.network_choice import (
    check_direct,
    check_feature,
    check_gives_something,
    check_shapes,
    find_network,
)
from graphspec.graphs.parameter_values import check_parameters, standard_values
from graphspec.graphs.shapes import parameter_shape
from graphspec.language import WEIGHTLESS, FactorSpec, LearnedParameter, NetworkParameter, NetworkSpec, ParameterSpec
from graphspec.language.families import Family, ParameterInfo
from graphspec.text.report import Report
from graphspec.text.tree import Path


@dataclass
class FactorContext:
    """What resolving one factor needs to know. variables: None where a declaration is broken or a shape is unknown."""

    outline: Outline
    variables: dict[str, Variable | None]
    report: Report

    def parents(self, side: Side, name: str) -> dict[str, Variable] | None:
        """The resolved parents; None if one of them is unknown, so that shapes cannot be judged."""
        found: dict[str, Variable] = {}
        factor = self.outline.factors(side)[name]
        for parent in dict.fromkeys(factor.parents):
            variable = self.variables.get(parent)
            if variable is None:
                return None
            found[parent] = variable
        return found


def resolve_shape(scene: FactorContext, side: Side, name: str) -> None:
    """Finds the shape of a deterministic variable from its network, if it declares none (changes `scene`)."""
    declared, variable = scene.outline.variables[name], scene.variables[name]
    if (side, name) in scene.outline.truncated:
        scene.variables[name] = variable = None
    if variable is None or declared.shape is not None or declared.size is not None:
        return
    factor, path = scene.outline.factors(side)[name], (side, name)
    network, _ = find_network(factor.network, scene.outline.spec, scene.report, path)
    parents = scene.parents(side, name)
    scene.variables[name] = None
    if network is None or not parents:
        return
    if declared.domain is not None and not isinstance(network, WEIGHTLESS):
        message = f"{name} has a domain but no size: without a size its value is the network's last hidden layer"
        hint = "add `size:` (or `shape: []` for a scalar), or remove the domain"
        scene.report.error("GS065", ("variables", name, "domain"), message, hint=hint)
        return
    shape = check_feature(network, parents, scene.report, path)
    if shape is not None:
        scene.variables[name] = replace(variable, shape=shape)


def resolve_factor(scene: FactorContext, side: Side, name: str, *, derived: bool = False) -> Factor | None:
    """The factor with every default filled in; None after an error, here or in the variable's declaration."""
    variable, factor = scene.variables[name], scene.outline.factors(side)[name]
    if variable is None or (side, name) in scene.outline.truncated:
        return None
    base = Factor(
        side=side,
        variable=name,
        parents=scene.outline.parents(side, name),
        family=None,
        stop_gradient=frozenset(p for p in factor.stop_gradient if p in factor.parents),
        derived=derived,
    )
    if variable.role == "deterministic":
        return _function(scene, base, variable, factor)
    return _conditional(scene, base, variable, factor)


def _function(scene: FactorContext, base: Factor, variable: Variable, factor: FactorSpec) -> Factor | None:
    path: Path = (base.side, base.variable)
    network, label = find_network(factor.network, scene.outline.spec, scene.report, path)
    if network is None or not factor.parents:
        return None
    parents = scene.parents(base.side, base.variable)
    declared = scene.outline.variables[base.variable]
    if parents is not None and (declared.shape is not None or declared.size is not None):
        if isinstance(network, WEIGHTLESS):
            check_direct(network, parents, variable.shape, base.variable, scene.report, path)
        else:
            check_shapes(network, parents, variable.shape, scene.report, path)
    return replace(base, network=network, network_name=label)


def _conditional(scene: FactorContext, base: Factor, variable: Variable, factor: FactorSpec) -> Factor | None:
    path: Path = (base.side, base.variable)
    family = check_family(variable, factor, base.side, scene.report, path)
    if family is None:
        if factor.parents:
            find_network(factor.network, scene.outline.spec, scene.report, path)
        return None
    options = check_options(family, factor, scene.report, path)
    given = check_parameters(variable, family, factor, scene.report, path)
    parameters = {n: _with_network(scene, base, variable, family, n, value) for n, value in given.items()}
    standard = False
    if not factor.parents:
        standard = base.side == "generative" and not given and bool(family.parameters)
        parameters = {**parameters, **_root_values(base.side, variable, family, given)}
    network, label = _network(scene, base, variable, family, factor, given)
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


def heads_of(family: Family, given: Mapping[str, ParameterSpec]) -> tuple[ParameterInfo, ...]:
    """The parameters that the factor's network gives: those `parameters` does not list."""
    taken = {info.name for name in given if (info := family.parameter(name)) is not None}
    return tuple(info for info in family.parameters if info.name not in taken)


def _network(
    scene: FactorContext, base: Factor, variable: Variable, family: Family, factor: FactorSpec,
    given: Mapping[str, ParameterSpec],
) -> tuple[NetworkSpec | None, str]:  # fmt: skip
    """The factor's own network: (None, "") where there is nothing for it to give; (None, name) after an error."""
    path: Path = (base.side, base.variable)
    heads = heads_of(family, given)
    idle = not factor.parents or (not heads and bool(family.parameters))
    if idle and factor.network is None:
        return None, ""
    network, label = find_network(factor.network, scene.outline.spec, scene.report, path)
    good = check_gives_something(network, heads, family, factor, scene.report, path)
    if network is None or not good or idle:
        return None, label or "unusable"
    parents = scene.parents(base.side, base.variable)
    if parents is not None and isinstance(network, WEIGHTLESS):
        direct = family.parameter(family.direct)
        assert direct is not None, "checked just above"
        what = f"the {family.direct} of {base.variable}"
        check_direct(network, parents, parameter_shape(variable, direct), what, scene.report, path)
    elif parents is not None:
        check_shapes(network, parents, variable.shape, scene.report, path)
    return network, label


def _with_network(
    scene: FactorContext, base: Factor, variable: Variable, family: Family, name: str, value: ParameterSpec
) -> ParameterSpec:
    """A parameter with a network of its own gets the architecture in place of its name."""
    info = family.parameter(name)
    if not isinstance(value, NetworkParameter) or info is None:
        return value
    path: Path = (base.side, base.variable, "parameters", name)
    network, _ = find_network(value.network, scene.outline.spec, scene.report, path)
    parents = {p: v for p in value.parents if (v := scene.variables.get(p)) is not None and p in base.parents}
    if network is not None and len(parents) == len(set(value.parents)):
        target = parameter_shape(variable, info)
        if isinstance(network, WEIGHTLESS):
            check_direct(network, parents, target, f"the {name} of {base.variable}", scene.report, path)
        else:
            check_shapes(network, parents, target, scene.report, path)
    return value.model_copy(update={"network": network})
