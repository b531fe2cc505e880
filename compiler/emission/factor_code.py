"""One class per factor, as a person would write it: layers in `__init__`, parents to parameters in `forward`."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from torch import nn

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.network_code import network
from compiler.emission.text import block, docstring, shape_text, tensor_text
from compiler.emission.walk_code import gru_calls, gru_method
from compiler.emission.writing import ClassText, Outputs
from compiler.factors.factor_modules import Conditional, Deterministic, FactorModule, linked
from compiler.factors.links import without_axes
from compiler.factors.parameter_sources import CONTEXT, ConstantSource, LearnedSource, NetworkSource
from compiler.model.model import module_name
from compiler.networks.layers import disturbed, draws
from compiler.symbolic.networks_read import flagged_parents, read_parents, state_of
from compiler.symbolic.program import conditional_text, function_text
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.expression import Expression, applied, text_of
from graphspec.graphs.graph import Factor, Variable
from graphspec.graphs.parameter_shape import parameter_shape
from graphspec.language.networks import Gru


def write_factor(plan: EmissionPlan, factor: Factor) -> ClassText:
    """The class of one factor. Raises SpecError (GS090) for what has no code yet."""
    module = cast(FactorModule, plan.model.factors[module_name(factor)])
    text = _class_text(plan, factor, module)
    methods: list[str] = []
    if isinstance(module, Deterministic):
        result = {"value": _value(module, text)}
        if isinstance(factor.network, Gru):
            result, methods = _of_gru(plan, factor, text, result)
    else:
        result = _parameters(factor, cast(Conditional, module), text)
    text.code = _written(plan, factor, module, text, result, methods)
    return text


def _of_gru(plan: EmissionPlan, factor: Factor, text: ClassText, result: Outputs) -> tuple[Outputs, list[str]]:
    """Single steps, where some function makes them, and the method that walks all of them in one call."""
    steps, walked = gru_calls(plan, factor.key)
    if walked is None:
        return result, []
    state = state_of(plan.graphs, factor)
    arguments = {name: argument for name, argument in text.arguments.items() if name != state}
    near = {name: f"{text.near[name]}({told})" if name in text.near else told for name, told in arguments.items()}
    given = "{" + ", ".join(f"{text_of(name)}: {code}" for name, code in near.items()) + "}"
    return result if steps else {}, [gru_method("self.network", given, arguments.values(), walked)]


def _class_text(plan: EmissionPlan, factor: Factor, module: FactorModule) -> ClassText:
    home = f"factors.{module_name(factor)}"
    paths = {inner: f"{home}.{path}" if path else home for path, inner in module.named_modules()}
    arguments = {name: plan.identifiers[name] for name in read_parents(plan.graphs, factor)}
    arguments |= {name + PRESENCE: plan.tensors[name, "given"] for name in flagged_parents(plan.graphs, factor)}
    scope = plan.names.inner()
    text = ClassText(plan.classes[factor.key], plan.graphs, (factor.side, factor.variable), arguments, paths, scope)
    for name in arguments:
        if f"of_{name}" in module.entrances:
            entrance = module.entrances[f"of_{name}"]
            made = f"Entrance({tensor_text(entrance.center)}, {tensor_text(entrance.spread)}, {entrance.logarithm})"
            text.near[name] = text.own(f"near_{plan.identifiers[name]}", made, paths[entrance])
    return text


def _parameters(factor: Factor, module: Conditional, text: ClassText) -> Outputs:
    """Constrained parameters under the family's own names, in its order; of a flow its context, if it has one."""
    if module.flow is not None:
        return _flow(factor, module, text)
    computed = [source for source in module.sources if isinstance(source, NetworkSource)]
    if sum(disturbed(source.network) for source in computed) > 1:  # the model's noise comes by parents, not by networks
        raise text.refuse(f"noise on what several networks of {factor.key} read")
    found: dict[str, Expression] = {}
    for source in module.sources:
        match source:
            case ConstantSource():
                found[source.name] = _on_call(text, _constant(text, source))
            case LearnedSource():
                found[source.info.name] = _on_call(text, _learned(text, source))
            case NetworkSource():
                wanted = f"{source.infos[0].name}_network" if len(computed) > 1 else "network"
                outputs = network(text, source.network, module.constructions[source.network], wanted)
                if len(computed) > 1 and draws(source.network):  # in the model's order
                    outputs = {name: text.assign(name, code) for name, code in outputs.items()}
                found |= _traced(source.linked, {name: Expression(code) for name, code in outputs.items()})
            case _:
                raise text.refuse(f"parameters of {factor.key}")
    return {info.name: _started(text, module, info.name, found[info.name].code) for info in module.family.parameters}


def _started(text: ClassText, module: Conditional, name: str, code: str) -> str:
    """A parameter, from where it starts."""
    if f"of_{name}" not in module.starts:
        return code
    start = module.starts[f"of_{name}"]
    made = f"StartingPoint({tensor_text(start.offset)}, {tensor_text(start.factor)})"
    return f"{text.own(f'start_{name}', made, text.paths[start])}({code})"


def _flow(factor: Factor, module: Conditional, text: ClassText) -> Outputs:
    """Adds the map to the class, whose `forward` gives the context; nothing for a root."""
    (source,), made = module.sources, module.made
    sizes = "".join(f", {name}={text_of(value)}" for name, value in made.sizes.items())
    ways = "".join(f", {name}={value}" for name, value in made.ways.items())
    start = f'Initializer(SEED, "{factor.key}/flow", torch.get_default_dtype())'
    transform = f"zuko.flows.{made.kind}({made.features}, {made.context}{sizes}).transform"
    assert module.flow is not None
    text.own("flow", f"flow_map({transform}, {start}{ways})", text.paths[module.flow])
    if source.network is None:
        return {}
    (code,) = network(text, source.network, module.constructions[source.network]).values()
    return {CONTEXT: f"{code}.flatten(layout.dims)"}


def _traced(function: Callable[..., Any], *given: Any) -> Any:
    """What a function of tensors makes of code."""
    return function(*given)


def _on_call(text: ClassText, value: Expression) -> Expression:
    """[1, *shape], on the leading dimensions of the call."""
    return _traced(applied, without_axes, value, Expression("layout")) if text.arguments else value


def _constant(text: ClassText, source: ConstantSource) -> Expression:
    """A number or list from the spec: a buffer that is no part of the checkpoint."""
    name = text.attributes.fresh(source.name)
    text.init.append(f'self.register_buffer("{name}", {tensor_text(source.value)}, persistent=False)')
    return Expression(f"self.{name}")


def _learned(text: ClassText, source: LearnedSource) -> Expression:
    """A free parameter, transformed into its range and spread over the event."""
    raw = source.learned.raw
    made = f"nn.Parameter(torch.full({text_of(raw.shape)}, {raw.detach().flatten()[0].item()}))"
    attribute = text.own(f"raw_{source.info.name}", made, f"{text.paths[source.learned]}.raw")
    return _traced(source.learned.made_of, Expression(attribute))  # type: ignore[no-any-return]


def _value(module: Deterministic, text: ClassText) -> str:
    """A deterministic variable's value, through its domain's link."""
    (code,) = network(text, module.network, module.constructions[module.network]).values()
    variable = module.variable
    return str(_traced(linked, variable, Expression(code), -len(variable.shape))) if module.linked else code


def _written(
    plan: EmissionPlan, factor: Factor, module: nn.Module, text: ClassText, result: Outputs, methods: Sequence[str] = ()
) -> str:
    kinds = [f"{argument}: Tensor" for argument in text.arguments.values()]
    layout = [f"layout: {'Layout' if text.noisy else 'Lead'}"] if kinds else []
    returns = "Tensor" if len(result) == 1 else f"tuple[{', '.join(['Tensor'] * len(result))}]"
    head = f"def forward({', '.join(['self', *kinds, *layout])}) -> {returns}:"
    if len(result) > 1:  # several parameters get a line each, unless they are there already
        named = {n: code.removeprefix("self.").isidentifier() for n, code in result.items()}
        result = {n: code if named[n] else text.assign(n, code) for n, code in result.items()}
    told = docstring(_shapes(plan, factor, module), 2)
    forward = block(head, told, *text.forward, f"return {', '.join(result.values())}")
    init = block("def __init__(self) -> None:", "super().__init__()", *text.init)
    parts = [init, *([forward] if result else []), *methods]
    return block(f"class {text.name}(nn.Module):", docstring(_title(factor)), *parts)


def _title(factor: Factor) -> str:
    if factor.family is None:
        return f"{function_text(factor.variable, factor.parents)}: a deterministic variable."
    letter = "p" if factor.side == "generative" else "q"
    return f"{conditional_text(letter, factor.variable, factor.parents)}: {factor.family.name.replace('_', ' ')}."


def _shapes(plan: EmissionPlan, factor: Factor, module: nn.Module) -> str:
    variables = plan.graphs.variables
    read, flagged = read_parents(plan.graphs, factor), flagged_parents(plan.graphs, factor)
    given = [f"{plan.identifiers[name]} {shape_text(variables[name].shape, '...')}" for name in read]
    given += [f"{plan.tensors[n, 'given']} {shape_text(variables[n].shape, '...')}" for n in flagged]
    variable, lead = variables[factor.variable], "..." if given else "1"
    if factor.family is None:
        target = f"{factor.variable} {shape_text(variable.shape, lead)}"
    elif factor.family.flow:
        target = f"context {shape_text((cast(Conditional, module).made.context,), lead)} of the flow"
    else:
        target = _parameter_shapes(factor, variable, lead)
    return f"{', '.join(given)} to {target}." if given else f"{target[0].upper()}{target[1:]}, the same in every row."


def _parameter_shapes(factor: Factor, variable: Variable, lead: str) -> str:
    """`loc and scale [..., 10]`: those of one shape share it."""
    assert factor.family is not None
    texts = [(info.name, shape_text(parameter_shape(variable, info), lead)) for info in factor.family.parameters]
    if len({size for _, size in texts}) == 1:
        return f"{' and '.join(name for name, _ in texts)} {texts[0][1]}"
    return ", ".join(f"{name} {size}" for name, size in texts)
