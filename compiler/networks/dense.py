"""linear and mlp: the first layer is a sum of one map per parent, each on the parent's own axes."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.kernels import product
from compiler.networks.initialization import Initializer
from compiler.networks.interface import VALUE, Network, ParentInput, add_up, ordered, total_width
from compiler.networks.layers import Between, Inputs, Layered, between
from compiler.tensors.axes import AxisTensor
from compiler.tensors.noise import Noise
from graphspec.language.networks import Mlp


class ParentMap(nn.Module):
    """One parent's share of a linear layer: a matrix, whose rows a category looks up."""

    def __init__(self, parent: ParentInput, width: int, fan_in: int, start: Initializer, gain: float = 1.0) -> None:
        super().__init__()
        self.parent = parent
        self.weight = start.uniform("weight", (width, parent.width), fan_in, gain)

    def forward(self, value: AxisTensor) -> AxisTensor:
        """[*axes, B, *shape] to [*axes, B, width]."""
        parent = self.parent
        if parent.encoding == "table" and not parent.relaxed(value):
            return AxisTensor(value.axes, self._rows(value))
        return value.mapped(partial(self._product, value.axes), self)

    def _product(self, axes: tuple[str, ...], data: Tensor) -> Tensor:
        return product(self.parent.flat(AxisTensor(axes, data), self.weight.dtype), self.weight)

    def _rows(self, value: AxisTensor) -> Tensor:
        """Row (element, class) for each element, added up over the elements."""
        parent, lead = self.parent, value.data.shape[: len(value.axes) + 1]
        first = torch.arange(parent.elements, device=value.data.device) * parent.classes
        places = value.data.long().reshape(*lead, parent.elements) + first
        rows = F.embedding(places, self.weight.t())
        return rows.squeeze(-2) if parent.elements == 1 else rows.sum(-2)


class ParentSum(nn.Module):
    """bias + sum over parents of a linear map: equal to one linear layer on the concatenation, but a parent that does
    not vary along an axis is mapped once for it. Initial weights have the concatenation's fan-in."""

    def __init__(
        self,
        inputs: Mapping[str, ParentInput],
        width: int,
        start: Initializer,
        *,
        gain: float = 1.0,
        fan_in: int | None = None,
    ) -> None:
        super().__init__()
        parents = ordered(inputs)
        fan_in = total_width(parents) if fan_in is None else fan_in
        maps = {f"from_{p.name}": ParentMap(p, width, fan_in, start.at(p.name), gain) for p in parents}
        self.maps = nn.ModuleDict(maps)
        self.bias = start.uniform("bias", (width,), fan_in, gain)

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return self.bias.dtype

    def forward(self, values: Mapping[str, AxisTensor]) -> AxisTensor:
        """[*union of axes, B, width]."""
        return add_up(self.parts(values))

    def parts(self, values: Mapping[str, AxisTensor]) -> list[AxisTensor]:
        """What is added up: the bias and one part per parent, each on its own axes."""
        mapped = [cast(AxisTensor, m(values[m.parent.name])) for m in self._each()]
        return [AxisTensor((), self.bias.unsqueeze(0)), *mapped]

    def _each(self) -> list[ParentMap]:
        return [cast(ParentMap, module) for module in self.maps.values()]


class Dense(nn.Module):
    """One linear layer on units [*axes, B, inputs]."""

    def __init__(self, inputs: int, width: int, start: Initializer, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = start.uniform("weight", (width, inputs), inputs, gain)
        self.bias = start.uniform("bias", (width,), inputs, gain)

    def forward(self, value: AxisTensor) -> AxisTensor:
        """[*axes, B, width]."""
        return AxisTensor(value.axes, product(value.data, self.weight, self.bias))

    def parts(self, value: AxisTensor) -> list[AxisTensor]:
        """The same as bias and product apart, for whoever adds and activates in one pass."""
        mapped = AxisTensor(value.axes, product(value.data, self.weight))
        return [AxisTensor((), self.bias.unsqueeze(0)), mapped]


class Hidden(nn.Module):
    """Fully connected layers after a first sum: parts [*axes, B, first] to [*axes, B, last width]."""

    def __init__(self, widths: Sequence[int], start: Initializer, spec: Layered) -> None:
        super().__init__()
        self.between = nn.ModuleList(between(width, start.at(f"{i}"), spec) for i, width in enumerate(widths))
        self.dense = nn.ModuleList(Dense(a, b, start.at(f"{i + 1}")) for i, (a, b) in enumerate(pairwise(widths)))

    def forward(self, parts: Sequence[AxisTensor], noise: Noise) -> AxisTensor:
        """parts: what the first layer adds up, before normalization and activation."""
        value = cast(Between, self.between[0]).after_sum(parts, noise)
        for layer, module in zip(self.dense, self.between[1:], strict=True):
            dense, after = cast(Dense, layer), cast(Between, module)
            value = after.after_sum(dense.parts(value) if after.adds_up else [dense(value)], noise)
        return value


class Heads(nn.Module):
    """One linear map per output from the last hidden layer."""

    def __init__(self, inputs: int, outputs: Mapping[str, tuple[int, ...]], start: Initializer, gain: float) -> None:
        super().__init__()
        self.shapes = dict(outputs)
        self.heads = nn.ModuleDict(
            {f"to_{name}": Dense(inputs, prod(shape), start.at(name), gain=gain) for name, shape in outputs.items()}
        )

    def forward(self, hidden: AxisTensor) -> dict[str, AxisTensor]:
        """Each [*axes, B, *shape]. Several heads are one product with their weights side by side."""
        layers = [cast(Dense, layer) for layer in self.heads.values()]
        if len(layers) == 1:
            outputs = [product(hidden.data, layers[0].weight, layers[0].bias)]
        else:
            weight, bias = torch.cat([d.weight for d in layers]), torch.cat([d.bias for d in layers])
            outputs = list(product(hidden.data, weight, bias).split([len(d.bias) for d in layers], dim=-1))
        named = zip(self.shapes.items(), outputs, strict=True)
        return {name: shaped(AxisTensor(hidden.axes, data), shape) for (name, shape), data in named}


class LinearNetwork(Network):
    """Straight from the parents to each output: a sum of one map per parent."""

    def __init__(
        self,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, tuple[int, ...]],
        start: Initializer,
        head_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.shapes = dict(outputs)
        self.heads = nn.ModuleDict(
            {
                f"to_{name}": ParentSum(inputs, prod(shape), start.at(f"head/{name}"), gain=head_gain)
                for name, shape in outputs.items()
            }
        )

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        return {name: shaped(cast(AxisTensor, self.heads[f"to_{name}"](values)), s) for name, s in self.shapes.items()}


class MlpNetwork(Network):
    """Hidden layers, then one linear head per output; without outputs, VALUE is the last hidden layer."""

    def __init__(
        self,
        spec: Mlp,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, tuple[int, ...]],
        start: Initializer,
        head_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.inputs = Inputs(inputs, start.at("input"), spec)
        self.first = ParentSum(inputs, spec.hidden[0], start.at("first"))
        self.hidden = Hidden(spec.hidden, start.at("hidden"), spec)
        self.heads = Heads(spec.hidden[-1], outputs, start.at("head"), head_gain) if outputs else None

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        hidden = cast(AxisTensor, self.hidden(self.first.parts(self.inputs(values, noise)), noise))
        return {VALUE: hidden} if self.heads is None else cast(dict[str, AxisTensor], self.heads(hidden))


def shaped(value: AxisTensor, shape: tuple[int, ...]) -> AxisTensor:
    """[*axes, B, n] as [*axes, B, *shape]."""
    if len(shape) == 1:
        return value
    return AxisTensor(value.axes, value.data.reshape(*value.data.shape[:-1], *shape))
