"""Labels of a plate's elements that are a set: scores, the best assignment, and the labels of each element by it."""

from math import factorial

from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, nothing, union
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run
from compiler.tensors import matching
from compiler.tensors.expression import applied


def turned(line: Line, modules: Modules) -> Run:
    """Each element's label is that of one so many places behind it."""
    dim, by = line.inputs[0].axes.index(line.options["axis"]), line.options["by"]
    return lambda context, value: applied(matching.turned_labels, value, dim, by)


def best_assignment(line: Line, modules: Modules) -> Run:
    """Which label each element of a plate has; the last input says which elements are there, if some may not be."""
    ragged = line.options["ragged"]

    def run(context: Context, *tensors: Tensor) -> Tensor:
        there, scores = (tensors[-1], tensors[:-1]) if ragged else (None, tensors)
        return applied(matching.best_assignment, *scores, there=there)

    return run


def assigned(line: Line, modules: Modules) -> Run:
    """What a row has of each element, by the assignment."""
    dim = line.inputs[0].axes.index(line.options["axis"])
    return lambda context, value, choice: applied(matching.assigned, value, choice, dim)


def log_orders(line: Line, modules: Modules) -> Run:
    """log of how many assignments there are. ragged: the last input says which elements are there; masks before it,
    of what a row has a label of: where there are none, of all elements."""
    size, ragged, inputs = line.options["size"], line.options["ragged"], len(line.inputs)

    def run(context: Context, *tensors: Tensor) -> Tensor:
        if not inputs:
            return context.full(context.log(factorial(size)))
        there, masks = (tensors[-1], tensors[:-1]) if ragged else (None, tensors)
        return applied(matching.log_orders, context.floating, *masks, there=there)

    return run


MATCHING: Operations = {
    "turned": Operation(union, turned),
    "best_assignment": Operation(union, best_assignment),
    "assigned": Operation(union, assigned),
    "log_orders": Operation(nothing, log_orders),
}
