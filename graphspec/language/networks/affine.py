"""affine_read and affine_write: a window of a picture at a pose that the model infers."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from graphspec.language.base import as_tuple
from graphspec.language.networks.network_kind import Asked, Reading, Shapes, Work
from graphspec.language.networks.weightless import Weightless
from graphspec.language.shapes import POSE, Shape, ShapeProblem, is_image, show

Pixels = Annotated[float, Field(gt=0)]
Sides = Annotated[
    tuple[Pixels, Pixels],
    BeforeValidator(as_tuple),
    WithJsonSchema({"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 2, "maxItems": 2}),
]


class Affine(Weightless):
    """A window in a larger picture, at a pose of three numbers: log-scale, x (to the right), y (down).

    A pose of zeros is the window in the middle. Without more, it is then the whole picture, exp(log-scale) of it at
    other poses, and x, y = 1 is the picture's edge.
    """

    image: str
    pose: str
    side: Sides | None = Field(
        default=None,
        description="The window's longer side, in pixels of the larger picture, where the first number of the pose is "
        "0 and where it is 1; in between and beyond, its logarithm is a straight line. The window then has the "
        "proportions of the smaller picture.",
    )
    reach: Pixels | None = Field(
        default=None,
        description="Pixels of the larger picture from its middle to the window's, where x or y is 1. Left out: half "
        "of the picture's side.",
    )
    names_parents: ClassVar[tuple[str, ...]] = ("image", "pose")

    def direct_shape(self, parents: Shapes, target: Shape | None) -> Shape:
        for name in parents:
            if name not in (self.image, self.pose):
                raise ShapeProblem(f"{self.kind} reads its image and its pose only, and {name} is neither")
        image, pose = parents.get(self.image), parents.get(self.pose)
        if image is not None and not is_image(image):
            raise ShapeProblem(f"{self.kind}: the image {self.image} is {show(image)}, not [channels, height, width]")
        if pose is not None and pose != POSE:
            raise ShapeProblem(
                f"{self.kind}: the pose {self.pose} is {show(pose)}, not [3]", "a pose is log-scale, x and y"
            )
        if target is None:
            raise ShapeProblem(f"{self.kind} does not tell the shape", "declare it: `shape: [1, 28, 28]`", "GS065")
        if not is_image(target) or (image is not None and image[0] != target[0]):
            kept = f"{self.image} {show(image)}" if image else self.image
            raise ShapeProblem(f"{self.kind} keeps the channels of {kept}, and this is {show(target)}")
        return target

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        """Rows are sampled first, then columns: two products of matrices a channel."""
        channels, height, width = parents[self.image].shape
        _, down, across = asked.target
        products = channels * (down * height * width + down * width * across)
        return Work(asked.joint * products, asked.joint * asked.numbers)


class AffineRead(Affine):
    """Reads the window of `image` at a pose; no weights. Pixels outside of the image are zero."""

    kind: Literal["affine_read"]
    image: str = Field(description="The parent that is the larger picture, of which a window is read.")
    pose: str = Field(description="The parent of size 3: log-scale, x to the right, y down.")


class AffineWrite(Affine):
    """Paints `image` into the window of an empty canvas at a pose; no weights. What lies outside is cut off."""

    kind: Literal["affine_write"]
    image: str = Field(description="The parent that is painted.")
    pose: str = Field(description="The parent of size 3: log-scale, x to the right, y down.")
