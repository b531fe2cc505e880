"""The whole picture as shapes at absolute places: what svg, png, pdf and tikz have in common.

Made by `staging`. Not here: file syntax.
"""

from dataclasses import dataclass
from typing import Literal

from graphspec.drawing.geometry import Curve, Point, RoundedBox
from graphspec.drawing.lettering import Line
from graphspec.drawing.picture import Edge
from graphspec.graphs.graph import Side
from graphspec.language import Role

INK = "#1a1a1a"
QUIET = "#5a5a5a"
RULE = "#d0d0d0"
GREY = "#b9b9b9"
PAPER = "#ffffff"
STROKE = 1.4

Kind = Literal["edge", "neighbour", "count"]
DASHES: dict[Kind, tuple[float, float] | None] = {"edge": None, "neighbour": (5.0, 3.5), "count": (1.4, 3.0)}
"""Pixels of a shaft that are drawn, and that are not."""
HALO = "#cfe0f3"
HALO_WIDTH = 5.0
RING = 3.0
"""Around a node whose factor has weights of a run; and how far inside its outline stands the second line of what is
summed out exactly."""
BORDER = "#8a8a8a"
BORDER_STROKE = 1.1

Fill = Literal["none", "half", "full"]
FILLS: dict[Role, Fill] = {"observed": "full", "supervised": "half", "latent": "none", "deterministic": "none"}
"""Plate notation: grey is observed, half-grey is observed in some rows, a square is a function."""


@dataclass(frozen=True)
class Writing:
    """One line of text; `at` is its middle (or, anchor start, left end) at half the height of a capital."""

    runs: Line
    at: Point
    size: float
    colour: str = INK
    bold: bool = False
    anchor: Literal["middle", "start"] = "middle"


Mark = Literal["none", "ring", "halo"]
"""A second line inside the outline: summed out exactly. A coloured rim: weights of a run."""


@dataclass(frozen=True)
class Disc:
    """One node: outline, fill of its (left half or whole) inside, its name, and what a reader may want to know."""

    name: str
    outline: RoundedBox
    fill: Fill
    label: Writing
    about: tuple[str, ...]
    mark: Mark = "none"


@dataclass(frozen=True)
class Dart:
    """One edge: the whole curve, and as two shapes: a shaft that ends inside the head, and the head's tip, left and
    right corner. Curve and tip end on the child's outline."""

    edge: Edge
    curve: Curve
    shaft: Curve
    head: tuple[Point, Point, Point]
    kind: Kind = "edge"


@dataclass(frozen=True)
class Tag:
    """What is written at an arrow, on a ground that hides what is under it: the views, or the plate it comes from."""

    edge: Edge
    ground: RoundedBox
    text: Writing


@dataclass(frozen=True)
class Frame:
    """The box of a plate and its label."""

    plate: str
    outline: RoundedBox
    label: Writing


@dataclass(frozen=True)
class PanelScene:
    """One graph with its title above and its factors below."""

    side: Side
    discs: tuple[Disc, ...]
    arrows: tuple[Dart, ...]
    writings: tuple[Writing, ...]
    frames: tuple[Frame, ...] = ()
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True)
class Key:
    """What one look of a node means."""

    outline: RoundedBox
    fill: Fill
    text: Writing
    mark: Mark = "none"


@dataclass(frozen=True)
class Scene:
    """Everything to draw, in pixels; `legend` explains the roles that occur."""

    name: str
    description: str
    width: float
    height: float
    panels: tuple[PanelScene, PanelScene]
    rule: tuple[Point, Point]
    legend: tuple[Key, ...]
