"""What an entry of the language says of a kind of network: its fields, the shapes it reads and gives, what it costs.

A kind is a subclass of `NetworkKind` in a file of this folder, with a field `kind`; its module is in
`compiler/networks`. The rest of the house asks a spec through the methods here and knows no kind by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from graphspec.language.base import Section
from graphspec.language.shapes import Shape, ShapeProblem, size_of

Activation = Literal["relu", "softplus", "tanh", "sigmoid", "gelu", "silu", "elu", "leaky_relu", "identity"]
Normalization = Literal["batch", "layer", "none"]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Work:
    """Of one row: multiply-adds of a forward pass, and numbers kept for the backward pass. weights: in products, of the
    network itself (no biases, no tables of classes)."""

    multiply_adds: int = 0
    activations: int = 0
    weights: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.multiply_adds + other.multiply_adds,
            self.activations + other.activations,
            self.weights + other.weights,
        )


@dataclass(frozen=True)
class Reading:
    """A parent as a network reads it: its shape, whether classes pick table rows, how many values a row has of it."""

    shape: Shape
    table: bool
    repeats: int


@dataclass(frozen=True)
class Asked:
    """What a network is to give: values of shape `target`, or `numbers` of parameters for it (none where the value is
    the last hidden layer), so many times a row as `joint` says."""

    target: Shape
    numbers: int
    joint: int


class NetworkKind(Section):
    """An architecture. The methods here are those of a network that maps vectors to heads."""

    if TYPE_CHECKING:
        kind: str

    own_units: ClassVar[bool] = False
    """Parents enter as they are: neither logarithms, nor flags of what is blank."""
    why_no_feature: ClassVar[str] = "does not tell the shape"
    names_parents: ClassVar[tuple[str, ...]] = ()
    """Fields that name parents of the factor."""

    @property
    def draws(self) -> bool:
        """Whether it draws anything for each row in training (a user's own network may)."""
        return False

    def check_inputs(self, parents: Shapes) -> None:
        """Raises ShapeProblem where the parents are not what this kind of network reads."""

    def check_output(self, parents: Shapes, target: Shape) -> None:
        """Raises ShapeProblem where this kind of network (with weights) cannot give values of shape `target`."""

    def feature_shape(self, parents: Shapes) -> Shape:
        """Shape of a deterministic variable that declares none: the last hidden layer, or what the parents make.

        Raises ShapeProblem where there is no such layer.
        """
        hint = "give the variable a size, for example `size: 32`, or a shape"
        raise ShapeProblem(f"{self.kind} {self.why_no_feature}", hint, "GS065")

    def state_shape(self) -> Shape | None:
        """The shape of the last hidden layer, where it does not depend on the parents."""
        return None

    def context_shape(self, parents: Shapes, target: Shape, width: int) -> tuple[Shape, bool]:
        """What the network gives to a flow over `target` as its context, and whether that is a hidden layer of it;
        else it is a head, of `width` numbers where nothing else is said."""
        return (width,), False

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        """What one row costs."""
        return Work(0, asked.joint * asked.numbers)


class Weighted(NetworkKind):
    """An architecture whose weights may be kept small, and may learn faster or slower than the others'."""

    weight_decay: float = Field(
        default=0.0,
        ge=0,
        description="Half of it times the squared weights (biases left alone) is taken off the objective, once.",
    )
    learning_rate_factor: float = Field(
        default=1.0, gt=0, description="Times `training.learning_rate`, for the weights of this network alone."
    )


class LayeredKind(Weighted):
    """An architecture with layers and something between them."""

    activation: Activation = Field(default="relu", description="Nonlinearity after each hidden layer.")
    normalization: Normalization = Field(default="none", description="Normalization before each activation.")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Share of hidden units dropped in training, after each activation."
    )
    input_noise: float = Field(
        default=0.0,
        ge=0,
        description="Standard deviation of normal noise on parents that enter as numbers, in training.",
    )
    input_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of elements of parents that enter as numbers set to zero in training.",
    )

    @property
    def draws(self) -> bool:
        return bool(self.dropout or self.input_noise or self.input_dropout)


def first_layer(parents: Mapping[str, Reading], width: int) -> Work:
    """A sum of one map per parent, each on its own axes; a category is a table row and multiplies nothing."""
    read = [parent for parent in parents.values() if not parent.table]
    products = sum(parent.repeats * size_of(parent.shape) * width for parent in read)
    return Work(products, 0, sum(size_of(parent.shape) * width for parent in read))


def dense_layers(widths: Shape, joint: int) -> Work:
    """Layers after the first, whose inputs vary over all axes."""
    weights = sum(a * b for a, b in pairwise(widths))
    return Work(joint * weights, joint * sum(widths), weights)
