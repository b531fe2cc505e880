"""deconv, and how networks that grow an image begin."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from compiler.kernels import add_up
from compiler.networks.blueprint import Blueprint, network_kind, style_of
from compiler.networks.conv_layers import Map, TransposedConv, as_image, head_channels
from compiler.networks.initialization import Initializer
from compiler.networks.interface import ParentInput, Setup, by_name, in_line
from compiler.networks.layers import Between, LayeredNetwork, Style
from compiler.networks.linear import ParentSum, shaped
from compiler.networks.mlp import Dense, Hidden
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Deconv
from graphspec.language.shapes import deconv_plan


class Seed(nn.Module):
    """From all parents, through the hidden layers if any, to the first map of a network that grows an image."""

    def __init__(
        self, inputs: Mapping[str, ParentInput], seed: Map, hidden: Sequence[int], start: Initializer, style: Style
    ) -> None:
        super().__init__()
        self.shape = seed
        self.first = ParentSum(inputs, hidden[0] if hidden else prod(seed), start.at("first"))
        self.hidden = Hidden(hidden, start.at("hidden"), style) if hidden else None
        self.last = Dense(hidden[-1], prod(seed), start.at("last")) if hidden else None

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> Tensor:
        """[*lead, C, h, w], before normalization and activation."""
        parts = self.first.parts(entered)
        if self.hidden is None or self.last is None:
            return shaped(add_up(parts), self.shape)
        return shaped(self.last(self.hidden(parts, layout)), self.shape)


class GrowingNetwork(LayeredNetwork):
    """A network whose first map, [C, h, w], is a seed made from all parents."""

    def __init__(self, setup: Setup, seed: Map, hidden: Sequence[int], style: Style) -> None:
        start = setup.start.at("seed")
        super().__init__(setup, start.at("input").path, style)
        self.seed = Seed(self.inputs, seed, hidden, start, style)

    def read(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """[*lead, width] of the seed's first layer."""
        return self.seed.first.enter(name, value, layout)


class DeconvNetwork(GrowingNetwork):
    """A seed map, transposed convolutions, the last of them one per output; cropped to the output's sides.

    maps: [C, H, W] of the seed and after each transposed convolution but the last.
    """

    def __init__(
        self, setup: Setup, maps: Sequence[Map], kernel: int, stride: int, hidden: Sequence[int], style: Style
    ) -> None:
        super().__init__(setup, maps[0], hidden, style)
        self.between = in_line(Between(m[0], setup.start.at(f"{i}"), style) for i, m in enumerate(maps))
        self.convolutions = in_line(
            TransposedConv(source, target[0], kernel, stride, setup.start.at(f"{i + 1}"))
            for i, (source, target) in enumerate(pairwise(maps))
        )
        self.heads = by_name(
            {
                f"to_{n}": TransposedConv(
                    maps[-1], head_channels(s), kernel, stride, setup.start.at(f"head/{n}"), gain=setup.head_gain
                )
                for n, s in self.shapes.items()
            }
        )

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        maps: Tensor = self.between[0](self.seed.finish(entered, layout), layout)
        for index, convolution in enumerate(self.convolutions, start=1):
            maps = self.between[index](convolution(maps), layout)
        return {name: as_image(self.heads[f"to_{name}"](maps), shape) for name, shape in self.shapes.items()}


@network_kind("deconv")
def _deconv(spec: Deconv, setup: Setup) -> Blueprint:
    plan = deconv_plan(next(iter(setup.outputs.values()))[:3], spec.channels, spec.stride)
    options = {"maps": (plan.seed, *plan.layers[:-1]), "kernel": spec.kernel, "stride": spec.stride}
    return Blueprint(DeconvNetwork, options | {"hidden": spec.hidden, "style": style_of(spec)})
