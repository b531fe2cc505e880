"""The law of a plan: every value comes about once and before it is read, on the axes that its operation gives it."""

from itertools import repeat

from compiler.plan.ops import OPERATIONS
from compiler.plan.plan import Line, Plan
from compiler.symbolic.axis_names import canonical
from graphspec.diagnostics import InternalError


def verify(plan: Plan, *, body: bool = False) -> Plan:
    """The plan itself. Raises InternalError naming the line that breaks the law. body: it is one element of a walk,
    whose results may vary over anything."""
    known = {value.name: value for value in plan.given}
    for line in plan.lines:
        for value in line.inputs:
            if known.get(value.name) != value:
                raise InternalError(f"{line} reads {value}, which is not there, in the plan of {plan.title}")
        if line.op not in OPERATIONS:
            raise InternalError(f"{line} is no operation, in the plan of {plan.title}")
        _check_axes(plan, line)
        if line.op == "loop":
            _check_body(plan, line)
        for value in line.outputs:
            if value.name in known:
                raise InternalError(f"{line} gives {value.name} a second time, in the plan of {plan.title}")
            known[value.name] = value
    for name, value in {**plan.results, **plan.terms}.items():
        if known.get(value.name) != value:
            raise InternalError(f"{name} is {value}, which is not there, in the plan of {plan.title}")
        if value.axes and not body:
            raise InternalError(f"{name} still varies over {value.axes}, in the plan of {plan.title}")
    return plan


def _check_axes(plan: Plan, line: Line) -> None:
    lawful = OPERATIONS[line.op].law(line)
    for value, axes in zip(line.outputs, lawful if isinstance(lawful, list) else repeat(lawful)):  # noqa: B905
        if value.axes != canonical(value.axes) or value.axes != axes:
            raise InternalError(f"{line} should vary over {axes}, in the plan of {plan.title}")


def _check_body(plan: Plan, line: Line) -> None:
    """What enters a walk's body has the axes of what stands outside, less that of the elements; what an element hands
    on has those of what the next one reads."""
    body: Plan = line.options["body"]
    verify(body, body=True)
    inside, axis = list(body.given), line.options["axis"]
    for value, outer in zip(inside, line.inputs, strict=False):
        if value.axes != tuple(each for each in outer.axes if each != axis):
            raise InternalError(f"{value} is no element of {outer}, in the plan of {plan.title}")
    carried = {value.name: value for value in inside[len(line.inputs) :]}
    for name, result, _ in line.options["carry"]:
        if carried[name].axes != body.results[result].axes:
            raise InternalError(
                f"{line} hands on {body.results[result]} as {carried[name]}, in the plan of {plan.title}"
            )
