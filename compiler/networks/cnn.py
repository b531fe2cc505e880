"""cnn, and how networks that read images begin and end."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from compiler.kernels import add_up
from compiler.networks.blueprint import Blueprint, network_kind, style_of
from compiler.networks.conv_layers import Conv, Map
from compiler.networks.initialization import Initializer
from compiler.networks.interface import VALUE, ParentInput, Setup, by_name, in_line, total_width
from compiler.networks.layers import Between, LayeredNetwork, Style
from compiler.networks.linear import ParentSum
from compiler.networks.mlp import Dense, Heads, Hidden
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Cnn
from graphspec.language.shapes import conv_plan


def reads_as_image(parent: ParentInput) -> bool:
    """[C, H, W] of numbers; an image of classes enters through its table."""
    return len(parent.shape) == 3 and parent.encoding != "table"


class FirstConv(nn.Module):
    """The first layer of a network that reads images: one convolution per image parent, each other parent a bias per
    channel, all added up."""

    def __init__(
        self, inputs: Mapping[str, ParentInput], channels: int, kernel: int, stride: int, start: Initializer
    ) -> None:
        super().__init__()
        self.images = {name: inputs[name] for name in sorted(inputs) if reads_as_image(inputs[name])}
        others = {name: inputs[name] for name in sorted(inputs) if name not in self.images}
        fan_in = sum(p.shape[0] for p in self.images.values()) * kernel**2 + total_width(others.values())
        self.convolutions = by_name(
            {
                f"from_{n}": Conv(p.shape, channels, kernel, stride, start.at(n), fan_in=fan_in, bias=False)
                for n, p in self.images.items()
            }
        )
        self.others = ParentSum(others, channels, start.at("others"), fan_in=fan_in)
        self.alone = len(self.images) == 1 and not others

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """An image's maps [*lead, channels, H', W']; another parent's [*lead, channels]."""
        if name not in self.images:
            return self.others.enter(name, value, layout)
        bias = self.others.bias if self.alone else None  # the convolution's own: one pass less
        image = self.images[name].numbers(value, layout, self.others.bias.dtype)
        maps: Tensor = self.convolutions[f"from_{name}"](image, bias)
        return maps

    def finish(self, entered: Mapping[str, Tensor]) -> Tensor:
        """[*lead, channels, H', W']."""
        images = [entered[name] for name in self.images]
        if self.alone:
            return images[0]
        return add_up([add_up(self.others.parts(entered))[..., None, None], *images])


class Readout(nn.Module):
    """From a map to outputs: flattened, through the hidden layers, then one linear head per output.

    Without outputs: the last hidden layer, or the map itself where there is none.
    """

    def __init__(
        self,
        last: Map,
        outputs: Mapping[str, Map],
        start: Initializer,
        head_gain: float,
        hidden: Sequence[int],
        style: Style,
    ) -> None:
        super().__init__()
        size = prod(last)
        self.first = Dense(size, hidden[0], start.at("first")) if hidden else None
        self.hidden = Hidden(hidden, start.at("hidden"), style) if hidden else None
        self.heads = Heads(hidden[-1] if hidden else size, outputs, start.at("head"), head_gain) if outputs else None

    def forward(self, maps: Tensor, layout: Lead) -> dict[str, Tensor]:
        """{output: [*lead, *shape]} from [*lead, C, H, W]."""
        value = maps
        if self.first is not None and self.hidden is not None:
            value = self.hidden([self.first(maps.flatten(-3))], layout)
        if self.heads is None:
            return {VALUE: value}
        outputs: dict[str, Tensor] = self.heads(value if self.hidden is not None else maps.flatten(-3))
        return outputs


class CnnNetwork(LayeredNetwork):
    """Convolutions over image parents, hidden layers, heads. maps: [C, H, W] after each convolution."""

    def __init__(
        self, setup: Setup, maps: Sequence[Map], kernel: int, stride: int, hidden: Sequence[int], style: Style
    ) -> None:
        super().__init__(setup, setup.start.at("input").path, style)
        self.first = FirstConv(self.inputs, maps[0][0], kernel, stride, setup.start.at("first"))
        self.between = in_line(Between(m[0], setup.start.at(f"{i}"), style) for i, m in enumerate(maps))
        self.convolutions = in_line(
            Conv(source, target[0], kernel, stride, setup.start.at(f"{i + 1}"))
            for i, (source, target) in enumerate(pairwise(maps))
        )
        self.readout = Readout(maps[-1], self.shapes, setup.start.at("readout"), setup.head_gain, hidden, style)

    def read(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """An image's first maps, or another parent's bias per channel."""
        return self.first.enter(name, value, layout)

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        maps: Tensor = self.between[0](self.first.finish(entered), layout)
        for index, convolution in enumerate(self.convolutions, start=1):
            maps = self.between[index](convolution(maps), layout)
        outputs: dict[str, Tensor] = self.readout(maps, layout)
        return outputs


def first_image(inputs: Mapping[str, ParentInput]) -> Map:
    """Shape of the first image parent by name."""
    return next(inputs[name].shape for name in sorted(inputs) if reads_as_image(inputs[name]))


@network_kind("cnn")
def _cnn(spec: Cnn, setup: Setup) -> Blueprint:
    maps = conv_plan(first_image(setup.inputs), spec.channels, spec.kernel, spec.stride)
    options = {"maps": maps, "kernel": spec.kernel, "stride": spec.stride, "hidden": spec.hidden}
    return Blueprint(CnnNetwork, options | {"style": style_of(spec)})
