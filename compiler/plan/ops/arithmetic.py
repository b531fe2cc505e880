"""Sums, weighted averages and what stands between them."""

import math
from typing import Any

import torch
from torch import Tensor

from compiler.plan.plan import Line
from compiler.plan.running import Context, Operations, Run, laid_out


def add(line: Line, modules: Any) -> Run:
    """a + b - c, on the union of axes."""
    signs = tuple(sign == "+" for sign in line.options["signs"])

    def run(context: Context, *terms: Tensor) -> Tensor:
        total = terms[0] if signs[0] else -terms[0]
        for plus, term in zip(signs[1:], terms[1:], strict=True):
            total = total + term if plus else total - term
        return total

    return laid_out(line.inputs, line.outputs[0].axes, run)


def neg(line: Line, modules: Any) -> Run:
    return lambda context, value: -value


def zero(line: Line, modules: Any) -> Run:
    return lambda context: torch.zeros(1, dtype=context.dtype, device=context.device)


def exp(line: Line, modules: Any) -> Run:
    return lambda context, value: value.exp()


def logsumexp(line: Line, modules: Any) -> Run:
    """log of the sum of exp along one axis."""
    place = line.inputs[0].axes.index(line.options["axis"])
    return lambda context, value: torch.logsumexp(value, place)


def mean(line: Line, modules: Any) -> Run:
    """Over the samples, which all weigh alike."""
    return lambda context, value: value.mean(0)


def weighted_sum(line: Line, modules: Any) -> Run:
    """sum over all axes of weights [*axes, B] times value [*axes, B, *event]."""
    value = line.inputs[1]
    places, event = tuple(range(len(value.axes))), (1,) * value.rank

    def run(context: Context, weights: Tensor, value: Tensor) -> Tensor:
        weights = weights.reshape(*weights.shape, *event) if event else weights
        return (weights * value).sum(places)

    return laid_out(line.inputs, value.axes, run)


def at_first(line: Line, modules: Any) -> Run:
    """The value at the first place of an axis, without a gradient."""
    place = line.inputs[0].axes.index(line.options["axis"])
    return lambda context, value: value.detach().select(place, 0)


def centred(line: Line, modules: Any) -> Run:
    """A value less a baseline that does not vary along one of its axes."""
    return laid_out(line.inputs, line.outputs[0].axes, lambda context, value, base: value - base)


def times(line: Line, modules: Any) -> Run:
    """A weight of the objective times a term."""
    kind, variable = line.options["kind"], line.options["variable"]
    return lambda context, value: context.number(kind, variable) * value


def at_most_minus(line: Line, modules: Any) -> Run:
    """min(term, -free bits); with a mask, of rows that lack some element: others have no divergence and pay nothing."""
    kind, variable = line.options["kind"], line.options["variable"]

    def run(context: Context, value: Tensor, mask: Tensor | None = None) -> Tensor:
        floored = value.clamp_max(-context.number(kind, variable))
        if mask is None:
            return floored
        lacking = ~(mask.flatten(1).all(dim=1) if mask.dim() > 1 else mask)
        return torch.where(lacking, floored, value)

    return run


def share_of_sample(line: Line, modules: Any) -> Run:
    """log 1/S: each of the S samples stands for as much of g."""
    count = line.options["samples"]
    value = -math.log(count)
    return lambda context: torch.full((count, 1), value, dtype=context.dtype, device=context.device)


def effective(line: Line, modules: Any) -> Run:
    """1 / sum of squared normalised weights over the samples."""
    return lambda context, weights: (-torch.logsumexp(2 * weights.detach(), dim=0)).exp()


ARITHMETIC: Operations = {
    "add": add,
    "neg": neg,
    "zero": zero,
    "exp": exp,
    "logsumexp": logsumexp,
    "mean": mean,
    "weighted_sum": weighted_sum,
    "at_first": at_first,
    "centred": centred,
    "times": times,
    "at_most_minus": at_most_minus,
    "share_of_sample": share_of_sample,
    "effective": effective,
}
