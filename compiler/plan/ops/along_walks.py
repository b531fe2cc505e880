"""Walks: a loop over the elements of a plate, and the fused kernel of a lone gru."""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from compiler.factors.factor_modules import Deterministic
from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, union
from compiler.plan.plan import Line, Plan
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.axis_names import canonical
from compiler.symbolic.networks_read import state_of
from compiler.symbolic.program import Axes
from compiler.tensors import views
from compiler.tensors.call_layout import Layout
from compiler.tensors.expression import applied
from compiler.tensors.noise import ElementNoise


def gru(line: Line, modules: Modules) -> Run:
    """Every state of a gru that nothing else is in a loop with; counted: which elements are there is read last."""
    key, options, onto = line.options["factor"], line.options, line.outputs[0].axes
    module, state = modules.factors[key], state_of(modules.graphs, modules.factor(key))
    assert isinstance(module, Deterministic)
    names = [name for name in modules.read(key) if name != state]
    place, back, counted = onto.index(options["axis"]), options["kind"] == "next", options["counted"]

    def run(context: Context, *tensors: Tensor) -> Tensor:
        layout, there = Layout(len(onto) + 1, context.noise), tensors[-1] if counted else None
        values = dict(zip(names, tensors, strict=not counted))
        steps = context.room(options["axis"], options["size"])
        return module.along(values, layout, place, steps, there, back=back)

    return laid_out(line.inputs, onto, run, every=True)


def loop(line: Line, modules: Modules) -> Run:
    """One element after the other: what stands outside is taken apart, what an element hands on goes to the next, and
    what comes out is put together."""
    body, axis, size = (line.options[name] for name in ("body", "axis", "size"))
    shape, back = LoopShape.of(line, body.plan), line.options["kind"] == "next"

    def run(context: Context, *inputs: Tensor) -> tuple[Tensor, ...]:
        steps = context.room(axis, size)
        inner = replace(context, noise=ElementNoise(context.noise, size))
        noise: ElementNoise = inner.noise  # type: ignore[assignment]
        apart = [t if p is None else t.unbind(p) for t, p in zip(inputs, shape.places, strict=True)]
        given: dict[str, Any] = {name: context.full(0.0, sizes) for name, sizes in shape.starts}
        found: list[Any] = [None] * steps
        for element in reversed(range(steps)) if back else range(steps):
            noise.element = element
            for name, whole, place in zip(shape.names, apart, shape.places, strict=True):
                given[name] = whole if place is None else whole[element]
            values = body.run(inner, given)
            found[element] = [values[name] for name in shape.outputs]
            given = {name: values[result] for name, result in shape.handed_on}
        columns = zip(*found, strict=True)
        return tuple(applied(views.put_together, column, p) for column, p in zip(columns, shape.joints, strict=True))

    return run


@dataclass(frozen=True)
class LoopShape:
    """Names and places of a loop. names, places: of what comes from outside, and where its elements stand (None: all
    have the same). starts: what is carried, and its sizes before the first element. handed_on: what it becomes.
    outputs, joints: what comes out of each element, and where the elements stand then."""

    names: tuple[str, ...]
    places: tuple[int | None, ...]
    starts: tuple[tuple[str, tuple[int, ...]], ...]
    handed_on: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    joints: tuple[int, ...]

    @classmethod
    def of(cls, line: Line, body: Plan) -> "LoopShape":
        """Of a line and the plan of its body."""
        axis, carry = line.options["axis"], line.options["carry"]
        inside = list(body.given)
        carried = {value.name: value for value in inside[len(line.inputs) :]}
        starts = tuple((name, (*(1,) * (len(carried[name].axes) + 1), *event)) for name, _, event in carry)
        return cls(
            tuple(value.name for value in inside[: len(line.inputs)]),
            tuple(value.axes.index(axis) if axis in value.axes else None for value in line.inputs),
            starts,
            tuple((name, body.results[result].name) for name, result, _ in carry),
            tuple(body.results[name].name for name in outputs_of(body)),
            tuple(value.axes.index(axis) for value in line.outputs),
        )


def outputs_of(body: Plan) -> list[str]:
    """The results of a body that come out of the loop, in the order of its outputs."""
    return [name for name in body.results if name.startswith("of each ")]


def loop_law(line: Line) -> list[Axes]:
    """The body's axes, and that of the elements."""
    body: Plan = line.options["body"]
    return [canonical((line.options["axis"], *body.results[name].axes)) for name in outputs_of(body)]


def with_elements(line: Line) -> Axes:
    """Everything that an input varies over, and the plate."""
    return canonical((*union(line), line.options["axis"]))


WALKS: Operations = {"loop": Operation(loop_law, loop), "gru": Operation(with_elements, gru)}
