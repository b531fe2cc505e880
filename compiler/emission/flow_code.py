"""Flows as code: the map is an attribute of the factor's class, whose `forward` gives the context."""

from math import prod
from typing import Any

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.network_code import network
from compiler.emission.text import grouped
from compiler.emission.writing import ClassText, Outputs
from compiler.factors.factor_modules import Conditional
from compiler.factors.parameter_sources import CONTEXT, ContextSource
from compiler.families.flows import kind_of, zuko_flow
from compiler.tensors.expression import text_of
from graphspec.graphs.graph import Factor
from graphspec.graphs.network_choice import shapes_read
from graphspec.language.shapes import Shape, size_of


def flow_factor(plan: EmissionPlan, factor: Factor, module: Conditional, text: ClassText) -> Outputs:
    """Adds the map to the class; returns the code of the context, or nothing for a root."""
    assert factor.family is not None and module.flow is not None
    (source,) = module.sources
    assert isinstance(source, ContextSource)
    features = prod(plan.graphs.variables[factor.variable].shape)
    shape = flow_context(plan, factor)
    kind, sizes = zuko_flow(factor.family.name, _options(factor), features, size_of(shape))
    given = "".join(f", {name}={text_of(value)}" for name, value in sizes.items())
    start = f'Initializer(SEED, "{factor.key}/flow", torch.get_default_dtype())'
    asked = {"from_noise": module.flow.from_noise, **kind_of(factor.family.name)}
    made = f"zuko.flows.{kind}({features}, {size_of(shape)}{given}).transform"
    made = f"flow_map({made}, {start}, {', '.join(f'{name}={value}' for name, value in asked.items())})"
    text.own("flow", made, text.paths[module.flow])
    if source.network is None:
        return {}
    (code,) = network(text, source.network, module.constructions[source.network]).values()
    return {CONTEXT: code if len(shape) == 1 else f"{grouped(code)}.flatten(-{len(shape)})"}


def flow_context(plan: EmissionPlan, factor: Factor) -> Shape:
    """Shape of what the factor's network gives to its map; (0,) for a root."""
    if factor.network is None or not factor.parents:
        return (0,)
    variables = plan.graphs.variables
    shapes = shapes_read(factor.network, {name: variables[name] for name in factor.parents})
    return factor.network.context_shape(shapes, variables[factor.variable].shape, _options(factor)["hidden"][0])[0]


def _options(factor: Factor) -> dict[str, Any]:
    """The family's options, with their defaults."""
    assert factor.family is not None
    return {name: default for name, (default, _) in factor.family.options.items()} | dict(factor.options)
