"""cnn, deconv, resnet: networks that read images or grow them."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from graphspec.language.base import WIDTHS_JSON, Size, Widths, one_or_many
from graphspec.language.networks.network_kind import (
    Asked,
    LayeredKind,
    Reading,
    Shapes,
    Work,
    dense_layers,
    first_layer,
)
from graphspec.language.shapes import (
    RESNET_STRIDE,
    Shape,
    ShapeProblem,
    conv_plan,
    deconv_plan,
    is_image,
    show,
    size_of,
)

Channels = Annotated[Widths, WIDTHS_JSON]
MaybeWidths = Annotated[tuple[Size, ...], BeforeValidator(one_or_many), WIDTHS_JSON]


class _Convolutional(LayeredKind):
    channels: Channels = Field(description="Channels of each convolution, in the order that data flows.")
    kernel: Size = Field(default=3, description="Side of the convolution kernel in pixels.")
    stride: Size = Field(default=2, description="Step of each convolution: 2 halves (or doubles) the sides.")
    hidden: MaybeWidths = Field(
        default=(), description="Fully connected layers after (cnn) or before (deconv) the convolutions."
    )


class Cnn(_Convolutional):
    """Convolutions over image parents; every other parent is a bias per channel of the first layer."""

    kind: Literal["cnn"]

    def check_inputs(self, parents: Shapes) -> None:
        image_for(self.kind, parents)

    def feature_shape(self, parents: Shapes) -> Shape:
        image = image_for(self.kind, parents)
        return (self.hidden[-1],) if self.hidden else conv_plan(image, self.channels, self.kernel, self.stride)[-1]

    def context_shape(self, parents: Shapes, target: Shape, width: int) -> tuple[Shape, bool]:
        return self.feature_shape(parents), True

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        return reading(parents, self.channels, self.kernel, self.stride, self.hidden, asked)[0]


class Deconv(_Convolutional):
    """A seed map from all parents, then transposed convolutions; cropped to the output's sides."""

    kind: Literal["deconv"]

    def check_output(self, parents: Shapes, target: Shape) -> None:
        check_grown(self.kind, target)

    def context_shape(self, parents: Shapes, target: Shape, width: int) -> tuple[Shape, bool]:
        return target, False

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        plan = deconv_plan(asked.target, self.channels, self.stride)
        # a transposed convolution reads each pixel of the smaller map once; it crops after its heads
        heads = asked.numbers // prod(plan.output[1:]) * prod(plan.layers[-1][1:])
        return growing(parents, self.channels, self.kernel, self.stride, self.hidden, asked, self.stride**2, heads)[0]


class Resnet(LayeredKind):
    """Residual blocks; `direction: up` grows an image from a seed map, `down` reads one."""

    kind: Literal["resnet"]
    channels: Channels = Field(description="Channels per stage; each stage halves (down) or doubles (up) the sides.")
    blocks: Size = Field(default=2, description="Residual blocks per stage.")
    direction: Literal["down", "up"] = Field(default="down", description="Read an image (down) or grow one (up).")
    hidden: MaybeWidths = Field(
        default=(), description="Fully connected layers after (down) or before (up) the blocks."
    )
    kernel: Size = Field(default=3, description="Side of the convolution kernels in pixels (odd).")

    def check_inputs(self, parents: Shapes) -> None:
        if self.direction == "down":
            image_for(self.kind, parents)

    def check_output(self, parents: Shapes, target: Shape) -> None:
        if self.direction == "up":
            check_grown("resnet with `direction: up`", target)

    def feature_shape(self, parents: Shapes) -> Shape:
        if self.direction == "up":
            return super().feature_shape(parents)
        image = image_for(self.kind, parents)
        return (self.hidden[-1],) if self.hidden else conv_plan(image, self.channels, self.kernel, RESNET_STRIDE)[-1]

    def context_shape(self, parents: Shapes, target: Shape, width: int) -> tuple[Shape, bool]:
        return (self.feature_shape(parents), True) if self.direction == "down" else (target, False)

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        if self.direction == "down":
            work, maps = reading(parents, self.channels, self.kernel, RESNET_STRIDE, self.hidden, asked)
        else:
            work, maps = growing(
                parents, self.channels, self.kernel, RESNET_STRIDE, self.hidden, asked, 1, asked.numbers
            )
        return work + self._blocks(maps, asked.joint)

    def _blocks(self, maps: Iterable[Shape], joint: int) -> Work:
        """Two convolutions per residual block, on the map of its stage."""
        count = 2 * self.blocks
        products = sum(shape[0] * self.kernel**2 * size_of(shape) for shape in maps)
        weights = count * sum(shape[0] ** 2 * self.kernel**2 for shape in maps)
        return Work(joint * count * products, joint * count * sum(map(size_of, maps)), weights)


def image_for(kind: str, parents: Shapes) -> Shape:
    """The shape of the images that a network reads. Raises ShapeProblem where there is none, or of several sides."""
    images = {name: shape for name, shape in parents.items() if is_image(shape)}
    if not images:
        listed = ", ".join(f"{name} is {show(shape)}" for name, shape in parents.items())
        raise ShapeProblem(
            f"{kind} reads an image [channels, height, width], and no parent is one"
            + (f": {listed}" if listed else ""),
            "use mlp, or give a parent an image's shape",
            "GS062",
        )
    if len({shape[1:] for shape in images.values()}) > 1:
        listed = ", ".join(f"{name} {show(shape)}" for name, shape in images.items())
        raise ShapeProblem(
            f"{kind} adds up its images, so they need the same height and width: {listed}",
            "let one of them pass through a deterministic variable with the other's sides",
            "GS062",
        )
    return next(iter(images.values()))


def check_grown(kind: str, target: Shape) -> None:
    """Raises ShapeProblem where what is to be grown is no image."""
    if not is_image(target):
        raise ShapeProblem(
            f"{kind} grows an image [channels, height, width], and this is {show(target)}",
            "use mlp, or give the variable an image's shape",
            "GS063",
        )


def reading(
    parents: Mapping[str, Reading], channels: Shape, kernel: int, stride: int, hidden: Shape, asked: Asked
) -> tuple[Work, tuple[Shape, ...]]:
    """Convolutions over images, hidden layers, heads; and the maps."""
    images = [parent for parent in parents.values() if is_image(parent.shape) and not parent.table]
    maps, area, joint = conv_plan(images[0].shape, channels, kernel, stride), kernel**2, asked.joint
    first = sum(image.repeats * image.shape[0] * area * size_of(maps[0]) for image in images)
    weights = sum(image.shape[0] for image in images) * area * maps[0][0]
    work = Work(first, joint * size_of(maps[0]), weights)
    for before, after in pairwise(maps):
        weights = before[0] * area * after[0]
        work += Work(joint * before[0] * area * size_of(after), joint * size_of(after), weights)
    return work + dense_layers((size_of(maps[-1]), *hidden, asked.numbers), joint), maps


def growing(
    parents: Mapping[str, Reading], channels: Shape, kernel: int, stride: int, hidden: Shape, asked: Asked,
    shrunk: int, heads: int,
) -> tuple[Work, tuple[Shape, ...]]:  # fmt: skip
    """A seed, convolutions, heads; and the maps. shrunk: pixels of a grown map per pixel that is read; heads: numbers
    that the heads make."""
    plan, area, joint = deconv_plan(asked.target, channels, stride), kernel**2, asked.joint
    maps = (plan.seed, *plan.layers[:-1])
    widths = (*hidden, size_of(plan.seed))
    work = first_layer(parents, widths[0]) + dense_layers(widths, joint)
    for before, after in pairwise(maps):
        weights = before[0] * area * after[0]
        work += Work(joint * before[0] * area * size_of(after) // shrunk, joint * size_of(after), weights)
    weights = maps[-1][0] * area * (asked.numbers // prod(asked.target[1:]))
    return work + Work(joint * maps[-1][0] * area * heads // shrunk, joint * asked.numbers, weights), maps
