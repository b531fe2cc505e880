"""Between the rows of a batch and those of its groups."""

import torch
from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, union
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, some_rows
from compiler.tensors import blanks


def rows_of(line: Line, modules: Modules) -> Run:
    """Rows of some groups, one group after the other."""
    groups = line.options["groups"]
    return lambda context, value: some_rows(value, context.joined(groups))


def together(line: Line, modules: Modules) -> Run:
    """Values of several groups' rows, one after the other; a label becomes class weights beside a relaxed draw."""
    groups, axis, rank = line.options["groups"], len(line.outputs[0].axes), line.outputs[0].rank
    hot = [value.rank < rank for value in line.inputs]
    variable = modules.graphs.variables.get(line.options["variable"] or "")

    def run(context: Context, *values: Tensor) -> Tensor:
        sizes = [context.sizes[group] for group in groups]
        if any(hot):
            assert variable is not None and variable.support is not None
            like = next(value for value, is_index in zip(values, hot, strict=True) if not is_index)
            values = tuple(
                blanks.one_hot(value, variable.support, variable.minimum, like) if is_index else value
                for value, is_index in zip(values, hot, strict=True)
            )
        spread = [
            value if value.shape[axis] == size else value.expand(*value.shape[:axis], size, *value.shape[axis + 1 :])
            for value, size in zip(values, sizes, strict=True)
        ]
        return torch.cat(spread, dim=axis)

    return run


def apart(line: Line, modules: Modules) -> Run:
    """Each group's rows: views whose gradients are put together in one pass."""
    groups, axis = line.options["groups"], len(line.inputs[0].axes)

    def run(context: Context, value: Tensor) -> tuple[Tensor, ...]:
        if value.shape[axis] == 1:
            return (value,) * len(groups)
        parts: tuple[Tensor, ...] = value.split([context.sizes[group] for group in groups], dim=axis)
        return parts

    return run


BATCHES: Operations = {
    "rows_of": Operation(union, rows_of),
    "together": Operation(union, together),
    "apart": Operation(union, apart),
}
