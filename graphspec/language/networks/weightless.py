"""Kinds of networks without weights: what they compute is the parameter itself, or a deterministic variable's value."""

from abc import abstractmethod
from typing import ClassVar, Literal

from pydantic import Field

from graphspec.language.base import Names
from graphspec.language.networks.network_kind import NetworkKind, Shapes
from graphspec.language.shapes import Shape, ShapeProblem, broadcast, dot_shape


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
