"""Kinds of networks without weights: what they compute is the parameter itself, or a deterministic variable's value."""

from abc import abstractmethod
from typing import ClassVar, Literal

from pydantic import Field

from graphspec.language.base import Names
from graphspec.language.networks.network_kind import NetworkKind, Shapes
from graphspec.language.shapes import POSE, Shape, ShapeProblem, broadcast, dot_shape, is_image, show


class Weightless(NetworkKind):
    """A computation without weights."""

    own_units: ClassVar[bool] = True

    @abstractmethod
    def direct_shape(self, parents: Shapes, target: Shape | None) -> Shape:
        """Shape of the result, before it is spread over `target`.

        target: the declared shape; only affine_read and affine_write need it (None: not known). Raises ShapeProblem for
        the wrong number of parents or shapes that cannot meet.
        """

    def feature_shape(self, parents: Shapes) -> Shape:
        return self.direct_shape(parents, None)

    def _exactly(self, count: int, parents: Shapes) -> None:
        if len(parents) != count:
            parts = {1: "one parent", 2: "two parents"}
            listed = f": {', '.join(parents)}" if parents else ""
            raise ShapeProblem(f"{self.kind} reads exactly {parts[count]}, and here are {len(parents)}{listed}")


class Identity(Weightless):
    """The one parent itself is the parameter; no weights, no head, no link."""

    kind: Literal["identity"]

    def direct_shape(self, parents: Shapes, target: Shape | None) -> Shape:
        self._exactly(1, parents)
        return next(iter(parents.values()))


class _Elementary(Weightless):
    def direct_shape(self, parents: Shapes, target: Shape | None) -> Shape:
        if not parents:
            raise ShapeProblem(f"{self.kind} has nothing to read", "name its parents")
        return broadcast(parents)


class Product(_Elementary):
    """The elementwise product of the parents (broadcast) is the parameter; no weights."""

    kind: Literal["product"]


class SumOf(_Elementary):
    """The elementwise sum of the parents (broadcast), or their difference, is the parameter; no weights."""

    names_parents: ClassVar[tuple[str, ...]] = ("minus",)
    kind: Literal["sum"]
    minus: Names = Field(default=(), description="Parents that are subtracted, each as it is written there.")
    minimum: float | None = Field(default=None, description="Clamp the result from below.")
    maximum: float | None = Field(default=None, description="Clamp the result from above.")


class Dot(Weightless):
    """The inner product of two parents along the first axis (kept, of size one); no weights."""

    kind: Literal["dot"]
    minimum: float | None = Field(default=None, description="Clamp the result from below, for example 0.")
    maximum: float | None = Field(default=None, description="Clamp the result from above.")

    def direct_shape(self, parents: Shapes, target: Shape | None) -> Shape:
        self._exactly(2, parents)
        first, second = parents.values()
        return dot_shape(first, second)


class Affine(Weightless):
    """Bilinear sampling of an image at a pose."""

    image: str
    pose: str
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


class AffineRead(Affine):
    """Reads a window of `image` at the affine `pose` (scale, x, y) by bilinear sampling; no weights."""

    kind: Literal["affine_read"]
    image: str = Field(description="The parent that is the image to read from.")
    pose: str = Field(description="The parent of size 3: log-scale, x, y in [-1, 1] coordinates.")


class AffineWrite(Affine):
    """Places `image` on the output canvas at the affine `pose` (scale, x, y); no weights."""

    kind: Literal["affine_write"]
    image: str = Field(description="The parent that is the image to place.")
    pose: str = Field(description="The parent of size 3: log-scale, x, y in [-1, 1] coordinates.")
