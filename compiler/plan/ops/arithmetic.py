"""Sums, weighted averages and what stands between them."""

import math

import torch
from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, Writing, dimensions, nothing, union, without_axis
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.code_text import added, grouped


def add(line: Line, modules: Modules) -> Run:
    """a + b - c, on the union of axes."""
    signs = tuple(sign == "+" for sign in line.options["signs"])

    def run(context: Context, *terms: Tensor) -> Tensor:
        total = terms[0] if signs[0] else -terms[0]
        for plus, term in zip(signs[1:], terms[1:], strict=True):
            total = total + term if plus else total - term
        return total

    return laid_out(line.inputs, line.outputs[0].axes, run)


def add_text(line: Line, writing: Writing) -> str:
    terms = []
    for sign, value in zip(line.options["signs"], line.inputs, strict=True):
        code = writing.on(value, line.outputs[0].axes)
        minus = code.startswith("-")
        if sign == "-":
            terms.append(code[1:] if minus and code[1:] == grouped(code[1:]) else f"-{grouped(code)}")
        else:
            terms.append(code)
    return added(terms)


def logsumexp(line: Line, modules: Modules) -> Run:
    """log of the sum of exp along one axis."""
    place = _place(line)
    return lambda context, value: torch.logsumexp(value, place)


def logsumexp_text(line: Line, writing: Writing) -> str:
    return f"torch.logsumexp({writing.code(line.inputs[0])}, dim={_place(line)})"


def weighted_sum(line: Line, modules: Modules) -> Run:
    """sum over all axes of weights [*axes, B] times value [*axes, B, *event]."""
    value = line.inputs[1]
    places, event = tuple(range(len(value.axes))), (1,) * value.rank

    def run(context: Context, weights: Tensor, value: Tensor) -> Tensor:
        weights = weights.reshape(*weights.shape, *event) if event else weights
        return (weights * value).sum(places)

    return laid_out(line.inputs, value.axes, run)


def weighted_sum_text(line: Line, writing: Writing) -> str:
    weights, value = line.inputs
    product = f"{writing.on(weights, value.axes)} * {grouped(writing.code(value))}"
    return f"({product}).sum({dimensions(value.axes)})"


def at_first(line: Line, modules: Modules) -> Run:
    """The value at the first place of an axis, without a gradient."""
    place = _place(line)
    return lambda context, value: value.detach().select(place, 0)


def at_first_text(line: Line, writing: Writing) -> str:
    index = ", ".join([":"] * _place(line) + ["0"])
    return f"{grouped(writing.code(line.inputs[0]))}.detach()[{index}]"


def _place(line: Line) -> int:
    """Where the axis stands that an option names."""
    return line.inputs[0].axes.index(line.options["axis"])


def centred(line: Line, modules: Modules) -> Run:
    """A value less a baseline that does not vary along one of its axes."""
    return laid_out(line.inputs, line.outputs[0].axes, lambda context, value, base: value - base)


def centred_text(line: Line, writing: Writing) -> str:
    value, base = line.inputs
    return f"{writing.code(value)} - {writing.on(base, value.axes)}"


def times(line: Line, modules: Modules) -> Run:
    """A weight of the objective times a term."""
    kind, variable = line.options["kind"], line.options["variable"]
    return lambda context, value: context.number(kind, variable) * value


def times_text(line: Line, writing: Writing) -> str:
    return f"{writing.weight(line.options['kind'], line.options['variable'])} * {_one(line, writing)}"


def at_most_minus(line: Line, modules: Modules) -> Run:
    """min(term, -free bits); with a mask, of rows that lack some element: others have no divergence and pay nothing."""
    kind, variable = line.options["kind"], line.options["variable"]

    def run(context: Context, value: Tensor, mask: Tensor | None = None) -> Tensor:
        floored = value.clamp_max(-context.number(kind, variable))
        if mask is None:
            return floored
        lacking = ~(mask.flatten(1).all(dim=1) if mask.dim() > 1 else mask)
        return torch.where(lacking, floored, value)

    return run


def at_most_minus_text(line: Line, writing: Writing) -> str:
    code, variable = writing.code(line.inputs[0]), line.options["variable"]
    floored = f"({code}).clamp_max(-{writing.weight('free_bits', variable)})"
    if len(line.inputs) == 1:
        return floored
    mask = writing.code(line.inputs[1])
    whole = f"{mask}.flatten(1).all(1)" if writing.variable(variable).shape else mask
    return f"torch.where({whole}, {code}, {floored})"


def share_of_sample(line: Line, modules: Modules) -> Run:
    """log 1/S: each of the S samples stands for as much of g."""
    count = line.options["samples"]
    value = -math.log(count)
    return lambda context: torch.full((count, 1), value, dtype=context.dtype, device=context.device)


def _one(line: Line, writing: Writing) -> str:
    return grouped(writing.code(line.inputs[0]))


ARITHMETIC: Operations = {
    "add": Operation(union, add, add_text, inline="once"),
    "neg": Operation(union, lambda line, modules: lambda context, value: -value,
                     lambda line, writing: f"-{_one(line, writing)}", inline="once"),
    "zero": Operation(nothing, lambda line, modules: lambda context: torch.zeros(1, dtype=context.dtype,
                                                                                 device=context.device),
                      lambda line, writing: f"{writing.like()}.new_zeros({writing.batch()})"),
    "exp": Operation(union, lambda line, modules: lambda context, value: value.exp(),
                     lambda line, writing: f"{_one(line, writing)}.exp()"),
    "logsumexp": Operation(without_axis, logsumexp, logsumexp_text),
    "mean": Operation(nothing, lambda line, modules: lambda context, value: value.mean(0),
                      lambda line, writing: f"{_one(line, writing)}.mean(0)", inline="once"),
    "weighted_sum": Operation(nothing, weighted_sum, weighted_sum_text, inline="once"),
    "at_first": Operation(without_axis, at_first, at_first_text),
    "centred": Operation(union, centred, centred_text, inline="once"),
    "times": Operation(union, times, times_text, inline="once"),
    "at_most_minus": Operation(union, at_most_minus, at_most_minus_text, inline="once"),
    "share_of_sample": Operation(lambda line: (SAMPLES,), share_of_sample,
                                 lambda line, writing: f"-math.log({writing.samples})", inline="always"),
    "effective": Operation(
        nothing, lambda line, modules: lambda context, weights: (-torch.logsumexp(2 * weights.detach(), dim=0)).exp()
    ),  # 1 / sum of squared normalised weights over the samples
}  # fmt: skip
