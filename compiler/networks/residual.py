"""resnet: residual blocks that read an image (down) or grow one (up), activations first (He et al. 2016)."""

from collections.abc import Mapping
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from torch import nn

from compiler.networks.conv_layers import Conv, Map, cropped
from compiler.networks.convolution import FirstConv, Readout, Seed, as_image, head_channels, reads_as_image
from compiler.networks.initialization import Initializer
from compiler.networks.interface import Network, ParentInput, ordered
from compiler.networks.layers import Inputs, as_rows, between, call, from_rows
from compiler.tensors.axes import AxisTensor
from compiler.tensors.noise import Noise
from graphspec.graphs.shapes import RESNET_STRIDE, conv_plan, deconv_plan
from graphspec.language.networks import Resnet

BRANCH_GAIN = 0.1
"""Gain of each branch's last convolution: blocks start near the identity, so depth is safe without normalization."""


class Block(nn.Module):
    """value + branch(value), the branch two convolutions with what the architecture puts before each."""

    def __init__(self, shape: Map, kernel: int, start: Initializer, spec: Resnet) -> None:
        super().__init__()
        self.before = nn.ModuleList(between(shape[0], start.at(f"{i}"), spec) for i in range(2))
        self.convolutions = nn.ModuleList(
            Conv(shape, shape[0], kernel, 1, start.at(f"{i}"), gain=gain) for i, gain in enumerate((1.0, BRANCH_GAIN))
        )

    def forward(self, value: AxisTensor, noise: Noise) -> AxisTensor:
        """[*axes, B, C, H, W] to the same."""
        branch = value
        for before, convolution in zip(self.before, self.convolutions, strict=True):
            branch = cast(AxisTensor, convolution(call(before, branch, noise)))
        return AxisTensor(value.axes, value.data + branch.data)


class Stage(nn.Module):
    """Blocks on maps of one shape, then the activation that ends them."""

    def __init__(self, shape: Map, start: Initializer, spec: Resnet) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(shape, spec.kernel, start.at(f"block{i}"), spec) for i in range(spec.blocks))
        self.after = between(shape[0], start.at("after"), spec)

    def forward(self, value: AxisTensor, noise: Noise) -> AxisTensor:
        """[*axes, B, C, H, W] to the same."""
        for block in self.blocks:
            value = call(block, value, noise)
        return call(self.after, value, noise)


class ResnetDown(Network):
    """Each stage: a convolution that halves the sides, then blocks. Parents enter as in a cnn."""

    def __init__(
        self,
        spec: Resnet,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, Map],
        start: Initializer,
        head_gain: float = 1.0,
    ) -> None:
        super().__init__()
        image = next(parent for parent in ordered(inputs) if reads_as_image(parent))
        maps = conv_plan(image.shape, spec.channels, spec.kernel, RESNET_STRIDE)
        self.inputs = Inputs(inputs, start.at("input"), spec)
        self.first = FirstConv(inputs, spec.channels[0], spec.kernel, RESNET_STRIDE, start.at("first"))
        self.stages = nn.ModuleList(Stage(m, start.at(f"stage{i}"), spec) for i, m in enumerate(maps))
        self.halvings = nn.ModuleList(
            Conv(source, channels, spec.kernel, RESNET_STRIDE, start.at(f"halving{i}"))
            for i, (source, channels) in enumerate(zip(maps, spec.channels[1:], strict=False))
        )
        self.readout = Readout(maps[-1], outputs, start.at("readout"), spec, head_gain)

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        value = call(self.stages[0], cast(AxisTensor, self.first(self.inputs(values, noise))), noise)
        for halving, stage in zip(self.halvings, self.stages[1:], strict=True):
            value = call(stage, cast(AxisTensor, halving(value)), noise)
        return cast(dict[str, AxisTensor], self.readout(value, noise))


class ResnetUp(Network):
    """A seed map; each stage: blocks, then sides doubled by repetition and a convolution, the last of them one per
    output. Blocks work on the smaller sides, where they are cheap."""

    def __init__(
        self,
        spec: Resnet,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, Map],
        start: Initializer,
        head_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.shapes = dict(outputs)
        plan = deconv_plan(next(iter(outputs.values()))[:3], spec.channels, RESNET_STRIDE)
        maps = (plan.seed, *plan.layers[:-1])
        self.output_sides = plan.output[1:]
        self.seed = Seed(inputs, plan.seed, spec.hidden, start.at("seed"), spec)
        self.stages = nn.ModuleList(Stage(m, start.at(f"stage{i}"), spec) for i, m in enumerate(maps))
        self.convolutions = nn.ModuleList(
            Conv((source[0], *target[1:]), target[0], spec.kernel, 1, start.at(f"doubling{i}"))
            for i, (source, target) in enumerate(pairwise(maps))
        )
        before_heads = (maps[-1][0], *self.output_sides)
        self.heads = nn.ModuleDict(
            {
                f"to_{n}": Conv(before_heads, head_channels(s), spec.kernel, 1, start.at(f"head/{n}"), gain=head_gain)
                for n, s in outputs.items()
            }
        )

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        value = call(self.stages[0], cast(AxisTensor, self.seed(values, noise)), noise)
        for convolution, stage in zip(self.convolutions, self.stages[1:], strict=True):
            value = call(stage, cast(AxisTensor, convolution(doubled(value))), noise)
        grown = doubled(value)
        grown = AxisTensor(grown.axes, cropped(grown.data, self.output_sides))
        return {n: as_image(cast(AxisTensor, self.heads[f"to_{n}"](grown)), s) for n, s in self.shapes.items()}


def doubled(value: AxisTensor) -> AxisTensor:
    """Each pixel repeated: [*axes, B, C, H, W] to [*axes, B, C, 2 H, 2 W]."""
    return from_rows(F.interpolate(as_rows(value), scale_factor=RESNET_STRIDE, mode="nearest"), value)
