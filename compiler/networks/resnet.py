"""resnet: residual blocks that read an image (down) or grow one (up), activations first (He et al. 2016)."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from compiler.networks.blueprint import Blueprint, network_kind, style_of
from compiler.networks.cnn import FirstConv, Readout, first_image
from compiler.networks.conv_layers import Conv, Map, as_image, cropped, head_channels, on_rows
from compiler.networks.deconv import GrowingNetwork
from compiler.networks.initialization import Initializer
from compiler.networks.interface import Setup, by_name, in_line
from compiler.networks.layers import Between, LayeredNetwork, Style
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Resnet
from graphspec.language.shapes import RESNET_STRIDE, conv_plan, deconv_plan

BRANCH_GAIN = 0.1
"""Gain of each branch's last convolution: blocks start near the identity, so depth is safe without normalization."""


class Block(nn.Module):
    """maps + branch(maps), the branch two convolutions with what the architecture puts before each."""

    def __init__(self, shape: Map, kernel: int, start: Initializer, style: Style) -> None:
        super().__init__()
        self.before = in_line(Between(shape[0], start.at(f"{i}"), style) for i in range(2))
        self.convolutions = in_line(
            Conv(shape, shape[0], kernel, 1, start.at(f"{i}"), gain=gain) for i, gain in enumerate((1.0, BRANCH_GAIN))
        )

    def forward(self, maps: Tensor, layout: Lead) -> Tensor:
        """[*lead, C, H, W] to the same."""
        branch = maps
        for before, convolution in zip(self.before, self.convolutions, strict=True):
            branch = convolution(before(branch, layout))
        return maps + branch


class Stage(nn.Module):
    """Blocks on maps of one shape, then the activation that ends them."""

    def __init__(self, shape: Map, kernel: int, blocks: int, start: Initializer, style: Style) -> None:
        super().__init__()
        self.blocks = in_line(Block(shape, kernel, start.at(f"block{i}"), style) for i in range(blocks))
        self.after = Between(shape[0], start.at("after"), style)

    def forward(self, maps: Tensor, layout: Lead) -> Tensor:
        """[*lead, C, H, W] to the same."""
        for block in self.blocks:
            maps = block(maps, layout)
        ended: Tensor = self.after(maps, layout)
        return ended


class ResnetDown(LayeredNetwork):
    """Each stage: a convolution that halves the sides, then blocks. Parents enter as in a cnn. maps: [C, H, W] of each
    stage."""

    def __init__(
        self, setup: Setup, maps: Sequence[Map], kernel: int, blocks: int, hidden: Sequence[int], style: Style
    ) -> None:
        super().__init__(setup, setup.start.at("input").path, style)
        self.first = FirstConv(self.inputs, maps[0][0], kernel, 2, setup.start.at("first"))
        self.stages = in_line(Stage(m, kernel, blocks, setup.start.at(f"stage{i}"), style) for i, m in enumerate(maps))
        self.halvings = in_line(
            Conv(source, target[0], kernel, 2, setup.start.at(f"halving{i}"))
            for i, (source, target) in enumerate(pairwise(maps))
        )
        self.readout = Readout(maps[-1], self.shapes, setup.start.at("readout"), setup.head_gain, hidden, style)

    def read(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """An image's first maps, or another parent's bias per channel."""
        return self.first.enter(name, value, layout)

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        maps: Tensor = self.stages[0](self.first.finish(entered), layout)
        for index, halving in enumerate(self.halvings, start=1):
            maps = self.stages[index](halving(maps), layout)
        outputs: dict[str, Tensor] = self.readout(maps, layout)
        return outputs


class ResnetUp(GrowingNetwork):
    """A seed map; each stage: blocks, then sides doubled by repetition and a convolution, the last of them one per
    output. Blocks work on the smaller sides, where they are cheap. maps: [C, H, W] of each stage."""

    def __init__(
        self, setup: Setup, maps: Sequence[Map], kernel: int, blocks: int, hidden: Sequence[int], style: Style
    ) -> None:
        super().__init__(setup, maps[0], hidden, style)
        self.sides = next(iter(self.shapes.values()))[1:3]
        self.stages = in_line(Stage(m, kernel, blocks, setup.start.at(f"stage{i}"), style) for i, m in enumerate(maps))
        self.convolutions = in_line(
            Conv((source[0], *target[1:]), target[0], kernel, 1, setup.start.at(f"doubling{i}"))
            for i, (source, target) in enumerate(pairwise(maps))
        )
        before_heads = (maps[-1][0], *self.sides)
        self.heads = by_name(
            {
                f"to_{n}": Conv(
                    before_heads, head_channels(s), kernel, 1, setup.start.at(f"head/{n}"), gain=setup.head_gain
                )
                for n, s in self.shapes.items()
            }
        )

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        maps: Tensor = self.stages[0](self.seed.finish(entered, layout), layout)
        for index, convolution in enumerate(self.convolutions, start=1):
            maps = self.stages[index](convolution(doubled(maps)), layout)
        grown = cropped(doubled(maps), self.sides)
        return {name: as_image(self.heads[f"to_{name}"](grown), shape) for name, shape in self.shapes.items()}


def doubled(maps: Tensor) -> Tensor:
    """Each pixel repeated: [*lead, C, H, W] to [*lead, C, 2 H, 2 W]."""
    return on_rows(partial(F.interpolate, scale_factor=2, mode="nearest"), maps)


@network_kind("resnet")
def _resnet(spec: Resnet, setup: Setup) -> Blueprint:
    options = {"kernel": spec.kernel, "blocks": spec.blocks, "hidden": spec.hidden, "style": style_of(spec)}
    if spec.direction == "down":
        maps = conv_plan(first_image(setup.inputs), spec.channels, spec.kernel, RESNET_STRIDE)
        return Blueprint(ResnetDown, {"maps": maps} | options)
    plan = deconv_plan(next(iter(setup.outputs.values()))[:3], spec.channels, RESNET_STRIDE)
    return Blueprint(ResnetUp, {"maps": (plan.seed, *plan.layers[:-1])} | options)
