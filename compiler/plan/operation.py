"""What an operation of a plan is: its law, and how it runs, on tensors or on code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from compiler.plan.modules import Modules
from compiler.plan.plan import Line
from compiler.plan.running import Run
from compiler.symbolic.axis_names import canonical, plates_in
from compiler.symbolic.program import Axes

Law = Callable[[Line], Axes | list[Axes]]


@dataclass(frozen=True)
class Operation:
    """law: the axes of the outputs (a list: of each), from those of the inputs. run: how a line runs, once its modules
    are known; with code in place of tensors it gives the line's right side in an emitted file (`tensors.expression`).

    inline: there it is written where its value is read, if that is in one place (`once`), or always.
    """

    law: Law
    run: Callable[[Line, Modules], Run]
    inline: Literal["no", "once", "always"] = "no"


Operations = Mapping[str, Operation]


def union(line: Line) -> Axes:
    """Everything that an input varies over."""
    return canonical(axis for value in line.inputs for axis in value.axes)


def nothing(line: Line) -> Axes:
    """No axis: the inputs' are summed out."""
    return ()


def elements(line: Line) -> Axes:
    """Draws and values are averaged out; the elements of plates stay."""
    return plates_in(union(line))


def without_axis(line: Line) -> Axes:
    """The axis named in the options is gone."""
    return tuple(axis for axis in union(line) if axis != line.options["axis"])


def without_axes(line: Line) -> Axes:
    """Those named in the options are gone."""
    return tuple(axis for axis in union(line) if axis not in line.options["along"])


def with_variable(line: Line) -> Axes:
    """One axis more: the values of the factor's variable."""
    return canonical((*union(line), line.options["factor"].split(".", 1)[1]))
