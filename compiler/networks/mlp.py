"""mlp, and the fully connected layers and heads of other kinds."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from compiler.kernels import linear
from compiler.networks.blueprint import Blueprint, network_kind, style_of
from compiler.networks.initialization import Initializer
from compiler.networks.interface import VALUE, Setup, by_name, in_line
from compiler.networks.layers import Between, LayeredNetwork, Style
from compiler.networks.linear import ParentSum, divided
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Mlp


class Dense(nn.Module):
    """One linear layer on units [*lead, inputs]."""

    def __init__(self, inputs: int, width: int, start: Initializer, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight: Tensor = start.uniform("weight", (width, inputs), inputs, gain)
        self.bias: Tensor = start.uniform("bias", (width,), inputs, gain)

    def forward(self, value: Tensor) -> Tensor:
        """[*lead, width]."""
        return linear(value, self.weight, self.bias)


class Hidden(nn.Module):
    """Fully connected layers after a first sum."""

    def __init__(self, widths: Sequence[int], start: Initializer, style: Style) -> None:
        super().__init__()
        self.between = in_line(Between(width, start.at(f"{i}"), style) for i, width in enumerate(widths))
        self.dense = in_line(Dense(a, b, start.at(f"{i + 1}")) for i, (a, b) in enumerate(pairwise(widths)))

    def forward(self, parts: Sequence[Tensor], layout: Lead) -> Tensor:
        """parts: what the first layer adds up, before normalization and activation. [*lead, last width]."""
        value = self.between[0].after_sum(parts, layout)
        for index, dense in enumerate(self.dense, start=1):
            value = self.between[index].after_linear(value, dense.weight, dense.bias, layout)
        return value


class Heads(nn.Module):
    """One linear map per output from the last hidden layer; several are one product, their weights side by side."""

    def __init__(self, inputs: int, outputs: Mapping[str, tuple[int, ...]], start: Initializer, gain: float) -> None:
        super().__init__()
        self.shapes = dict(outputs)
        self.heads = by_name(
            {f"to_{name}": Dense(inputs, prod(shape), start.at(name), gain=gain) for name, shape in outputs.items()}
        )

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        """Each [*lead, *shape]."""
        layers = list(self.heads.values())
        weight, bias = layers[0].weight, layers[0].bias
        if len(layers) > 1:
            weight, bias = torch.cat([d.weight for d in layers]), torch.cat([d.bias for d in layers])
        return divided(linear(hidden, weight, bias), self.shapes)


class MlpNetwork(LayeredNetwork):
    """Hidden layers, then one linear head per output; without outputs, VALUE is the last hidden layer."""

    def __init__(self, setup: Setup, hidden: Sequence[int], style: Style) -> None:
        super().__init__(setup, setup.start.at("input").path, style)
        self.first = ParentSum(self.inputs, hidden[0], setup.start.at("first"))
        self.hidden = Hidden(hidden, setup.start.at("hidden"), style)
        self.heads = Heads(hidden[-1], self.shapes, setup.start.at("head"), setup.head_gain) if self.shapes else None

    def read(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """[*lead, first width]."""
        return self.first.enter(name, value, layout)

    def enter_all(self, values: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        read = {name: self._disturbed(name, value, layout) for name, value in values.items()}
        entered: dict[str, Tensor] = self.first.enter_all(read, layout)
        return entered

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        hidden: Tensor = self.hidden(self.first.parts(entered), layout)
        if self.heads is None:
            return {VALUE: hidden}
        outputs: dict[str, Tensor] = self.heads(hidden)
        return outputs


@network_kind("mlp")
def _mlp(spec: Mlp, setup: Setup) -> Blueprint:
    return Blueprint(MlpNetwork, {"hidden": spec.hidden, "style": style_of(spec)})
