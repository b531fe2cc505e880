"""linear, and the first layer of every network on vectors: a sum of one map per parent, each on its own axes."""

from collections.abc import Callable, Mapping
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.kernels import add_up, linear
from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.initialization import Initializer
from compiler.networks.interface import Network, ParentInput, Setup, by_name, total_width
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Linear

SMALL = 4096
"""Weights of a product that takes as long to call as to compute."""


class ParentMap(nn.Module):
    """One parent's share of a linear layer: a matrix, whose columns a category looks up."""

    def __init__(self, parent: ParentInput, width: int, fan_in: int, start: Initializer, gain: float = 1.0) -> None:
        super().__init__()
        self.parent = parent
        self.weight: Tensor = start.uniform("weight", (width, parent.width), fan_in, gain)

    def forward(self, value: Tensor, layout: Lead) -> Tensor:
        """[*lead, *shape] to [*lead, width]."""
        return mapped(self.parent, value, self.weight, layout)


def mapped(parent: ParentInput, value: Tensor, weight: Tensor, layout: Lead) -> Tensor:
    """weight [width, parent's width] times a parent's value [*lead, *shape]: [*lead, width].

    Of a category, column (element, class) for each element, added up over the elements.
    """
    if parent.encoding != "table" or parent.relaxed(value, layout):
        return linear(parent.flat(value, layout, weight.dtype), weight)
    if not parent.shape:
        return F.embedding(value.long(), weight.t())
    first = torch.arange(parent.elements, device=value.device) * parent.classes
    return F.embedding(value.long().flatten(layout.dims) + first, weight.t()).sum(-2)


def shares(
    inputs: Mapping[str, ParentInput], weight_of: Callable[[str], Tensor], values: Mapping[str, Tensor], layout: Lead
) -> dict[str, Tensor]:
    """What linear maps make of several parents' values, to be added up: {parent: [*lead, width]}. Small products on
    equal leading sizes are one, under the name of the first: to call a product takes longer than to compute it."""
    found: dict[str, Tensor] = {}
    small: dict[torch.Size, dict[str, tuple[Tensor, Tensor]]] = {}
    for name, value in values.items():
        parent, weight = inputs[name], weight_of(name)
        if weight.numel() > SMALL or (parent.encoding == "table" and not parent.relaxed(value, layout)):
            found[name] = mapped(parent, value, weight, layout)
        else:
            alike = small.setdefault(value.shape[: layout.dims], {})
            alike[name] = (parent.flat(value, layout, weight.dtype), weight)
    for alike in small.values():
        flat, weights = zip(*alike.values(), strict=True)
        found[next(iter(alike))] = (
            linear(torch.cat(flat, dim=-1), torch.cat(weights, dim=1))
            if len(alike) > 1
            else linear(flat[0], weights[0])
        )
    return found


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
        fan_in = total_width(inputs.values()) if fan_in is None else fan_in
        self.inputs = dict(inputs)
        maps = {f"from_{n}": ParentMap(inputs[n], width, fan_in, start.at(n), gain) for n in sorted(inputs)}
        self.maps = by_name(maps)
        self.bias: Tensor = start.uniform("bias", (width,), fan_in, gain)

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """One parent's share, [*lead, width]."""
        share: Tensor = self.maps[f"from_{name}"](value, layout)
        return share

    def enter_all(self, values: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        """Several parents' `shares`."""
        maps = self.maps
        return shares(self.inputs, lambda name: maps[f"from_{name}"].weight, values, layout)

    def parts(self, entered: Mapping[str, Tensor]) -> list[Tensor]:
        """What is added up: the bias [width] and each parent's share."""
        return [self.bias, *(entered[name] for each in self.maps.values() if (name := each.parent.name) in entered)]


class LinearNetwork(Network):
    """Straight from the parents to each output: a sum of one map per parent. Several outputs are one product with their
    weights side by side."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.heads = by_name(
            {
                f"to_{n}": ParentSum(self.inputs, prod(s), setup.start.at(f"head/{n}"), gain=setup.head_gain)
                for n, s in self.shapes.items()
            }
        )

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """One parent's share of all outputs, [*lead, total width]."""
        return mapped(self.inputs[name], value, self._weight(name), layout)

    def enter_all(self, values: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        return shares(self.inputs, self._weight, values, layout)

    def _weight(self, name: str) -> Tensor:
        """Of all outputs side by side."""
        weights = [head.maps[f"from_{name}"].weight for head in self.heads.values()]
        return weights[0] if len(weights) == 1 else torch.cat(weights)

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        biases = [head.bias for head in self.heads.values()]
        bias = biases[0] if len(biases) == 1 else torch.cat(biases)
        return divided(add_up([bias, *(entered[name] for name in self.inputs if name in entered)]), self.shapes)

    def shareable(self, name: str) -> bool:
        return True


def divided(units: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Units [*lead, total width] as one value [*lead, *shape] per name."""
    parts = [units] if len(shapes) == 1 else units.split([prod(shape) for shape in shapes.values()], dim=-1)
    return {name: shaped(part, shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def shaped(units: Tensor, shape: tuple[int, ...]) -> Tensor:
    """[*lead, n] as [*lead, *shape]."""
    return units if len(shape) == 1 else units.reshape(*units.shape[:-1], *shape)


class LinearByClass(Network):
    """bias_c + sum over the other parents of weight_c times parent, for class c; class weights mix the maps."""

    def __init__(self, setup: Setup, by: str) -> None:
        super().__init__(setup)
        self.by, self.others = self.inputs[by], [p for name, p in self.inputs.items() if name != by]
        fan_in, numbers = max(1, total_width(self.others)), sum(prod(shape) for shape in self.shapes.values())
        self.bias: Tensor = setup.start.uniform("bias", (self.by.classes, numbers), fan_in, setup.head_gain)
        self.weights = nn.ParameterDict()
        for parent in self.others:
            shape = (self.by.classes, numbers, parent.width)
            self.weights[f"from_{parent.name}"] = setup.start.uniform(parent.name, shape, fan_in, setup.head_gain)

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        chosen = entered[self.by.name]
        parts = [of_class(self.by, chosen, self.bias, layout)]
        for parent in self.others:
            weight = self.weights[f"from_{parent.name}"]
            flat = parent.flat(entered[parent.name], layout, weight.dtype)
            parts.append(mapped_by_row(flat, of_class(self.by, chosen, weight, layout)))
        return divided(add_up(parts), self.shapes)


def of_class(by: ParentInput, chosen: Tensor, table: Tensor, layout: Lead) -> Tensor:
    """The entry of a table [K, ...] for a class [*lead], or the mean of all by class weights: [*lead, ...]."""
    flat = table.flatten(1)
    found = chosen.to(flat.dtype) @ flat if by.relaxed(chosen, layout) else F.embedding(chosen.long(), flat)
    return found.reshape(*found.shape[:-1], *table.shape[1:])


def mapped_by_row(value: Tensor, weight: Tensor) -> Tensor:
    """weight [*lead, B, n, m] times value [*lead, B, m]: [*lead, B, n]; in one product where all rows have the same."""
    if weight.shape[-3] == 1:
        return value @ weight.squeeze(-3).transpose(-1, -2)
    return (weight @ value.unsqueeze(-1)).squeeze(-1)


@network_kind("linear")
def _linear(spec: Linear, setup: Setup) -> Blueprint:
    return Blueprint(LinearNetwork) if spec.by is None else Blueprint(LinearByClass, {"by": spec.by})
