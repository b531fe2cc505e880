"""Shapes through networks, in plain arithmetic: what a value looks like before anything is built.

From: an architecture and the event shapes of its parents. To: the shape of its result. The compiler's torch networks
call the same functions, so what `check` promises is what runs. Not here: places in the spec; a shape that cannot be
is a `ShapeProblem`, which the caller locates.

Convolutions pad so that a side of n pixels with stride s becomes ceil(n / s), whatever the kernel. Maps that grow
start from a seed whose sides round up, multiply by the stride in every layer, and are cropped at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from graphspec.graphs.graph import Variable
from graphspec.language import NetworkSpec
from graphspec.language.families import ParameterInfo
from graphspec.language.networks import (
    AffineRead,
    AffineWrite,
    Cnn,
    Deconv,
    Dot,
    Elementwise,
    Gru,
    Identity,
    Linear,
    Mlp,
    Product,
    PythonNetwork,
    Resnet,
    SumOf,
)

Shape = tuple[int, ...]
RESNET_STRIDE = 2
POSE = (3,)


class ShapeProblem(Exception):
    """Shapes that cannot meet. `message` says which; `hint` what to do."""

    def __init__(self, message: str, hint: str = "", code: str = "GS061") -> None:
        super().__init__(message)
        self.message, self.hint, self.code = message, hint, code


def show(shape: Shape) -> str:
    """`[3, 32, 32]`; a scalar says so."""
    return f"[{', '.join(map(str, shape))}]" if shape else "a scalar"


def is_image(shape: Shape) -> bool:
    """Channels, height, width."""
    return len(shape) == 3


def conv_sides(side: int, kernel: int, stride: int) -> int:
    """Pixels of a side after one convolution: ceil(side / stride)."""
    assert kernel >= 1
    return -(-side // stride)


def conv_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a side that make a convolution's output ceil(side / stride); the odd one goes after."""
    total = max(0, (conv_sides(side, kernel, stride) - 1) * stride + kernel - side)
    return total // 2, total - total // 2


def conv_plan(shape: Shape, channels: Shape, kernel: int, stride: int) -> tuple[Shape, ...]:
    """Maps [C, H, W] after each convolution over an image of `shape`."""
    assert is_image(shape)
    _, height, width = shape
    maps: list[Shape] = []
    for width_of_layer in channels:
        height, width = conv_sides(height, kernel, stride), conv_sides(width, kernel, stride)
        maps.append((width_of_layer, height, width))
    return tuple(maps)


@dataclass(frozen=True)
class DeconvPlan:
    """How a map grows. seed: [C, h, w] of the first map; layers: [C, H, W] after each transposed convolution, the last
    before cropping; output: [C, H, W] after cropping (its channels are those of the variable)."""

    seed: Shape
    layers: tuple[Shape, ...]
    output: Shape


def deconv_plan(shape: Shape, channels: Shape, stride: int) -> DeconvPlan:
    """The seed and every later map for an output of `shape` [C, H, W].

    The seed has channels[0]; layer i turns channels[i] into channels[i + 1], the last one into the output's (the
    compiler multiplies those by the number of heads). Sides of the seed: ceil(side / stride ** len(channels)).
    """
    assert is_image(shape)
    height, width = (-(-side // stride ** len(channels)) for side in shape[1:])
    layers: list[Shape] = []
    for depth, width_of_layer in enumerate((*channels[1:], shape[0]), start=1):
        layers.append((width_of_layer, height * stride**depth, width * stride**depth))
    return DeconvPlan((channels[0], height, width), tuple(layers), shape)


def broadcast(shapes: Mapping[str, Shape]) -> Shape:
    """The common shape of an elementwise operation, axes aligned from the right as in numpy."""
    result: list[int] = []
    for shape in shapes.values():
        result = [1] * (len(shape) - len(result)) + result
        for place, size in enumerate(reversed(shape), start=1):
            if result[-place] not in (1, size) and size != 1:
                listed = ", ".join(f"{name} {show(s)}" for name, s in shapes.items())
                raise ShapeProblem(
                    f"these shapes cannot meet: {listed}", "equal sizes, or 1, on every axis from the right"
                )
            result[-place] = max(result[-place], size)
    return tuple(result)


def fits(shape: Shape, target: Shape) -> bool:
    """A value of `shape` can be spread over `target`: equal sizes or 1 on every axis from the right."""
    padded = (1,) * (len(target) - len(shape)) + shape
    return len(shape) <= len(target) and all(a in (1, b) for a, b in zip(padded, target, strict=True))


def dot_shape(first: Shape, second: Shape) -> Shape:
    """Inner product along the first axis, kept with size one; the others broadcast ([3] with [3, H, W]: [1, H, W])."""
    if not first or not second or first[0] != second[0]:
        raise ShapeProblem(
            f"an inner product needs first axes of one size, not {show(first)} and {show(second)}",
            "dot multiplies along the first axis and adds up",
        )
    return (1, *broadcast({"the first": first[1:], "the second": second[1:]}))


def image_parents(parents: Mapping[str, Shape]) -> dict[str, Shape]:
    """The parents that a convolution reads as images."""
    return {name: shape for name, shape in parents.items() if is_image(shape)}


def _image_for(network: Cnn | Resnet, parents: Mapping[str, Shape]) -> Shape:
    images = image_parents(parents)
    if not images:
        listed = ", ".join(f"{name} is {show(shape)}" for name, shape in parents.items())
        raise ShapeProblem(
            f"{network.kind} reads an image [channels, height, width], and no parent is one"
            + (f": {listed}" if listed else ""),
            "use mlp, or give a parent an image's shape",
            "GS062",
        )
    sides = {shape[1:] for shape in images.values()}
    if len(sides) > 1:
        listed = ", ".join(f"{name} {show(shape)}" for name, shape in images.items())
        raise ShapeProblem(
            f"{network.kind} adds up its images, so they need the same height and width: {listed}",
            "let one of them pass through a deterministic variable with the other's sides",
            "GS062",
        )
    return next(iter(images.values()))


def check_inputs(network: NetworkSpec, parents: Mapping[str, Shape]) -> None:
    """Raises ShapeProblem where the parents are not what this kind of network reads."""
    if isinstance(network, Cnn) or (isinstance(network, Resnet) and network.direction == "down"):
        _image_for(network, parents)


def check_output(network: NetworkSpec, parents: Mapping[str, Shape], target: Shape) -> None:
    """Raises ShapeProblem where this kind of network (with weights) cannot give values of shape `target`."""
    grows = isinstance(network, Deconv) or (isinstance(network, Resnet) and network.direction == "up")
    if grows and not is_image(target):
        kind = "resnet with `direction: up`" if isinstance(network, Resnet) else network.kind
        raise ShapeProblem(
            f"{kind} grows an image [channels, height, width], and this is {show(target)}",
            "use mlp, or give the variable an image's shape",
            "GS063",
        )
    if isinstance(network, Elementwise):
        for name, shape in parents.items():
            if shape != target:
                raise ShapeProblem(
                    f"elementwise: element i reads element i of each parent, but {name} is {show(shape)} and this is "
                    f"{show(target)}",
                    "use linear or mlp, which connect every element with every other",
                )


def feature_shape(network: NetworkSpec, parents: Mapping[str, Shape]) -> Shape:
    """Shape of a deterministic variable that declares none: the last hidden layer, or a weightless network's result.

    mlp: its last width; cnn and resnet: the last of `hidden`, without that the feature map [C, H, W]; gru: its state;
    elementwise and the weightless kinds: what their parents make. Raises ShapeProblem where there is no such layer.
    """
    match network:
        case Mlp() | Cnn() | Resnet(direction="down") if network.hidden:
            check_inputs(network, parents)
            return (network.hidden[-1],)
        case Cnn():
            return conv_plan(_image_for(network, parents), network.channels, network.kernel, network.stride)[-1]
        case Resnet(direction="down"):
            return conv_plan(_image_for(network, parents), network.channels, network.kernel, RESNET_STRIDE)[-1]
        case Gru():
            return (network.hidden,)
        case Elementwise():
            shape = next(iter(parents.values()), ())
            check_output(network, parents, shape)
            return shape
        case Linear() | Mlp() | PythonNetwork() | Deconv() | Resnet():
            why = (
                "has no hidden layer to take the shape from"
                if isinstance(network, Linear | Mlp)
                else "does not tell the shape"
            )
            raise ShapeProblem(
                f"{network.kind} {why}", "give the variable a size, for example `size: 32`, or a shape", "GS065"
            )
        case _:
            return direct_shape(network, parents, None)


def context_shape(network: NetworkSpec, parents: Mapping[str, Shape], target: Shape, width: int) -> tuple[Shape, bool]:
    """What a network gives to a flow over `target` as its context, and whether that is a hidden layer of it.

    mlp, cnn, a resnet that reads, elementwise: what `feature_shape` says. Those that grow an image: a head of the
    target's own shape. linear and a user's own: a head of `width` numbers.
    """
    if isinstance(network, Mlp | Cnn | Elementwise) or (isinstance(network, Resnet) and network.direction == "down"):
        return feature_shape(network, parents), True
    return (target if isinstance(network, Deconv | Resnet) else (width,)), False


def direct_shape(network: NetworkSpec, parents: Mapping[str, Shape], target: Shape | None) -> Shape:
    """Shape that a network without weights gives, before it is spread over `target`.

    target: the declared shape; only affine_read and affine_write need it (None: not known).
    Raises ShapeProblem for the wrong number of parents or shapes that cannot meet.
    """
    match network:
        case Identity():
            _exactly(1, network.kind, parents)
            return next(iter(parents.values()))
        case Product() | SumOf():
            if not parents:
                raise ShapeProblem(f"{network.kind} has nothing to read", "name its parents")
            return broadcast(parents)
        case Dot():
            _exactly(2, network.kind, parents)
            first, second = parents.values()
            return dot_shape(first, second)
        case AffineRead() | AffineWrite():
            return _affine_shape(network, parents, target)
        case _:
            raise AssertionError(f"{network.kind} has weights")


def _exactly(count: int, kind: str, parents: Mapping[str, Shape]) -> None:
    if len(parents) != count:
        parts = {1: "one parent", 2: "two parents"}
        listed = f": {', '.join(parents)}" if parents else ""
        raise ShapeProblem(f"{kind} reads exactly {parts[count]}, and here are {len(parents)}{listed}")


def _affine_shape(network: AffineRead | AffineWrite, parents: Mapping[str, Shape], target: Shape | None) -> Shape:
    for name in parents:
        if name not in (network.image, network.pose):
            raise ShapeProblem(f"{network.kind} reads its image and its pose only, and {name} is neither")
    image, pose = parents.get(network.image), parents.get(network.pose)
    if image is not None and not is_image(image):
        raise ShapeProblem(f"{network.kind}: the image {network.image} is {show(image)}, not [channels, height, width]")
    if pose is not None and pose != POSE:
        raise ShapeProblem(
            f"{network.kind}: the pose {network.pose} is {show(pose)}, not [3]", "a pose is log-scale, x and y"
        )
    if target is None:
        raise ShapeProblem(f"{network.kind} does not tell the shape", "declare it: `shape: [1, 28, 28]`", "GS065")
    if not is_image(target) or (image is not None and image[0] != target[0]):
        kept = f"{network.image} {show(image)}" if image else network.image
        raise ShapeProblem(f"{network.kind} keeps the channels of {kept}, and this is {show(target)}")
    return target


def size_of(shape: Shape) -> int:
    """Number of elements; 1 for a scalar."""
    return prod(shape)


def parameter_shape(variable: Variable, info: ParameterInfo) -> Shape:
    """Event shape of one parameter: per element, per element and class, or one per vector along the first axis."""
    if info.extent == "element":
        return variable.shape
    if info.extent == "vector":
        return (1, *variable.shape[1:])
    assert variable.support is not None, "families with classes are refused where the support is unknown"
    return (*variable.shape, variable.support - (info.extent == "between_classes"))
