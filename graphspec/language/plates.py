"""The `plates` section: what is repeated within a row, how often, and whether the order matters."""

from typing import Literal

from pydantic import Field

from graphspec.language.base import Section, Size

MARK = "@"
"""Between a variable and the view by which it is read: `h@previous`."""

AS_IT_IS = "/as it is"
"""Behind a view whose numbers enter without logarithms, or whose classes enter as their numbers."""

ViewKind = Literal["previous", "next", "first", "last", "sum", "mean", "max"]
NEIGHBOURS: tuple[ViewKind, ...] = ("previous", "next")
ENDS: tuple[ViewKind, ...] = ("first", "last")
POOLS: tuple[ViewKind, ...] = ("sum", "mean", "max")
VIEWS: tuple[ViewKind, ...] = (*NEIGHBOURS, *ENDS, *POOLS)

DEEPEST = 3
"""Plates within each other."""


class PlateSpec(Section):
    """Elements that a row has several of: each variable of the plate stands once for each of them."""

    size: Size | None = Field(
        default=None, description="How many elements; with `count`, its largest value, and may be left out."
    )
    count: str | None = Field(default=None, description="The variable that says how many of them are there.")
    ordered: bool = Field(default=False, description="The order is part of the model: p may look at neighbours.")
    inside: str | None = Field(default=None, description="The plate that this one is repeated in.")


PlatesSection = dict[str, PlateSpec]


def shown(name: str) -> str:
    """What something read across elements is called in texts: as it is written."""
    return name.replace(AS_IT_IS, "")


def base_of(parent: str) -> str:
    """`h` of `h@previous`."""
    return parent.partition(MARK)[0]


def path_of(plates: PlatesSection, name: str) -> tuple[str, ...]:
    """A plate with those that it is inside of, outermost first; as far as they are known, each once."""
    path: list[str] = []
    current: str | None = name
    while current in plates and current not in path:
        path.append(current)
        current = plates[current].inside
    return tuple(reversed(path))
