"""linear, mlp, elementwise, gru: networks over vectors."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graphspec.language.base import WIDTHS_JSON, Size, Widths
from graphspec.language.networks.network_kind import (
    Asked,
    LayeredKind,
    Reading,
    Shapes,
    Weighted,
    Work,
    dense_layers,
    first_layer,
)
from graphspec.language.shapes import Shape, ShapeProblem, show

Hidden = Annotated[Widths, WIDTHS_JSON]


class Linear(Weighted):
    """A sum of one linear map per parent, straight into the heads; with `by` one such sum for each class of it."""

    kind: Literal["linear"]
    by: str | None = Field(
        default=None,
        description="A parent that is a category, or a plate's name: each of its classes has maps of its own.",
    )
    why_no_feature: ClassVar[str] = "has no hidden layer to take the shape from"
    names_parents: ClassVar[tuple[str, ...]] = ("by",)

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        return first_layer(parents, asked.numbers) + Work(0, asked.joint * asked.numbers)


class Mlp(LayeredKind):
    """Fully connected layers; the first is a sum of one map per parent, never a concatenation."""

    kind: Literal["mlp"]
    hidden: Hidden = Field(description="Widths of the hidden layers, for example [500, 500].")

    def feature_shape(self, parents: Shapes) -> Shape:
        return self.state_shape()

    def state_shape(self) -> Shape:
        return (self.hidden[-1],)

    def context_shape(self, parents: Shapes, target: Shape, width: int) -> tuple[Shape, bool]:
        return self.feature_shape(parents), True

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        return first_layer(parents, self.hidden[0]) + dense_layers((*self.hidden, asked.numbers), asked.joint)


class Gru(Weighted):
    """A gated recurrent unit: the parent that is its own neighbour, `name@previous` or `name@next`, is the state; all
    others are its inputs, a sum of one map per parent. The first state is zero."""

    kind: Literal["gru"]
    hidden: Size = Field(description="Width of the state.")

    def check_output(self, parents: Shapes, target: Shape) -> None:
        if target != (self.hidden,):
            message = f"gru: the value is the state, of size {self.hidden}, and this is declared as {show(target)}"
            raise ShapeProblem(message, f"leave the size out, or `hidden: {target[0]}`" if len(target) == 1 else
                               "leave the shape out", "GS026")  # fmt: skip

    def feature_shape(self, parents: Shapes) -> Shape:
        return self.state_shape()

    def state_shape(self) -> Shape:
        return (self.hidden,)

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        inputs = first_layer(parents, 3 * self.hidden)  # the state, which all three gates read, among them
        return inputs + Work(0, 4 * asked.joint * self.hidden)


class Elementwise(Weighted):
    """One weight per element and parent plus a bias: output element i reads only element i of each parent."""

    kind: Literal["elementwise"]

    def check_output(self, parents: Shapes, target: Shape) -> None:
        for name, shape in parents.items():
            if shape != target:
                raise ShapeProblem(
                    f"elementwise: element i reads element i of each parent, but {name} is {show(shape)} and this is "
                    f"{show(target)}",
                    "use linear or mlp, which connect every element with every other",
                )

    def feature_shape(self, parents: Shapes) -> Shape:
        shape = next(iter(parents.values()), ())
        self.check_output(parents, shape)
        return shape

    def context_shape(self, parents: Shapes, target: Shape, width: int) -> tuple[Shape, bool]:
        return self.feature_shape(parents), True

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        return Work(asked.joint * asked.numbers, asked.joint * asked.numbers, asked.numbers)
