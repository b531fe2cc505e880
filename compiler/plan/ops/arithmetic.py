"""Sums, weighted averages and what stands between them."""

import torch
from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, elements, nothing, union, without_axes, without_axis
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out, stacked
from compiler.symbolic.axis_names import SAMPLES, is_plate
from compiler.symbolic.program import Axes


def add(line: Line, modules: Modules) -> Run:
    """a + b - c, on the union of axes."""
    signs = tuple(sign == "+" for sign in line.options["signs"])

    def run(context: Context, *terms: Tensor) -> Tensor:
        total = terms[0] if signs[0] else -terms[0]
        for plus, term in zip(signs[1:], terms[1:], strict=True):
            total = total + term if plus else total - term
        return total

    return laid_out(line.inputs, line.outputs[0].axes, run)


def product(line: Line, modules: Modules) -> Run:
    """a * b, on the union of axes."""
    return laid_out(line.inputs, line.outputs[0].axes, lambda context, first, second: first * second)


def logsumexp(line: Line, modules: Modules) -> Run:
    """log of the sum of exp along one axis."""
    place = _place(line)

    def run(context: Context, value: Tensor) -> Tensor:
        if context.choosing is None:
            return torch.logsumexp(value, dim=place)
        return context.choosing(value, place).squeeze(place)

    return run


def weighted_sum(line: Line, modules: Modules) -> Run:
    """sum over all axes but plates of weights [*axes, B] times value [*axes, B, *event]; of several values without an
    event in one pass."""
    axes, event = union(line), (..., *[None] * line.inputs[1].rank)
    places = averaged(axes)

    def run(context: Context, weights: Tensor, value: Tensor) -> Tensor:
        weights = weights[event] if len(event) > 1 else weights
        return (weights * value).sum(places)

    def of_several(context: Context, weights: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        return (weights * stacked(values)).sum([place + 1 for place in places]).unbind()

    return laid_out(line.inputs, axes, run if len(line.outputs) == 1 else of_several)


def averaged(axes: Axes) -> tuple[int, ...]:
    """Where the axes stand that are no plates."""
    return tuple(place for place, axis in enumerate(axes) if not is_plate(axis))


def plate_sum(line: Line, modules: Modules) -> Run:
    """Added up over the elements of plates; over those that are there, where a second input says which."""
    places = _along(line)

    def run(context: Context, value: Tensor, there: Tensor | None = None) -> Tensor:
        return (value if there is None else torch.where(there, value, 0.0)).sum(places)

    return laid_out(line.inputs, union(line), run, every=True)


def plate_mean(line: Line, modules: Modules) -> Run:
    """The mean over the elements of plates, or those of them that are there; NaN where none is."""
    places = _along(line)

    def run(context: Context, value: Tensor, there: Tensor | None = None) -> Tensor:
        return value.mean(places) if there is None else torch.where(there, value, torch.nan).nanmean(places)

    return laid_out(line.inputs, union(line), run, every=True)


def _along(line: Line) -> tuple[int, ...]:
    """Where the axes stand that an option names."""
    return tuple(union(line).index(axis) for axis in line.options["along"])


def repeated(line: Line, modules: Modules) -> Run:
    """What is the same for so many elements, added up over them."""
    count = line.options["count"]
    return lambda context, value: count * value


def at_first(line: Line, modules: Modules) -> Run:
    """The value at the first place of an axis, without a gradient."""
    place = _place(line)
    return lambda context, value: value.detach().select(place, 0)


def _place(line: Line) -> int:
    """Where the axis stands that an option names."""
    return line.inputs[0].axes.index(line.options["axis"])


def centred(line: Line, modules: Modules) -> Run:
    """A value less a baseline that does not vary along one of its axes."""
    return laid_out(line.inputs, line.outputs[0].axes, lambda context, value, base: value - base)


def times(line: Line, modules: Modules) -> Run:
    """A weight of the objective times a term."""
    kind, variable = line.options["kind"], line.options["variable"]
    return lambda context, value: context.number(kind, variable) * value


def at_most_minus(line: Line, modules: Modules) -> Run:
    """min(term, -free bits); with a mask, of rows that lack some element: others have no divergence and pay nothing.
    shared: the last input says how much of the free bits counts."""
    kind, variable, shared = line.options["kind"], line.options["variable"], line.options.get("shared", False)

    def run(context: Context, value: Tensor, *others: Tensor) -> Tensor:
        bits = context.number(kind, variable)
        masks = others[: len(others) - shared]
        floored = torch.minimum(value, -bits * others[-1]) if shared else value.clamp_max(-bits)
        if not masks:
            return floored
        (mask,), rank = masks, line.inputs[1].rank
        lacking = ~(mask.all(tuple(range(-rank, 0))) if rank else mask)
        return torch.where(lacking, floored, value)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def share_of_sample(line: Line, modules: Modules) -> Run:
    """log 1/S: each of the S samples stands for as much of g."""
    count = line.options["samples"]
    return lambda context: context.full(-context.log(count), (count, 1))


ARITHMETIC: Operations = {
    "add": Operation(union, add, "once"),
    "neg": Operation(union, lambda line, modules: lambda context, value: -value, "once"),
    "zero": Operation(nothing, lambda line, modules: lambda context: context.full(0.0)),
    "exp": Operation(union, lambda line, modules: lambda context, value: value.exp()),
    "logsumexp": Operation(without_axis, logsumexp),
    "mean": Operation(elements, lambda line, modules: lambda context, value: value.mean(0), "once"),
    "weighted_sum": Operation(elements, weighted_sum, "once"),
    "plate_sum": Operation(without_axes, plate_sum, "once"),
    "plate_mean": Operation(without_axes, plate_mean, "once"),
    "repeated": Operation(union, repeated, "once"),
    "product": Operation(union, product),
    "at_first": Operation(without_axis, at_first),
    "centred": Operation(union, centred, "once"),
    "times": Operation(union, times, "once"),
    "at_most_minus": Operation(union, at_most_minus, "once"),
    "share_of_sample": Operation(lambda line: (SAMPLES,), share_of_sample, "always"),
    "effective": Operation(
        elements, lambda line, modules: lambda context, weights: (-torch.logsumexp(2 * weights.detach(), dim=0)).exp()
    ),  # 1 / sum of squared normalised weights over the samples
}
