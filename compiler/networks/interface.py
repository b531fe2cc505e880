"""What a network reads and what it gives, whatever its kind."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.networks.initialization import Initializer
from compiler.tensors.call_layout import Lead

VALUE = "value"
"""Name of the only output of a deterministic variable's network."""


@dataclass(frozen=True)
class ParentInput:
    """How one parent enters a network.

    encoding: table (a class index per element), log1p, identity, or entered: its logarithm was taken before. shape: the
    value's event shape. support: number of values of one element where finite. minimum: the smallest value of a count.
    A discrete parent may also come relaxed: weights of its classes, [*shape, support]. state: it is what the network
    gave of the element before (`gru`).
    """

    name: str
    encoding: Literal["table", "log1p", "identity", "entered"]
    shape: tuple[int, ...]
    support: int | None = None
    minimum: int = 0
    state: bool = False

    @property
    def elements(self) -> int:
        """Elements of a value."""
        return prod(self.shape)

    @property
    def classes(self) -> int:
        """Rows of the table per element."""
        assert self.support is not None, f"{self.name} has no finite support"
        return self.support

    @property
    def width(self) -> int:
        """Numbers that this parent contributes to a concatenation (a class counts as one-hot)."""
        return self.elements * (self.classes if self.encoding == "table" else 1)

    def relaxed(self, value: Tensor, layout: Lead) -> bool:
        """The value holds class weights rather than values."""
        return value.dim() > layout.dims + len(self.shape)

    def numbers(self, value: Tensor, layout: Lead, dtype: torch.dtype) -> Tensor:
        """The value as numbers [*lead, *shape]: log1p for count and positive (odd below zero), else as is.

        Class weights of a count give the weighted mean of log1p of its values. Not for a category.
        """
        value = value.to(dtype)
        if self.relaxed(value, layout):
            steps = torch.arange(self.classes, dtype=dtype, device=value.device) + self.minimum
            return value @ (steps.log1p() if self.encoding == "log1p" else steps)
        return value.sign() * value.abs().log1p() if self.encoding == "log1p" else value

    def class_weights(self, value: Tensor, layout: Lead, dtype: torch.dtype) -> Tensor:
        """A category as one-hot (or its relaxed weights as they are), [*lead, *shape, K]."""
        if self.relaxed(value, layout):
            return value.to(dtype)
        return F.one_hot(value.long(), self.classes).to(dtype)

    def flat(self, value: Tensor, layout: Lead, dtype: torch.dtype) -> Tensor:
        """Everything as one vector per row, [*lead, width]."""
        known = self.class_weights if self.encoding == "table" else self.numbers
        value = known(value, layout, dtype)
        rank = value.dim() - layout.dims
        return value if rank == 1 else value.flatten(layout.dims) if rank else value.unsqueeze(-1)


@dataclass(frozen=True)
class Setup:
    """What every network is built from, beside options of its own.

    inputs: the parents. outputs: event shapes, unconstrained; none where the last hidden layer is what is wanted.
    start: where initial weights come from. head_gain: scale of the heads' initial weights against the usual ones.
    """

    inputs: Mapping[str, ParentInput]
    outputs: Mapping[str, tuple[int, ...]]
    start: Initializer
    head_gain: float = 1.0


class Network(nn.Module, ABC):
    """Maps the parents' values [*lead, *event] to unconstrained parameters [*lead, *event] (weightless kinds: the
    parameter itself), of size 1 in a leading dimension along which nothing varies.

    It does so in two steps: each parent enters by itself, on its own leading sizes, then all are put together. A
    network for a deterministic variable has the single output VALUE. inputs: the parents by name: the order in which a
    spec lists them never matters, not even for rounding.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.inputs = {name: setup.inputs[name] for name in sorted(setup.inputs)}
        self.shapes = dict(setup.outputs)

    def forward(self, values: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        """{output: [*lead, *event]} from {parent: [*lead, *event]}."""
        return self.finish(self.enter_all({name: values[name] for name in self.inputs}, layout), layout)

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """What the first layer makes of one parent; the value itself where it has no such part."""
        return value

    def enter_all(self, values: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        """Several parents' `enter`; those that came in together under the name of one of them."""
        return {name: self.enter(name, value, layout) for name, value in values.items()}

    @abstractmethod
    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        """The outputs, from every parent's `enter`."""

    def shareable(self, name: str) -> bool:
        """Whether `enter` is work that rows may share: it treats each by itself and draws nothing."""
        return False


Module = TypeVar("Module", bound=nn.Module)


def by_name(modules: Mapping[str, Module]) -> Mapping[str, Module]:
    """Modules that belong to the one that they become an attribute of."""
    return nn.ModuleDict(modules)  # type: ignore[return-value]


def in_line(modules: Iterable[Module]) -> Sequence[Module]:
    """Modules that belong to the one that they become an attribute of."""
    return nn.ModuleList(modules)  # type: ignore[return-value]


def squared_weights(network: nn.Module) -> Tensor:
    """The sum [] of the squares of a network's weights; of biases, and of numbers that scale a layer, nothing."""
    weights = [p for name, p in network.named_parameters() if p.dim() > 1 and not name.endswith("bias")]
    return torch.stack([weight.square().sum() for weight in weights]).sum() if weights else torch.zeros(())


def total_width(inputs: Iterable[ParentInput]) -> int:
    """Fan-in of a layer that would read all parents concatenated."""
    return sum(parent.width for parent in inputs)
