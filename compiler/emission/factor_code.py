"""One class per factor, as a person would write it: layers in `__init__`, parents to parameters in `forward`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.flow_code import flow_context, flow_factor
from compiler.emission.network_code import network
from compiler.emission.text import INDENT, docstring, event_text, number, shape_text, statement, tuple_text
from compiler.emission.writing import ClassText, Outputs
from compiler.factors.factor_modules import Conditional, Deterministic, linked
from compiler.factors.links import without_axes
from compiler.factors.parameter_sources import (
    ConstantSource,
    LearnedSource,
    NetworkSource,
)
from compiler.model.model import module_name
from compiler.networks.layers import disturbed, draws
from compiler.symbolic.networks_read import flagged_parents, read_parents
from compiler.symbolic.program import conditional_text
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.expression import Expression, applied
from graphspec.graphs.graph import Factor, Variable
from graphspec.graphs.parameter_shape import parameter_shape
from graphspec.language.shapes import size_of


@dataclass(frozen=True)
class FactorCode:
    """A factor's class, its names in the checkpoint, and the classes of the user's own that it needs (module, name).

    noisy: its `forward` draws something.
    """

    lines: list[str]
    renames: Mapping[str, str]
    imports: frozenset[tuple[str, str]]
    noisy: bool


def write_factor(plan: EmissionPlan, factor: Factor) -> FactorCode:
    """The class of one factor. Raises SpecError (GS090) for what has no code yet."""
    module = plan.model.factors[module_name(factor)]
    text = _class_text(plan, factor, module)
    if factor.deterministic:
        result = {"value": _value(plan, factor, cast(Deterministic, module), text)}
    else:
        result = _parameters(plan, factor, cast(Conditional, module), text)
    return FactorCode(_lines(plan, factor, text, result), text.renames, frozenset(text.imports), text.noisy)


def _class_text(plan: EmissionPlan, factor: Factor, module: nn.Module) -> ClassText:
    home = f"factors.{module_name(factor)}"
    paths = {inner: f"{home}.{path}" if path else home for path, inner in module.named_modules()}
    arguments = {name: plan.identifiers[name] for name in read_parents(plan.graphs, factor)}
    arguments |= {name + PRESENCE: plan.tensors[name, "given"] for name in flagged_parents(plan.graphs, factor)}
    scope = plan.names.inner()
    return ClassText(plan.classes[factor.key], plan.graphs, (factor.side, factor.variable), arguments, paths, scope)


def _parameters(plan: EmissionPlan, factor: Factor, module: Conditional, text: ClassText) -> Outputs:
    """Constrained parameters under the family's own names, in its order."""
    family = module.family
    if family.flow:
        return flow_factor(plan, factor, module, text)
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
                    outputs = {name: text.assign(text.scope.fresh(name), code) for name, code in outputs.items()}
                found |= _traced(source.linked, {name: Expression(code) for name, code in outputs.items()})
            case _:
                raise text.refuse(f"parameters of {factor.key}")
    return {info.name: found[info.name].code for info in family.parameters}


def _traced(function: Callable[..., Any], *given: Any) -> Any:
    """What a function of tensors makes of code."""
    return function(*given)


def _on_call(text: ClassText, value: Expression) -> Expression:
    """[1, *shape], on the leading dimensions of the call."""
    return _traced(applied, without_axes, value, Expression("layout")) if text.arguments else value


def _constant(text: ClassText, source: ConstantSource) -> Expression:
    """A number or list from the spec: a buffer that is no part of the checkpoint."""
    name, flat = text.attributes.fresh(source.name), source.value.flatten()
    made = f"torch.tensor({source.value.tolist()!r})"
    if bool((flat == flat[0]).all()):
        made = f"torch.full({tuple_text(source.value.shape)}, {number(flat[0].item())})"
    text.init.append(f'self.register_buffer("{name}", {made}, persistent=False)')
    return Expression(f"self.{name}")


def _learned(text: ClassText, source: LearnedSource) -> Expression:
    """A free parameter, transformed into its range and spread over the event."""
    raw = source.learned.raw
    start = number(raw.detach().flatten()[0].item())
    made = f"nn.Parameter(torch.full({event_text(raw.shape)}, {start}))"
    attribute = text.own(f"raw_{source.info.name}", made, f"{text.paths[source.learned]}.raw")
    return _traced(source.learned.made_of, Expression(attribute))  # type: ignore[no-any-return]


def _value(plan: EmissionPlan, factor: Factor, module: Deterministic, text: ClassText) -> str:
    """A deterministic variable's value, through its domain's link."""
    (code,) = network(text, module.network, module.constructions[module.network]).values()
    variable = plan.graphs.variables[factor.variable]
    return str(_traced(linked, variable, Expression(code), -len(variable.shape))) if module.linked else code


def _lines(plan: EmissionPlan, factor: Factor, text: ClassText, result: Outputs) -> list[str]:
    kinds = [f"{argument}: Tensor" for argument in text.arguments.values()]
    layout = [f"layout: {'Layout' if text.noisy else 'Lead'}"] if kinds else []
    returns = "Tensor" if len(result) == 1 else f"tuple[{', '.join(['Tensor'] * len(result))}]"
    signature = statement(f"def forward({', '.join(['self', *kinds, *layout])}) -> {returns}:")
    forward = [
        "",
        *signature,
        *docstring(_shapes(plan, factor), 2),
        *(line for code in text.forward for line in statement(code, 2)),
        *_return(text, result),
    ]
    init = [line for code in text.init for line in statement(code, 2)]
    return [
        f"class {text.name}(nn.Module):",
        *docstring(_title(factor)),
        "",
        f"{INDENT}def __init__(self) -> None:",
        *statement("super().__init__()", 2),
        *init,
        *(forward if result else []),
    ]


def _return(text: ClassText, result: Outputs) -> list[str]:
    """Several parameters get a line each, unless they are there already."""
    if len(result) == 1:
        return statement(f"return {next(iter(result.values()))}", 2)
    lines, names = [], []
    for name, code in result.items():
        if code.removeprefix("self.").isidentifier():
            names.append(code)
            continue
        local = text.scope.fresh(name)
        lines += statement(f"{local} = {code}", 2)
        names.append(local)
    return [*lines, *statement(f"return {', '.join(names)}", 2)]


def _title(factor: Factor) -> str:
    if factor.family is None:
        return f"{factor.variable} = f({', '.join(factor.parents)}): a deterministic variable."
    letter = "p" if factor.side == "generative" else "q"
    return f"{conditional_text(letter, factor.variable, factor.parents)}: {factor.family.name.replace('_', ' ')}."


def _shapes(plan: EmissionPlan, factor: Factor) -> str:
    variables = plan.graphs.variables
    read, flagged = read_parents(plan.graphs, factor), flagged_parents(plan.graphs, factor)
    given = [f"{plan.identifiers[name]} {shape_text(variables[name].shape, '...')}" for name in read]
    given += [f"{plan.tensors[n, 'given']} {shape_text(variables[n].shape, '...')}" for n in flagged]
    variable, lead = variables[factor.variable], "..." if given else "1"
    if factor.family is None:
        target = f"{factor.variable} {shape_text(variable.shape, lead)}"
    elif factor.family.flow:
        target = f"context {shape_text((size_of(flow_context(plan, factor)),), lead)} of the flow"
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
