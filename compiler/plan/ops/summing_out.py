"""What exact variables are summed out with: labels held, states before, chains, means within the sum."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from compiler.plan.choosing import chosen_sum
from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, union, without_axes, without_axis
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.axis_names import SAMPLES, canonical
from compiler.symbolic.program import Axes
from compiler.tensors import exact_chains
from compiler.tensors.expression import applied


def held(line: Line, modules: Modules) -> Run:
    """0 for values that agree with a label, a logarithm of zero for others; the mask says of which elements it is."""
    rank = len(modules.graphs.variables[line.options["variable"]].shape)

    def run(context: Context, values: Tensor, label: Tensor, mask: Tensor | None = None) -> Tensor:
        return applied(exact_chains.held, values, label, mask, rank)

    return run


def state_before(line: Line, modules: Modules) -> Run:
    """Every value of an exact variable as that of the element before."""
    return lambda context, values, there: applied(exact_chains.states_before, values, there)


def even_values(line: Line, modules: Modules) -> Run:
    """The same log probability for every value, on the variable's axis."""
    return lambda context, values: applied(exact_chains.even_log_probs, values, context.floating)


def own_mean(line: Line, modules: Modules) -> Run:
    """The mean over draws and over values of what a sum's own latents have, by their log weights."""
    axes, along = union(line), line.options["along"]
    places = tuple(axes.index(axis) for axis in along)
    samples, event = axes.index(SAMPLES) if SAMPLES in along else None, (1,) * line.inputs[0].rank

    def run(context: Context, value: Tensor, *log_weights: Tensor) -> Tensor:
        for log_weight in log_weights:
            weight = log_weight.exp()
            value = value * (weight.reshape(*weight.shape, *event) if event else weight)
        if samples is None:
            return value.sum(places)
        rest = tuple(place - 1 for place in places if place != samples)  # samples come first
        value = value.mean(0)
        return value.sum(rest) if rest else value

    return laid_out(line.inputs, axes, run)


def over(line: Line, modules: Modules) -> Run:
    """A term over a weight of the objective."""
    kind, variable = line.options["kind"], line.options["variable"]
    return lambda context, value: value / context.number(kind, variable)


def chain_log_sum(line: Line, modules: Modules) -> Run:
    """log of the sum over all paths along a plate; over the elements that are there, where a last input says which."""
    onto, states = union(line), line.options["states"]
    along = onto.index(line.options["axis"])
    pairs = tuple((onto.index(now), onto.index(before)) for now, before in states)
    count = len(line.inputs) - line.options["ragged"]
    values = line.inputs[:count]
    read = tuple(tuple(p for p, (_, before) in enumerate(states) if before in value.axes) for value in values)

    def run(context: Context, *inputs: Tensor) -> Tensor:
        there: dict[str, Any] = {"there": inputs[-1]} if len(inputs) > count else {}
        if context.choosing is not None:
            there["log_sum"] = context.choosing
        return applied(exact_chains.chain_log_sum, along, pairs, read, *inputs[:count], **there)

    return laid_out(line.inputs, onto, run, every=True)


def marginals(line: Line, modules: Modules) -> Run:
    """Posterior of what is summed, as the gradient of log Z in zeros that are added: probabilities, one output for each
    of some axes; or one joint draw of all, as 1 where it is."""
    runner, zeros = line.options["sum"], line.options["zeros"]
    names = [value.name for value in line.inputs]

    def zeros_for(context: Context, axes: Axes, sizes: tuple[int, ...]) -> Tensor:
        lead = map(context.room, axes, sizes)
        return context.full(0.0, (*lead, context.batch)).requires_grad_()

    def run(context: Context, *values: Tensor) -> tuple[Tensor, ...]:
        inner = replace(context, choosing=_choosing(context) if line.options["draws"] else None)
        with torch.enable_grad():
            added = {name: zeros_for(context, axes, sizes) for name, axes, sizes in zeros}
            given = dict(zip(names, (value.detach() for value in values), strict=True)) | added
            total = runner.results(inner, given)["total"].sum()
            return torch.autograd.grad(total, list(added.values()))

    return run


def _choosing(context: Context) -> Callable[[Tensor, int], Tensor]:
    return partial(chosen_sum, generator=context.noise.generator)


def value_at(line: Line, modules: Modules) -> Run:
    """Of values [K, 1, *shape] on a variable's axis the one that weighs most: [*plates, B, *shape]."""
    place = line.inputs[0].axes.index(line.options["axis"])
    return lambda context, weights, values: values[:, 0][weights.argmax(place)]


def without_chain(line: Line) -> Axes:
    """The chain's elements and its states are gone."""
    gone = {line.options["axis"], *(axis for pair in line.options["states"] for axis in pair)}
    return tuple(axis for axis in union(line) if axis not in gone)


SUMS: Operations = {
    "held": Operation(union, held),
    "state_before": Operation(lambda line: canonical((line.options["before"], *line.inputs[1].axes)), state_before),
    "even_values": Operation(union, even_values),
    "own_mean": Operation(without_axes, own_mean),
    "over": Operation(union, over, "once"),
    "chain_log_sum": Operation(without_chain, chain_log_sum),
    "marginals": Operation(lambda line: [axes for _, axes, _ in line.options["zeros"]], marginals),
    "value_at": Operation(without_axis, value_at),
}
