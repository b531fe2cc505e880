"""One class per factor, as a person would write it: layers in `__init__`, parents to parameters in `forward`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from torch import nn

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.flow_code import flow_context, flow_factor
from compiler.emission.network_code import network
from compiler.emission.parameter_code import constant, constrained, given_directly, learned
from compiler.emission.text import INDENT, docstring, shape_text, statement
from compiler.emission.writing import ClassText, Entry, Outputs
from compiler.factors.factor_modules import Conditional, Deterministic
from compiler.factors.parameter_sources import (
    ConstantSource,
    LearnedSource,
    NetworkSource,
)
from compiler.factors.scene import parent_input, presence_inputs
from compiler.model.model import module_name
from compiler.symbolic.program import conditional_text
from graphspec.graphs.graph import Factor, Variable
from graphspec.graphs.parameter_shape import parameter_shape
from graphspec.language.shapes import size_of


@dataclass(frozen=True)
class FactorCode:
    """A factor's class, its names in the checkpoint, and the classes of the user's own that it needs (module, name).

    noisy: its `forward` is told the layout of the call, for what it draws.
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
    entries = {name: _entry(plan, name) for name in factor.parents}
    flags = presence_inputs([plan.graphs.variables[name] for name in plan.flagged(factor)])
    for name, flag in zip(plan.flagged(factor), flags.values(), strict=True):
        entries[flag.name] = Entry(flag, plan.tensors[name, "given"], False)
    scope = plan.names.inner()
    return ClassText(
        plan.classes[factor.key], plan.graphs, (factor.side, factor.variable), entries, paths, scope,
        single=_only_rows(plan, factor),
    )  # fmt: skip


def _entry(plan: EmissionPlan, name: str) -> Entry:
    return Entry(parent_input(plan.graphs.variables[name]), plan.identifiers[name], name in plan.hot)


def _only_rows(plan: EmissionPlan, factor: Factor) -> bool:
    """No program gives this factor's parents an axis beside the rows."""
    steps = (s for code in plan.patterns for s in (*code.program.recognition, *code.program.generative))
    return not any(plan.axes(s.parent_axes) for s in steps if s.factor.key == factor.key)


def _parameters(plan: EmissionPlan, factor: Factor, module: Conditional, text: ClassText) -> Outputs:
    """Constrained parameters under the family's own names, in its order."""
    family, variable = module.family, plan.graphs.variables[factor.variable]
    if family.flow:
        return flow_factor(plan, factor, module, text)
    computed = [source for source in module.sources if isinstance(source, NetworkSource)]
    found: Outputs = {}
    for source in module.sources:
        match source:
            case ConstantSource():
                info = family.parameter(source.name)
                assert info is not None
                found[info.name] = constant(text, source, info)
            case LearnedSource():
                found[source.info.name] = learned(text, source)
            case NetworkSource():
                wanted = f"{source.infos[0].name}_network" if len(computed) > 1 else "network"
                outputs = network(text, source.network, module.constructions[source.network], wanted)
                found.update(_linked(source, outputs, -max(len(variable.shape), 1)))
            case _:
                raise text.refuse(f"parameters of {factor.key}")
    return {info.name: found[info.name] for info in family.parameters}


def _linked(source: NetworkSource, outputs: Outputs, axis: int) -> Outputs:
    if not source.direct:
        return {info.name: constrained(info, outputs[info.name], axis) for info in source.infos}
    return {info.name: given_directly(info, source.direct, outputs[source.direct], axis) for info in source.infos}


def _value(plan: EmissionPlan, factor: Factor, module: Deterministic, text: ClassText) -> str:
    """A deterministic variable's value, through its domain's link."""
    (code,) = network(text, module.network, module.constructions[module.network]).values()
    if not module.linked:
        return code
    variable = plan.graphs.variables[factor.variable]
    first = f"-{len(variable.shape)}"
    links = {
        "softplus": f"F.softplus({code})", "sigmoid": f"torch.sigmoid({code})",
        "softmax": f"torch.softmax({code}, dim={first})", "normalize": f"F.normalize({code}, dim={first})",
    }  # fmt: skip
    return links.get(variable.info.link, code)


def _lines(plan: EmissionPlan, factor: Factor, text: ClassText, result: Outputs) -> list[str]:
    kinds = [f"{entry.argument}: Tensor" for entry in text.entries.values()]
    noise = ["layout: Layout"] if text.noisy else []
    returns = "Tensor" if len(result) == 1 else f"tuple[{', '.join(['Tensor'] * len(result))}]"
    signature = statement(f"def forward({', '.join(['self', *kinds, *noise])}) -> {returns}:")
    forward = [
        "",
        *signature,
        *docstring(_shapes(plan, factor, text, result), 2),
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


def _shapes(plan: EmissionPlan, factor: Factor, text: ClassText, result: Outputs) -> str:
    lead = "B" if text.single else "..."
    given = [
        f"{entry.argument} {shape_text(entry.event, lead)}" + (" class weights" if entry.hot else "")
        for entry in text.entries.values()
    ]
    variable = plan.graphs.variables[factor.variable]
    if factor.family is None:
        target = f"{factor.variable} {shape_text(variable.shape, lead)}"
    elif factor.family.flow:
        target = f"context {shape_text((size_of(flow_context(plan, factor)),), lead)} of the flow"
    else:
        target = _parameter_shapes(factor, variable, lead if given else "")
    source = ", ".join(given)
    return f"{source} to {target}." if given else f"{target[0].upper()}{target[1:]}, the same in every row."


def _parameter_shapes(factor: Factor, variable: Variable, lead: str) -> str:
    """`loc and scale [..., 10]`: those of one shape share it."""
    assert factor.family is not None
    texts = [(info.name, shape_text(parameter_shape(variable, info), lead)) for info in factor.family.parameters]
    if len({size for _, size in texts}) == 1:
        return f"{' and '.join(name for name, _ in texts)} {texts[0][1]}"
    return ", ".join(f"{name} {size}" for name, size in texts)
