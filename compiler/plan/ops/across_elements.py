"""Between values and the elements of a plate: views of neighbours, ends and pools, places, rows in front."""

import torch
from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, nothing, union
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.axis_names import canonical
from compiler.symbolic.program import Axes
from compiler.tensors import presence, views
from compiler.tensors.expression import applied
from graphspec.language.plates import NEIGHBOURS


def across(line: Line, modules: Modules) -> Run:
    """A value as it is seen from another element, or from outside a plate; of those that are there, where a second
    input says which."""
    kind, axes = line.options["kind"], union(line)
    places = tuple(axes.index(axis) for axis in line.options["along"])
    if len(line.inputs) > 1:
        return _across_those_there(line, kind, places)

    def run(context: Context, value: Tensor) -> Tensor:
        match kind:
            case "previous":
                return applied(views.previous_elements, value, places[0])
            case "next":
                return applied(views.next_elements, value, places[0])
            case "first" | "last":
                return applied(views.end_elements, value, places, 0 if kind == "first" else -1)
            case "sum":
                return value.sum(places)
            case "mean":
                return value.mean(places)
            case _:
                return value.amax(places)

    return run


def _across_those_there(line: Line, kind: str, places: tuple[int, ...]) -> Run:
    rank = line.inputs[0].rank

    def run(context: Context, value: Tensor, there: Tensor) -> Tensor:
        there = presence.over(there, rank)
        match kind:
            case "next":
                return applied(views.next_elements, torch.where(there, value, 0.0), places[0])
            case "first" | "last":
                return applied(views.end_there, value, there, places, 0 if kind == "first" else -1)
            case "sum":
                return torch.where(there, value, 0.0).sum(places)
            case "mean":
                return applied(views.mean_there, value, there, places)
            case _:
                return applied(views.largest_there, value, there, places)

    return laid_out(line.inputs, union(line), run, every=True)


def seen_axes(line: Line) -> Axes:
    """Neighbours stand where the reader does; pools and ends leave nothing of a plate."""
    own = union(line)
    return (
        own if line.options["kind"] in NEIGHBOURS else tuple(axis for axis in own if axis not in line.options["along"])
    )


def numbers(line: Line, modules: Modules) -> Run:
    """A count or positive value as it enters what is pooled: its logarithm, or as it is."""
    variable, logarithms = modules.graphs.variables[line.options["variable"]], line.options["logarithms"]
    relaxed = line.inputs[0].rank > len(variable.shape)

    def run(context: Context, value: Tensor) -> Tensor:
        if relaxed:
            return applied(views.weighed_numbers, value, variable.minimum, logarithms=logarithms)
        if variable.domain == "category":
            return value.to(context.dtype)
        return applied(views.signed_log1p, value) if logarithms else value

    return run


def spread(line: Line, modules: Modules) -> Run:
    """The same for every element of a plate."""
    axis, size = line.options["axis"], line.options["size"]
    place = line.outputs[0].axes.index(axis)
    return lambda context, value: value.unsqueeze(place).repeat_interleave(context.room(axis, size), dim=place)


def place(line: Line, modules: Modules) -> Run:
    """The places in a plate as classes, [n, 1]."""
    axis, size = line.options["axis"], line.options["size"]
    return lambda context: applied(views.places_of, context.room(axis, size), context.device)


def there(line: Line, modules: Modules) -> Run:
    """1 where an element has a neighbour, [n, 1]."""
    step, axis, size = -1 if line.options["kind"] == "previous" else 1, line.options["axis"], line.options["size"]

    def run(context: Context) -> Tensor:
        return applied(views.has_neighbour, context.room(axis, size), step, context.device, context.dtype)

    return run


def elements_there(line: Line, modules: Modules) -> Run:
    """Which elements of a plate are there, by their count; none of an outer element that is not there itself."""
    onto, axis, size = line.outputs[0].axes, line.options["axis"], line.options["size"]
    behind = len(onto) - onto.index(axis)

    def run(context: Context, count: Tensor, outer: Tensor | None = None) -> Tensor:
        inside = applied(views.elements_below, count, context.room(axis, size), behind)
        return inside if outer is None else inside & outer

    return laid_out(line.inputs, onto, run, every=True)


def only_there(line: Line, modules: Modules) -> Run:
    """A value where elements are there, zero elsewhere."""
    rank = line.inputs[0].rank

    def run(context: Context, value: Tensor, there: Tensor) -> Tensor:
        there = presence.over(there, rank)
        return torch.where(there, value, 0)

    return laid_out(line.inputs, union(line), run, every=True)


def as_numbers(line: Line, modules: Modules) -> Run:
    """1 where something is there."""
    return lambda context, there: there.to(context.dtype)


def rows_first(line: Line, modules: Modules) -> Run:
    """[*plates, B, *event] as [B, *plates, *event], the outermost plate first."""
    axes = line.options["along"]
    places = tuple(line.inputs[0].axes.index(axis) for axis in axes)
    return lambda context, value: value.movedim(places, tuple(range(1, len(axes) + 1)))


def jointly(line: Line, modules: Modules) -> Run:
    """What each element of a plate has at its own values, at the values of all elements."""
    (axes, after), plate, own = (line.inputs[0].axes, line.outputs[0].axes), line.options["plate"], line.options["own"]
    without = [axis for axis in after if axis != plate]
    places = tuple(without.index(axis) for axis in line.options["elements"])
    dims = axes.index(plate), axes.index(own)
    return lambda context, value: applied(views.jointly, value, *dims, places)


def jointly_axes(line: Line) -> Axes:
    """One axis becomes as many as the plate has elements."""
    return canonical((*(axis for axis in union(line) if axis != line.options["own"]), *line.options["elements"]))


def element(line: Line, modules: Modules) -> Run:
    """One element of a plate, its values on axes of its own."""
    axes, renamed = line.inputs[0].axes, dict(line.options["renamed"])
    plate = axes.index(line.options["plate"])
    left = [renamed.get(axis, axis) for axis in axes if axis != line.options["plate"]]
    order, place = tuple(left.index(axis) for axis in line.outputs[0].axes), line.options["place"]
    return lambda context, value: applied(views.one_element, value, plate, place, order)


def element_axes(line: Line) -> Axes:
    """The plate is gone, and values are named by element."""
    renamed = dict(line.options["renamed"])
    return canonical(renamed.get(axis, axis) for axis in union(line) if axis != line.options["plate"])


def side_by_side(line: Line, modules: Modules) -> Run:
    """What was found of each element by itself, as one value of the plate."""
    after, names = line.outputs[0].axes, line.options["named"]
    left = [axis for axis in after if axis != line.options["plate"]]
    at = after.index(line.options["plate"])
    orders = tuple(
        tuple([dict(told).get(axis, axis) for axis in value.axes].index(axis) for axis in left)
        for value, told in zip(line.inputs, names, strict=True)
    )
    return lambda context, *values: applied(views.side_by_side, at, orders, *values)


def side_by_side_axes(line: Line) -> Axes:
    """The plate, and values of an element."""
    told = dict(line.options["named"][0])
    return canonical((line.options["plate"], *(told.get(axis, axis) for axis in line.inputs[0].axes)))


def one_axis(line: Line) -> Axes:
    """The plate's."""
    return (line.options["axis"],)


def with_axis(line: Line) -> Axes:
    """One axis more."""
    return canonical((*union(line), line.options["axis"]))


ACROSS: Operations = {
    "across": Operation(seen_axes, across),
    "numbers": Operation(union, numbers),
    "spread": Operation(with_axis, spread),
    "place": Operation(one_axis, place),
    "there": Operation(one_axis, there),
    "elements_there": Operation(with_axis, elements_there),
    "only_there": Operation(union, only_there),
    "as_numbers": Operation(union, as_numbers),
    "rows_first": Operation(nothing, rows_first),
    "jointly": Operation(jointly_axes, jointly),
    "element": Operation(element_axes, element),
    "side_by_side": Operation(side_by_side_axes, side_by_side),
}
