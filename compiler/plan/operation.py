"""What an operation of a plan is: its law, how it runs, and how it is written in the emitted file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from compiler.families.family_code import FamilyCode
from compiler.plan.modules import Modules
from compiler.plan.plan import Line, Plan, Value
from compiler.plan.running import Run
from compiler.symbolic.axis_names import canonical
from compiler.symbolic.program import Axes
from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Factor, Variable


class Writing(Protocol):
    """A function of the emitted file on its way, as the operations see it."""

    samples: str
    """Code of the number of draws."""

    def code(self, value: Value) -> str:
        """Code of a value: a name, or the expression that stands in its place."""

    def on(self, value: Value, axes: Axes, *, every: bool = False) -> str:
        """The same, to be broadcast over `axes`; every: with a dimension for each of them."""

    def given(self, variable: str) -> str:
        """[B, *shape] bool, which elements are there."""

    def like(self) -> str:
        """A floating tensor of the function's own dtype and device."""

    def batch(self) -> str:
        """The number of rows."""

    def weight(self, kind: str, variable: str) -> str:
        """A number of the objective."""

    def data_rows(self, *, labelled: bool) -> str:
        """How many training rows there are of a kind."""

    def variable(self, name: str) -> Variable:
        """A variable of the graphs."""

    def identifier(self, name: str) -> str:
        """Its name in Python."""

    def factor(self, key: str) -> Factor:
        """A factor of the graphs."""

    def hot(self, variable: str) -> bool:
        """Whether its values are class weights [..., K]."""

    def family(self, key: str) -> FamilyCode | None:
        """A factor's family; None for a flow."""

    def prior(self, key: str) -> str | None:
        """A standard prior that is written in place of a module: "uniform", or "standard" with the family's name."""

    def flow(self, key: str) -> str:
        """The map of a flow."""

    def call(self, key: str, arguments: Sequence[str], axes: Axes) -> str:
        """A factor's module at these values."""

    def fresh(self, wanted: str) -> str:
        """A name that is not taken."""

    def write(self, statement: str, *, deeper: bool = False) -> None:
        """One statement."""

    def remark(self, text: str) -> None:
        """A comment."""

    def function(self, plan: Plan, wanted: str) -> tuple[str, list[str]]:
        """A function within this one that computes the total of `plan`; its name, and those of the values with samples
        that it takes."""

    def refuse(self, key: str, what: str) -> SpecError:
        """A located GS090."""


Law = Callable[[Line], Axes]
Text = Callable[[Line, Writing], str]


@dataclass(frozen=True)
class Operation:
    """law: the axes of the outputs, from those of the inputs. run: how a line runs, once its modules are known.

    text: the line's right side in the emitted file; None where no objective has such a line. inline: it is written
    where its value is read, if that is in one place (`once`), or always.
    """

    law: Law
    run: Callable[[Line, Modules], Run]
    text: Text | None = None
    inline: Literal["no", "once", "always"] = "no"


Operations = Mapping[str, Operation]


def union(line: Line) -> Axes:
    """Everything that an input varies over."""
    return canonical(axis for value in line.inputs for axis in value.axes)


def nothing(line: Line) -> Axes:
    """No axis: the inputs' are summed out."""
    return ()


def without_axis(line: Line) -> Axes:
    """The axis named in the options is gone."""
    return tuple(axis for axis in union(line) if axis != line.options["axis"])


def with_variable(line: Line) -> Axes:
    """One axis more: the values of the factor's variable."""
    return canonical((*union(line), line.options["factor"].split(".", 1)[1]))


def dimensions(axes: Axes) -> str:
    """The leading dimensions as code: `0`, `(0, 1)`."""
    return "0" if len(axes) == 1 else str(tuple(range(len(axes))))
