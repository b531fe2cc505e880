"""Arithmetic of shapes: what a value looks like before anything is built.

A shape that cannot be is a `ShapeProblem`, which the caller locates. The compiler's networks call the same functions,
so what `check` promises is what runs. Convolutions pad so that a side of n pixels with stride s becomes ceil(n / s),
whatever the kernel. Maps that grow start from a seed whose sides round up, multiply by the stride in every layer, and
are cropped at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

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


def size_of(shape: Shape) -> int:
    """Number of elements; 1 for a scalar."""
    return prod(shape)


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
