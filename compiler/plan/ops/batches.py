"""Between the rows of a batch and those of its groups."""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, union
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, on, some_rows, stacked
from compiler.symbolic.axis_names import is_plate
from compiler.symbolic.program import Axes
from compiler.tensors import blanks


def rows_of(line: Line, modules: Modules) -> Run:
    """Rows of some groups, one group after the other; those of a grid once for every place on it."""
    groups, dim, lengths = line.options["groups"], len(line.outputs[0].axes), _lengths(line)
    return lambda context, value: some_rows(value, context.joined(groups, _places(lengths(context))), dim)


def together(line: Line, modules: Modules) -> Run:
    """Values of several groups' rows, one after the other, each place on a group's grid as a row; a label becomes class
    weights beside a relaxed draw."""
    groups, axis, rank = line.options["groups"], len(line.outputs[0].axes), line.outputs[0].rank
    hot = [value.rank < rank for value in line.inputs]
    variable = modules.graphs.variables.get(line.options["variable"] or "")
    grids, lengths = _grids(line), _lengths(line)
    spread = [on(value, grid, every=True) for value, grid in zip(line.inputs, grids, strict=True)]

    def run(context: Context, *values: Tensor) -> Tensor:
        found = []
        for value, group, is_index, grid, lay in zip(values, groups, hot, lengths(context), spread, strict=True):
            if is_index:
                assert variable is not None and variable.support is not None
                like = next(other for other, index in zip(values, hot, strict=True) if not index)
                value = blanks.one_hot(value, variable.support, variable.minimum, like)
            size = context.parts[group].batch
            if grid:
                value = value if lay is None else lay(value)
                event = value.shape[len(grid) + 1 :]
                value = value.expand(*grid, size, *event).reshape(-1, *event)
            elif value.shape[axis] != size:
                value = value.expand(*value.shape[:axis], size, *value.shape[axis + 1 :])
            found.append(value)
        return torch.cat(found, dim=axis)

    return run


def apart(line: Line, modules: Modules) -> Run:
    """Each group's rows of each input, those of a grid on its axes: views whose gradients come together in one pass."""
    groups, axis, lengths_of = line.options["groups"], len(line.inputs[0].axes), _lengths(line)

    def run(context: Context, *values: Tensor) -> tuple[Tensor, ...]:
        if len(values) > 1:
            own = zip(*(part.unbind() for part in split(context, stacked(values), axis + 1)), strict=True)
            return tuple(part for parts in own for part in parts)
        return split(context, values[0], axis)

    def split(context: Context, value: Tensor, axis: int) -> tuple[Tensor, ...]:
        lead, event, lengths = value.shape[:axis], value.shape[axis + 1 :], lengths_of(context)
        if value.shape[axis] == 1:  # the same for all
            return tuple(value.reshape(*lead, *(1,) * len(grid), 1, *event) for grid in lengths)
        sizes, places = [context.parts[group].batch for group in groups], _places(lengths)
        counts = sizes if places is None else [count * size for count, size in zip(places, sizes, strict=True)]
        parts: tuple[Tensor, ...] = value.split(counts, dim=axis)
        if places is None:
            return parts
        pieces = zip(parts, lengths, sizes, strict=True)
        return tuple(part.reshape(*lead, *grid, size, *event) if grid else part for part, grid, size in pieces)

    return run


def _grids(line: Line) -> tuple[Axes, ...]:
    found: tuple[Axes, ...] = line.options.get("grids") or ((),) * len(line.options["groups"])
    return found


Lengths = tuple[tuple[int, ...], ...]


def _lengths(line: Line) -> Callable[[Context], Lengths]:
    """Of each group's axes whose places are rows, as the batch has them."""
    found: Lengths = line.options.get("lengths") or ((),) * len(line.options["groups"])
    grids = _grids(line)
    if not any(is_plate(axis) for grid in grids for axis in grid):
        return lambda context: found
    pairs = [*zip(grids, found, strict=True)]
    return lambda context: tuple(tuple(map(context.room, grid, sizes)) for grid, sizes in pairs)


def _places(lengths: Lengths) -> tuple[int, ...] | None:
    """How often each group has all of its rows; None: once."""
    return tuple(map(prod, lengths)) if any(lengths) else None


def joined_law(line: Line) -> Axes:
    """A grid's axes are gone."""
    return () if "grids" in line.options else union(line)


BATCHES: Operations = {
    "rows_of": Operation(union, rows_of),
    "together": Operation(joined_law, together),
    "apart": Operation(lambda line: [(*grid, *union(line)) for _ in line.inputs for grid in _grids(line)], apart),
}
