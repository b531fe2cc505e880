"""Axes of variables whose elements are summed together.

A summed variable y of a plate has one axis, `y`: the values of one element, beside the plate's axis. Where something
depends on all elements at once, each has an axis of its own: `y[0]`, `y[1]`. The first form is that of everything that
an element has by itself, which is computed for K values and not for K^n; the second is that of pools and of what is
made of them. Nothing varies over both forms of one variable: the first is brought into the second.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from compiler.symbolic.axis_names import canonical

Axes = tuple[str, ...]


def element_axis(name: str, place: int) -> str:
    """The values of one element of a variable."""
    return f"{name}[{place}]"


@dataclass(frozen=True)
class JointAxes:
    """plates: of every variable that is summed in such a plate, that plate's axis. sizes: elements of each of these
    plates. joint: those of the variables whose elements something reads together."""

    plates: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    joint: frozenset[str] = frozenset()

    @cached_property
    def elements(self) -> Mapping[str, Axes]:
        """The axes of each variable's elements, in their order."""
        return {
            name: tuple(element_axis(name, place) for place in range(self.sizes[plate]))
            for name, plate in self.plates.items()
        }

    @cached_property
    def owners(self) -> Mapping[str, tuple[str, int]]:
        """Of each axis of an element, the variable and the element's place."""
        return {axis: (name, place) for name, axes in self.elements.items() for place, axis in enumerate(axes)}

    def own(self, axes: Iterable[str], plate: str | None = None) -> Axes:
        """Those of the axes that are values of one element of a plate, or of any."""
        return tuple(axis for axis in axes if axis in self.plates and plate in (None, self.plates[axis]))

    def jointly(self, axes: Iterable[str], names: Iterable[str]) -> Axes:
        """The axes with those of some variables in the form of all elements."""
        axes, names = set(axes), set(names)
        return canonical(axes - names | {axis for name in names & axes for axis in self.elements[name]})

    def mixed(self, axes: Iterable[str]) -> frozenset[str]:
        """Variables of which both forms are there."""
        there = set(axes)
        return frozenset(name for name in self.own(there) if there.intersection(self.elements[name]))

    def aligned(self, axes: Iterable[str]) -> Axes:
        """Each variable in one form."""
        axes = tuple(axes)
        return self.jointly(axes, self.mixed(axes))

    def pooled(self, axes: Iterable[str], taken: Iterable[str]) -> Axes:
        """What a view of all elements of plates varies over."""
        left, taken = set(axes), set(taken)
        names = [name for name in self.own(left) if self.plates[name] in taken]
        return self.jointly(left - taken, names)

    def at(self, axes: Iterable[str], plate: str, place: int) -> Axes:
        """What one element of a plate varies over: its values are on its own axes."""
        axes = tuple(axes)
        own = self.own(axes, plate)
        return canonical([*(set(axes) - {plate, *own}), *(self.elements[name][place] for name in own)])
