"""How far the values of a hidden variable lie apart: standard deviations, and the ends of intervals.

Of a distribution made from one standard number an element (a normal, a uniform) the ends are its quantiles; of a
mixture of such ones, or of draws, those of the weighted values.
"""

import math

import torch
from torch import Tensor

from compiler.families.entry import Extras, FamilyEntry, Parameters
from compiler.families.noise_kinds import NORMAL, UNIFORM
from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, elements, union
from compiler.plan.ops.arithmetic import averaged
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out

GRID = 64
"""Quantiles of each part of a mixture that stand for it."""


def from_one_number(entry: FamilyEntry) -> bool:
    """Each element of a draw is made from one standard number, which it grows with."""
    return entry.noise_kind in (NORMAL, UNIFORM) and not entry.family.flow and not entry.family.multivariate


def second_moment(line: Line, modules: Modules) -> Run:
    """The mean of the square, of a distribution's parameters [*axes, B, *event]."""
    entry, extras = modules.family(line.options["factor"])
    if entry.name == "normal":
        return laid_out(line.inputs, union(line), lambda context, loc, scale: loc**2 + scale**2)

    def run(context: Context, *parameters: Tensor) -> Tensor:
        return (_on_grid(entry, extras, parameters) ** 2).mean(0)

    return laid_out(line.inputs, union(line), run)


def square(line: Line, modules: Modules) -> Run:
    """Of values."""
    return lambda context, value: value**2


def deviation(line: Line, modules: Modules) -> Run:
    """The standard deviation from the mean and the mean of the square."""
    return lambda context, mean, squares: (squares - mean**2).clamp_min(0).sqrt()


def ends(line: Line, modules: Modules) -> Run:
    """Between which values a share lies that is given, half of the rest on each side: (low, high).

    Inputs: weights [*axes, B], then values [*axes, B, *event], or the parameters of the factor's distribution.
    """
    key, levels = line.options["factor"], line.options["levels"]
    places, event = averaged(union(line)), (1,) * line.outputs[0].rank
    entry, extras = (None, None) if key is None else modules.family(key)

    def of_values(context: Context, weights: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        return weighted_quantiles(value, weights.reshape(*weights.shape, *event), places, levels)

    def of_mixture(context: Context, weights: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        assert entry is not None and extras is not None
        values = _on_grid(entry, extras, parameters)
        weights = (weights / GRID).reshape(*weights.shape, *event).unsqueeze(0)
        return weighted_quantiles(values, weights, (0, *(place + 1 for place in places)), levels)

    return laid_out(line.inputs, union(line), of_values if entry is None else of_mixture, every=True)


def own_ends(line: Line, modules: Modules) -> Run:
    """The same of one distribution, from its parameters alone."""
    levels = line.options["levels"]
    entry, extras = modules.family(line.options["factor"])

    def run(context: Context, *parameters: Tensor) -> tuple[Tensor, ...]:
        like = parameters[0]
        return tuple(
            entry.sampled(standard_numbers(entry, like.new_full((1,) * like.dim(), level)), parameters, extras)
            for level in levels
        )

    return laid_out(line.inputs, union(line), run, every=True)


def standard_numbers(entry: FamilyEntry, levels: Tensor) -> Tensor:
    """The standard numbers below which these shares lie."""
    return torch.special.ndtri(levels) if entry.noise_kind == NORMAL else levels


def _on_grid(entry: FamilyEntry, extras: Extras, parameters: Parameters) -> Tensor:
    """[GRID, *axes, B, *event]: values in equal steps of probability; normal ones with the variance that they stand
    for."""
    like = parameters[0]
    levels = (torch.arange(GRID, dtype=torch.float64, device=like.device) + 0.5) / GRID
    standard = standard_numbers(entry, levels)
    if entry.noise_kind == NORMAL:
        standard = standard / standard.square().mean().sqrt()
    standard = standard.to(like.dtype).reshape(GRID, *(1,) * like.dim())
    return entry.sampled(standard, tuple(each.unsqueeze(0) for each in parameters), extras)


def weighted_quantiles(
    values: Tensor, weights: Tensor, places: tuple[int, ...], levels: tuple[float, ...]
) -> tuple[Tensor, ...]:
    """Of values along some axes, by their weights, which add up to one: each value stands in the middle of its own
    share, and between two of them lies a straight line."""
    values, weights = torch.broadcast_tensors(values, weights)
    values, weights = (each.movedim(places, tuple(range(len(places)))) for each in (values, weights))
    rest, count = values.shape[len(places) :], math.prod(values.shape[: len(places)])
    values, order = values.reshape(count, *rest).sort(0)
    weights = weights.reshape(count, *rest).gather(0, order)
    middle = weights.cumsum(0) - weights / 2
    found = []
    for level in levels:
        above = (middle < level).sum(0, keepdim=True).clamp(1, max(1, count - 1))
        below = (above - 1).clamp_min(0)
        above = above.clamp_max(count - 1)
        first, second = middle.gather(0, below), middle.gather(0, above)
        share = ((level - first) / (second - first).clamp_min(torch.finfo(values.dtype).tiny)).clamp(0, 1)
        found.append(torch.lerp(values.gather(0, below), values.gather(0, above), share).squeeze(0))
    return tuple(found)


SPREADS: Operations = {
    "second_moment": Operation(union, second_moment),
    "square": Operation(union, square),
    "deviation": Operation(union, deviation),
    "ends": Operation(elements, ends),
    "own_ends": Operation(union, own_ends),
}
