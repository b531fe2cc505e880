"""cnn and deconv, and the ends they share with resnet."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from math import prod
from typing import cast

from torch import Tensor, nn

from compiler.networks.conv_layers import Conv, Map, TransposedConv, cropped
from compiler.networks.dense import Dense, Heads, Hidden, ParentSum, shaped
from compiler.networks.initialization import Initializer
from compiler.networks.interface import VALUE, Network, ParentInput, add_up, ordered, total_width
from compiler.networks.layers import Inputs, Layered, between, call
from compiler.tensors.axes import AxisTensor
from compiler.tensors.noise import Noise
from graphspec.graphs.shapes import conv_plan, deconv_plan, is_image
from graphspec.language.networks import Cnn, Deconv, Resnet


class FirstConv(nn.Module):
    """The first layer of a network that reads images: one convolution per image parent, each other parent a bias per
    channel, all added up on the union of their axes."""

    def __init__(
        self, inputs: Mapping[str, ParentInput], channels: int, kernel: int, stride: int, start: Initializer
    ) -> None:
        super().__init__()
        images = [parent for parent in ordered(inputs) if reads_as_image(parent)]
        others = {parent.name: parent for parent in ordered(inputs) if not reads_as_image(parent)}
        fan_in = sum(parent.shape[0] for parent in images) * kernel**2 + total_width(list(others.values()))
        self.images = {parent.name: parent for parent in images}
        self.convolutions = nn.ModuleDict(
            {
                f"from_{p.name}": Conv(p.shape, channels, kernel, stride, start.at(p.name), fan_in=fan_in, bias=False)
                for p in images
            }
        )
        self.others = ParentSum(others, channels, start.at("others"), fan_in=fan_in)

    def forward(self, values: Mapping[str, AxisTensor]) -> AxisTensor:
        """[*union of axes, B, channels, H', W']."""
        if len(self.images) == 1 and not self.others.maps:  # the bias is the convolution's own: one pass less
            (name,) = self.images
            return values[name].mapped(
                partial(self._convolved, name, values[name].axes, self.others.bias), (self, name)
            )
        per_channel = cast(AxisTensor, self.others(values))
        parts = [AxisTensor(per_channel.axes, per_channel.data[..., None, None])]
        for name in self.images:
            parts.append(values[name].mapped(partial(self._convolved, name, values[name].axes, None), (self, name)))
        return add_up(parts)

    def _convolved(self, name: str, axes: tuple[str, ...], bias: Tensor | None, data: Tensor) -> Tensor:
        image = AxisTensor(axes, self.images[name].numbers(AxisTensor(axes, data), self.others.dtype))
        return cast(AxisTensor, self.convolutions[f"from_{name}"](image, bias)).data


class Readout(nn.Module):
    """From a map to outputs: flattened, through the hidden layers, then one linear head per output.

    Without outputs: the last hidden layer, or the map itself where there is none.
    """

    def __init__(
        self, last: Map, outputs: Mapping[str, Map], start: Initializer, spec: Cnn | Resnet, head_gain: float
    ) -> None:
        super().__init__()
        size = prod(last)
        widths = spec.hidden
        self.first = Dense(size, widths[0], start.at("first")) if widths else None
        self.hidden = Hidden(widths, start.at("hidden"), spec) if widths else None
        self.heads = Heads(widths[-1] if widths else size, outputs, start.at("head"), head_gain) if outputs else None

    def forward(self, value: AxisTensor, noise: Noise) -> dict[str, AxisTensor]:
        if self.first is not None and self.hidden is not None:
            value = cast(AxisTensor, self.hidden([self.first(flattened(value))], noise))
        if self.heads is None:
            return {VALUE: value}
        return cast(dict[str, AxisTensor], self.heads(value if self.hidden is not None else flattened(value)))


class CnnNetwork(Network):
    """Convolutions over image parents, hidden layers, heads."""

    def __init__(
        self,
        spec: Cnn,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, Map],
        start: Initializer,
        head_gain: float = 1.0,
    ) -> None:
        super().__init__()
        image = next(parent for parent in ordered(inputs) if reads_as_image(parent))
        maps = conv_plan(image.shape, spec.channels, spec.kernel, spec.stride)
        self.inputs = Inputs(inputs, start.at("input"), spec)
        self.first = FirstConv(inputs, spec.channels[0], spec.kernel, spec.stride, start.at("first"))
        self.between = nn.ModuleList(between(m[0], start.at(f"{i}"), spec) for i, m in enumerate(maps))
        self.convolutions = nn.ModuleList(
            Conv(source, channels, spec.kernel, spec.stride, start.at(f"{i + 1}"))
            for i, (source, channels) in enumerate(zip(maps, spec.channels[1:], strict=False))
        )
        self.readout = Readout(maps[-1], outputs, start.at("readout"), spec, head_gain)

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        value = call(self.between[0], cast(AxisTensor, self.first(self.inputs(values, noise))), noise)
        for convolution, after in zip(self.convolutions, self.between[1:], strict=True):
            value = call(after, cast(AxisTensor, convolution(value)), noise)
        return cast(dict[str, AxisTensor], self.readout(value, noise))


class Seed(nn.Module):
    """From all parents, through the hidden layers if any, to the first map of a network that grows an image."""

    def __init__(
        self, inputs: Mapping[str, ParentInput], seed: Map, hidden: tuple[int, ...], start: Initializer, spec: Layered
    ) -> None:
        super().__init__()
        self.shape = seed
        self.inputs = Inputs(inputs, start.at("input"), spec)
        self.first = ParentSum(inputs, hidden[0] if hidden else prod(seed), start.at("first"))
        self.hidden = Hidden(hidden, start.at("hidden"), spec) if hidden else None
        self.last = Dense(hidden[-1], prod(seed), start.at("last")) if hidden else None

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> AxisTensor:
        """[*axes, B, C, h, w], before normalization and activation."""
        values = self.inputs(values, noise)
        if self.hidden is None or self.last is None:
            return shaped(self.first(values), self.shape)
        hidden = self.hidden(self.first.parts(values), noise)
        return shaped(cast(AxisTensor, self.last(hidden)), self.shape)


class DeconvNetwork(Network):
    """A seed map, transposed convolutions, the last of them one per output; cropped to the output's sides."""

    def __init__(
        self,
        spec: Deconv,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, Map],
        start: Initializer,
        head_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.shapes = dict(outputs)
        plan = deconv_plan(next(iter(outputs.values()))[:3], spec.channels, spec.stride)
        maps = (plan.seed, *plan.layers[:-1])
        self.seed = Seed(inputs, plan.seed, spec.hidden, start.at("seed"), spec)
        self.between = nn.ModuleList(between(m[0], start.at(f"{i}"), spec) for i, m in enumerate(maps))
        self.convolutions = nn.ModuleList(
            TransposedConv(source, target[0], spec.kernel, spec.stride, start.at(f"{i + 1}"))
            for i, (source, target) in enumerate(pairwise(maps))
        )
        self.heads = nn.ModuleDict(
            {
                f"to_{name}": TransposedConv(
                    maps[-1], head_channels(s), spec.kernel, spec.stride, start.at(f"head/{name}"), gain=head_gain
                )
                for name, s in outputs.items()
            }
        )

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        value = call(self.between[0], cast(AxisTensor, self.seed(values, noise)), noise)
        for convolution, after in zip(self.convolutions, self.between[1:], strict=True):
            value = call(after, cast(AxisTensor, convolution(value)), noise)
        return {n: as_image(cast(AxisTensor, self.heads[f"to_{n}"](value)), s) for n, s in self.shapes.items()}


def reads_as_image(parent: ParentInput) -> bool:
    """[C, H, W] of numbers; an image of classes enters through its table."""
    return is_image(parent.shape) and parent.encoding != "table"


def head_channels(shape: Map) -> int:
    """Channels of a head: one per channel of the output, times the classes where there is a value per class."""
    assert len(shape) in (3, 4), f"an output of shape {shape} cannot be grown as an image"
    return shape[0] * (shape[3] if len(shape) == 4 else 1)


def as_image(value: AxisTensor, shape: Map) -> AxisTensor:
    """A head's map [*axes, B, C * K, H', W'] cropped to [*axes, B, C, H, W] or [*axes, B, C, H, W, K]."""
    data = cropped(value.data, shape[1:3])
    if len(shape) == 4:
        data = data.reshape(*data.shape[:-3], shape[0], shape[3], *data.shape[-2:]).movedim(-3, -1)
    return AxisTensor(value.axes, data)


def flattened(value: AxisTensor) -> AxisTensor:
    """[*axes, B, C, H, W] as [*axes, B, C * H * W]."""
    return AxisTensor(value.axes, value.data.flatten(len(value.axes) + 1))
