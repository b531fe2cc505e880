"""Calls of the factors' modules, and the values that hidden variables take."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compiler.families.flows import FlowEntry
from compiler.plan import sparse
from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, Writing, union, with_variable
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.code_text import event_text, tuple_text
from compiler.tensors import blanks
from compiler.tensors.call_layout import Layout


def _call(line: Line, modules: Modules) -> Callable[..., Any]:
    """The factor's module at its parents' values, each on all axes of the call; some may have entered its first layer
    before (`enter`)."""
    module, onto = modules.factors[line.options["factor"]], line.outputs[0].axes
    names = modules.read(line.options["factor"])
    counts: dict[int, int] = dict(line.options.get("entered", ()))
    ready = {names[place] for place in counts}
    dims, sampled = len(onto) + 1, bool(onto) and onto[0] == SAMPLES

    def run(context: Context, *tensors: Tensor) -> Any:
        layout, given = Layout(dims, context.noise, sampled), iter(tensors)
        parents = {name: tuple(next(given) for _ in range(counts.get(place, 1))) for place, name in enumerate(names)}
        entered = {
            name: parents[name] if name in ready else module.enter(name, parents[name][0], layout)
            for name in module.reads
        }
        return module.finish(entered, layout)

    return laid_out(line.inputs, onto, run, every=True)


def function(line: Line, modules: Modules) -> Run:
    """A deterministic variable at its parents' values."""
    return _call(line, modules)


def parameters(line: Line, modules: Modules) -> Run:
    """The parameters of a factor's distribution at its parents' values, each over the whole event."""
    call, (entry, extras) = _call(line, modules), modules.family(line.options["factor"])
    return lambda context, *tensors: entry.spread(call(context, *tensors), extras)


def enter(line: Line, modules: Modules) -> Run:
    """What the first layers of a factor's networks make of one parent alone."""
    key, place = line.options["factor"], line.options["place"]
    module, name = modules.factors[key], modules.read(key)[place]
    return lambda context, value: module.enter(name, value, Layout(1, context.noise))


def support(line: Line, modules: Modules) -> Run:
    """Every joint value of a discrete variable, [K, 1, *shape]."""
    name = line.options["variable"]
    variable = modules.graphs.variables[name]

    made: dict[torch.device, Tensor] = {}

    def run(context: Context) -> Tensor:
        if context.device not in made:
            made[context.device] = blanks.support(variable, context.dtype, context.device)
        return made[context.device]

    return run


def noise(line: Line, modules: Modules) -> Run:
    """What a draw is made from: one a sample and row, whatever the parameters."""
    key, samples = line.options["factor"], line.options["samples"]
    name, lead = modules.factor(key).variable, () if samples is None else (samples,)
    entry, extras = modules.family(key)
    return lambda context, *parameters: entry.noise(context.noise, name, lead, parameters, extras)


def reparameterize(line: Line, modules: Modules) -> Run:
    """A draw as a differentiable function of the parameters."""
    entry, extras = modules.family(line.options["factor"])

    def run(context: Context, *inputs: Tensor) -> Tensor:
        return entry.pathwise(inputs[-1], inputs[:-1], extras)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def flow_draw(line: Line, modules: Modules) -> Run:
    """Noise sent through a flow: the value, and its log density, which comes with it."""
    entry, extras = modules.family(line.options["factor"])
    assert isinstance(entry, FlowEntry)

    def run(context: Context, given: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        return entry.drawn(eps, (given,), extras)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def relax(line: Line, modules: Modules) -> Run:
    """A Concrete draw; hard: one-hot in value."""
    key, hard = line.options["factor"], line.options["hard"]
    (entry, extras), name = modules.family(key), modules.factor(key).variable

    def run(context: Context, *inputs: Tensor) -> Tensor:
        return entry.relax(inputs[-1], inputs[:-1], context.numbers.temperature[name], extras, hard=hard)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def draw(line: Line, modules: Modules) -> Run:
    """A draw without a gradient; a category as its index."""
    key = line.options["factor"]
    (entry, extras), category = modules.family(key), modules.variable(key).domain == "category"

    def run(context: Context, *inputs: Tensor) -> Tensor:
        value = entry.sampled(inputs[-1], inputs[:-1], extras)
        return value.long() if category else value

    return laid_out(line.inputs, line.outputs[0].axes, run)


def likeliest(line: Line, modules: Modules) -> Run:
    """The likeliest values of an enumerated variable and one draw from the others: values, and their log shares."""
    key, budget = line.options["factor"], line.options["budget"]
    (entry, extras), variable = modules.family(key), modules.variable(key)
    place, minimum = line.outputs[0].axes.index(variable.name), variable.minimum
    category = variable.domain == "category"

    def run(context: Context, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        index, log_share = sparse.likeliest(entry.classes(inputs[:-1], extras), budget, inputs[-1])
        value = index.movedim(-1, place) + minimum
        return value if category else value.to(context.dtype), log_share.movedim(-1, place)

    return run


def label_or(line: Line, modules: Modules) -> Run:
    """A masked variable's value: its label where there is one, else the one given last."""
    variable = modules.graphs.variables[line.options["variable"]]
    relaxed = line.inputs[2].rank > line.inputs[1].rank

    def run(context: Context, mask: Tensor, label: Tensor, hidden: Tensor) -> Tensor:
        if relaxed:
            label, mask = blanks.one_hot(variable, label, hidden.dtype), mask.unsqueeze(-1)
        return torch.where(mask, label, hidden)

    return run


def reweighted(line: Line, modules: Modules) -> Run:
    """A draw whose incoming gradient is multiplied by its importance weight, once that is known (Tucker et al. 2019,
    eq. 8)."""

    def run(context: Context, value: Tensor) -> Tensor:
        if value.requires_grad:

            def scaled(gradient: Tensor) -> Tensor:
                weight = context.importance
                assert weight is not None, "the bound is evaluated before it is differentiated"
                return gradient * weight.reshape(*weight.shape, *[1] * (gradient.dim() - weight.dim()))

            value.register_hook(scaled)
        return value

    return run


# as code


def call_text(line: Line, writing: Writing) -> str:
    """`model.q_z(h, y)`: every parent on all axes of the call, flags of blanks as numbers."""
    key, axes = line.options["factor"], line.outputs[0].axes
    factor = writing.factor(key)
    arguments = []
    for place, value in enumerate(line.inputs):
        code = writing.on(value, axes, every=True)
        if place >= len(factor.parents):
            arguments.append(f"{code}.to({writing.like()})")
            continue
        arguments.append(f"{code}.detach()" if factor.parents[place] in factor.stop_gradient else code)
    return writing.call(key, arguments, axes)


def support_text(line: Line, writing: Writing) -> str:
    variable, like = writing.variable(line.options["variable"]), writing.like()
    kind = f"dtype={like}.dtype, device={like}.device"
    hot = writing.hot(variable.name)
    if not variable.shape:
        if hot:
            return f"torch.eye({variable.support}, {kind})[:, None]"
        assert variable.support is not None
        return f"torch.arange({variable.minimum}, {variable.minimum + variable.support}, {kind})[:, None]"
    code = f"every_value({variable.support}, {tuple_text(variable.shape)})"
    if hot:
        return f"one_hot({code}.to({like}.device), {variable.support}, {like})"
    return f"{code}.to({like})" + (f" + {variable.minimum}" if variable.minimum else "")


def noise_text(line: Line, writing: Writing) -> str:
    key = line.options["factor"]
    lead = [writing.samples, writing.batch()] if line.options["samples"] else [writing.batch()]
    family, shape = writing.family(key), writing.variable(writing.factor(key).variable).shape
    like = writing.code(line.inputs[0])
    if family is None:
        return f"standard_normal({tuple_text([*lead, *map(str, shape)])}, {like}, generator)"
    return family.noise(lead, like)


def _placed(line: Line, writing: Writing) -> tuple[list[str], str]:
    """Parameters and noise on the axes of a draw."""
    axes = line.outputs[0].axes
    return [writing.on(value, axes) for value in line.inputs[:-1]], writing.on(line.inputs[-1], axes)


def reparameterize_text(line: Line, writing: Writing) -> str:
    key, family = line.options["factor"], writing.family(line.options["factor"])
    code = None if family is None else family.draw(*_placed(line, writing))
    if code is None:
        raise writing.refuse(key, "these draws")
    return code


def flow_draw_text(line: Line, writing: Writing) -> str:
    key, ((context,), noise) = line.options["factor"], _placed(line, writing)
    shape = event_text(writing.variable(writing.factor(key).variable).shape)
    return f"flow_draw({writing.flow(key)}, {context}, {noise}, {shape})"


def relax_text(line: Line, writing: Writing) -> str:
    key, (parameters, noise) = line.options["factor"], _placed(line, writing)
    family, temperature = writing.family(key), writing.weight("temperature", writing.factor(key).variable)
    code = None if family is None else family.relaxed(parameters, noise, temperature, hard=line.options["hard"])
    if code is None:
        raise writing.refuse(key, "relaxed draws")
    return code


def draw_text(line: Line, writing: Writing) -> str:
    key, (parameters, noise) = line.options["factor"], _placed(line, writing)
    family, variable = writing.family(key), writing.variable(writing.factor(key).variable)
    if family is None:
        shape = event_text(variable.shape)
        return f"flow_draw({writing.flow(key)}, {parameters[0]}, {noise}, {shape})[0].detach()"
    code = family.drawn([f"{each}.detach()" for each in parameters], noise)
    if not family.entry.by_class:
        return code
    if writing.hot(variable.name):
        return f"one_hot({code}, {variable.support}, {parameters[0]})"
    index = writing.fresh(f"{writing.identifier(variable.name)}_index")
    writing.write(f"{index} = {code}")
    return f"{index}.to({writing.like()})" + (f" + {variable.minimum}" if variable.minimum else "")


def likeliest_text(line: Line, writing: Writing) -> str:
    key, (*parameters, noise) = line.options["factor"], [writing.code(value) for value in line.inputs]
    family, variable = writing.family(key), writing.variable(writing.factor(key).variable)
    if family is None or not family.entry.by_class:
        raise writing.refuse(key, "the likeliest values")
    name, place = writing.identifier(variable.name), line.outputs[0].axes.index(variable.name)
    index, share = writing.fresh(f"{name}_index"), writing.fresh(f"{name}_log_share")
    writing.write(f"{index}, {share} = likeliest({family.classes(parameters)}, {line.options['budget']}, {noise})")
    if writing.hot(variable.name):
        value = f"one_hot({index}, {variable.support}, {parameters[0]}).movedim(-2, {place})"
    else:
        shift = f" + {variable.minimum}" if variable.minimum else ""
        value = f"{index}.movedim(-1, {place}).to({parameters[0]}){shift}"
    return f"{value}, {share}.movedim(-1, {place})"


def label_or_text(line: Line, writing: Writing) -> str:
    mask, label, hidden = (writing.code(value) for value in line.inputs)
    mask += ".unsqueeze(-1)" if writing.hot(line.options["variable"]) else ""
    return f"torch.where({mask}, {label}, {hidden})"


VALUES: Operations = {
    "function": Operation(union, function, call_text),
    "parameters": Operation(union, parameters, call_text),
    "enter": Operation(union, enter),
    "support": Operation(lambda line: (line.options["variable"],), support, support_text),
    "noise": Operation(lambda line: (SAMPLES,) if line.options["samples"] else (), noise, noise_text, inline="once"),
    "reparameterize": Operation(union, reparameterize, reparameterize_text),
    "flow_draw": Operation(union, flow_draw, flow_draw_text),
    "relax": Operation(union, relax, relax_text),
    "draw": Operation(union, draw, draw_text),
    "likeliest": Operation(with_variable, likeliest, likeliest_text),
    "label_or": Operation(union, label_or, label_or_text),
    "reweighted": Operation(union, reweighted, lambda line, writing: writing.code(line.inputs[0]), inline="always"),
}
