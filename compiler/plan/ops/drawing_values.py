"""Calls of the factors' modules, and the values that hidden variables take."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compiler.factors.factor_modules import Entered
from compiler.families.flows import FlowEntry
from compiler.plan import sparse
from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, union, with_variable
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.axis_names import SAMPLES, is_plate
from compiler.symbolic.program import Axes
from compiler.tensors import blanks
from compiler.tensors.call_layout import Layout
from compiler.tensors.expression import applied


def _call(line: Line, modules: Modules) -> Callable[..., Any]:
    """The factor's module at its parents' values, each on all axes of the call; some may have entered its first layer
    before (`enter`)."""
    module, onto = modules.factors[line.options["factor"]], line.outputs[0].axes
    names = modules.read(line.options["factor"])
    counts: dict[int, int] = dict(line.options.get("entered", ()))
    reads = frozenset(module.reads)
    dims, drawn = len(onto) + 1, tuple(place for place, axis in enumerate(onto) if axis == SAMPLES or is_plate(axis))
    of_plates = {plate.axis: plate.size for plate in modules.graphs.plates.values()}
    sizes = tuple((place, of_plates[onto[place]]) for place in drawn if onto[place] != SAMPLES)

    def run(context: Context, *tensors: Tensor) -> Any:
        layout, given = Layout(dims, context.noise, drawn, sizes), iter(tensors)
        values: dict[str, Tensor] = {}
        entered: dict[str, Entered] = {}
        for place, name in enumerate(names):
            parts = tuple(next(given) for _ in range(counts.get(place, 1)))
            if place in counts:
                entered[name] = parts
            elif name in reads:
                values[name] = parts[0]
        return module.finish({**module.enter_all(values, layout), **entered}, layout)

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
    key, place, dims = line.options["factor"], line.options["place"], len(line.inputs[0].axes) + 1
    module, name = modules.factors[key], modules.read(key)[place]
    return lambda context, value: module.enter(name, value, Layout(dims, context.noise))


def support(line: Line, modules: Modules) -> Run:
    """Every joint value of a discrete variable, [K, 1, *shape]."""
    name = line.options["variable"]
    variable = modules.graphs.variables[name]

    made: dict[torch.device, Tensor] = {}

    def run(context: Context) -> Tensor:
        device = context.device
        if device not in made:
            values = applied(blanks.every_value, variable.support, variable.shape, device)
            values = values + variable.minimum if variable.minimum else values
            made[device] = values if variable.domain == "category" else values.to(context.dtype)
        return made[device]

    return run


def noise(line: Line, modules: Modules) -> Run:
    """What a draw is made from: one a sample, element and row, whatever the parameters."""
    key, samples, plates = line.options["factor"], line.options["samples"], line.options.get("plates", ())
    name, lead = modules.factor(key).variable, (*(() if samples is None else (samples,)), *(size for _, size in plates))
    entry, extras = modules.family(key)

    def run(context: Context, *parameters: Tensor) -> Tensor:
        # a row's draws are the same however long the others are
        drawn = entry.noise(context.noise, name, lead, parameters or (context.floating,), extras)
        for place, (axis, size) in enumerate(plates, len(lead) - len(plates)):
            room = context.room(axis, size)
            drawn = drawn if room == size else drawn.narrow(place, 0, room)
        return drawn

    return run


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
        return entry.relax(inputs[-1], inputs[:-1], context.number("temperature", name), extras, hard=hard)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def expected_value(line: Line, modules: Modules) -> Run:
    """The mean of a distribution, with its gradient, in place of a draw."""
    entry, extras = modules.family(line.options["factor"])
    return lambda context, *parameters: entry.mean_at(parameters, extras)


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
    place = line.outputs[0].axes.index(variable.name)
    minimum = None if variable.domain == "category" else variable.minimum

    def run(context: Context, *inputs: Tensor) -> Any:
        return applied(sparse.likeliest, entry.classes(inputs[:-1], extras), budget, inputs[-1], place, minimum)

    return run


def certain(line: Line, modules: Modules) -> Run:
    """The value that a factor's network computes with certainty; a category as its index."""
    category = modules.variable(line.options["factor"]).domain == "category"
    return lambda context, value: value.long() if category else value


def label_or(line: Line, modules: Modules) -> Run:
    """A masked variable's value: its label where there is one, else the one given last."""
    variable = modules.graphs.variables[line.options["variable"]]
    relaxed = line.inputs[2].rank > line.inputs[1].rank

    def run(context: Context, mask: Tensor, label: Tensor, hidden: Tensor) -> Tensor:
        if relaxed:
            label = applied(blanks.one_hot, label, variable.support, variable.minimum, hidden)
            mask = mask.unsqueeze(-1)
        return torch.where(mask, label, hidden)

    return laid_out(line.inputs, line.outputs[0].axes, run)


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


def noise_axes(line: Line) -> Axes:
    """Samples, and the plates of what is drawn."""
    samples = (SAMPLES,) if line.options["samples"] else ()
    return (*samples, *(axis for axis, _ in line.options.get("plates", ())))


VALUES: Operations = {
    "function": Operation(union, function),
    "parameters": Operation(union, parameters),
    "enter": Operation(union, enter),
    "support": Operation(lambda line: (line.options["variable"],), support),
    "noise": Operation(noise_axes, noise, "once"),
    "reparameterize": Operation(union, reparameterize),
    "flow_draw": Operation(union, flow_draw),
    "relax": Operation(union, relax),
    "expected_value": Operation(union, expected_value),
    "draw": Operation(union, draw),
    "likeliest": Operation(with_variable, likeliest),
    "certain": Operation(union, certain),
    "label_or": Operation(union, label_or),
    "reweighted": Operation(union, reweighted, "always"),
}
