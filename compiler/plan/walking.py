"""Writing a walk: one line whose body is written for one element, from what the element before hands on.

What stands outside of the walk is computed for all elements before it; values and parameters of its members come out of
it for all elements, and are read from there as if they had been computed in one call.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TypeVar

from compiler.plan.plan import Given, Line, Plan, Value
from compiler.plan.writer import Writer
from compiler.symbolic.axis_names import canonical
from compiler.symbolic.networks_read import state_of
from compiler.symbolic.program import loop_text
from graphspec.graphs.graph import Factor, Graphs, plate_axis
from graphspec.graphs.walks import Loop
from graphspec.language.networks import Gru

Self = TypeVar("Self", bound="WalkWriter")


@dataclass
class ElementBody:
    """What a writer of one element's lines knows of its walk: the writer outside, the axis of the elements, and what it
    has taken from there."""

    outer: "WalkWriter"
    axis: str
    taken: dict[Value, Value] = field(default_factory=dict)


class WalkWriter(Writer):
    """A writer that can write one element of a walk. body: of which walk it does; None outside of all."""

    graphs: Graphs
    body: ElementBody | None = None

    def begin_anew(self) -> None:
        super().begin_anew()
        self._values: dict[str, Value] = {}
        self._made: dict[str, tuple[Value, ...]] = {}
        self._own_density: dict[str, Value] = {}

    @abstractmethod
    def value(self, name: str) -> Value:
        """A variable's value."""

    @abstractmethod
    def as_seen(self, name: str) -> Value:
        """In the body of a walk, what the next element sees of this one under a view."""

    @abstractmethod
    def reads(self, factor: Factor, but: str | None = None) -> list[Value]:
        """What a factor's networks read, but for one parent."""

    @abstractmethod
    def there(self, plates: Iterable[str]) -> Value | None:
        """Which elements of plates are there."""

    def hold(self, name: str, value: Value) -> None:
        """From here on this is the variable's value."""
        self._values[name] = value

    @property
    def outside(self) -> "WalkWriter | None":
        """The writer of the walk whose body this one writes."""
        return None if self.body is None else self.body.outer

    def has_walked(self, factor: Factor) -> bool:
        """Its parameters came out of a walk."""
        return factor.key in self._made

    def from_outside(self, value: Value) -> Value:
        """In the body of a walk, one element of what there is for all."""
        assert self.body is not None, "this is written for all elements"
        if value not in self.body.taken:
            axes = tuple(axis for axis in value.axes if axis != self.body.axis)
            self.body.taken[value] = replace(value, name=self.fresh(value.name), axes=axes)
        return self.body.taken[value]

    def write_walk(self: Self, loop: Loop, take: Callable[[Self], None]) -> None:
        """Writes the line of a walk; afterwards values and parameters of its members are held.

        take: writes what one element has of each member, in order, and holds it.
        """
        if self._lone_gru(loop):
            self._write_gru(loop)
            return
        carried = {name: Value(name) for name in loop.carried}
        while True:  # axes of what is carried come about in the body, and change it
            inner = self._within(loop, carried)
            take(inner)
            after = {name: inner.as_seen(name) for name in loop.carried}
            again = {
                n: replace(v, axes=after[n].axes, rows=after[n].rows, rank=after[n].rank) for n, v in carried.items()
            }
            if again == carried:
                break
            carried = again
        self._write_loop(loop, inner, carried, after)

    def _within(self: Self, loop: Loop, carried: Mapping[str, Value]) -> Self:
        """A writer of one element's lines."""
        inner = copy(self)
        inner.begin_anew()
        inner.body = ElementBody(self, plate_axis(loop.plate))
        for name, value in carried.items():
            inner.claim(value.name)
            inner.hold(name, value)
        return inner

    def _write_loop(
        self, loop: Loop, inner: "WalkWriter", carried: Mapping[str, Value], after: Mapping[str, Value]
    ) -> None:
        assert inner.body is not None
        axis, made = inner.body.axis, {value for line in inner.lines for value in line.outputs}
        wanted = dict.fromkeys((*(inner.value(name) for name in loop.members), *inner._kept()))
        outputs = {
            value: replace(value, name=self.fresh(value.name), axes=canonical((axis, *value.axes)))
            for value in wanted
            if value in made
        }
        inside = {value: Given(outer.name, "result") for outer, value in inner.body.taken.items()}
        inside |= {value: Given(name, "result") for name, value in carried.items()}
        results = {f"of each {place}": value for place, value in enumerate(outputs)}
        results |= {f"on to {name}": value for name, value in after.items()}
        carry = tuple((v.name, f"on to {name}", self._event(name, v.rank)) for name, v in carried.items())
        body = Plan(f"one element of {loop.plate}", inside, tuple(inner.lines), results)
        size = self.graphs.plates[loop.plate].size
        options = {"kind": loop.kind, "axis": axis, "size": size, "carry": carry, "body": body}
        self.note(loop_text(loop))
        self.append(Line("loop", tuple(outputs.values()), tuple(inner.body.taken), options))
        for name in loop.members:
            self.hold(name, outputs[inner.value(name)])
        self._made |= {key: tuple(outputs.get(v, v) for v in values) for key, values in inner._made.items()}
        self._own_density |= {name: outputs.get(v, v) for name, v in inner._own_density.items()}

    def _kept(self) -> Iterable[Value]:
        """Of the body of a walk, what is read once it is done, beside values: parameters, and densities of draws."""
        return (*(value for made in self._made.values() for value in made), *self._own_density.values())

    def _event(self, name: str, rank: int) -> tuple[int, ...]:
        """Sizes behind the rows: a discrete value that is relaxed, or seen by a neighbour, holds class weights."""
        variable = self.graphs.variables[name]
        with_classes = variable.support is not None and rank > len(variable.shape)
        return (*variable.shape, variable.support or 0) if with_classes else variable.shape

    def _lone_gru(self, loop: Loop) -> bool:
        """Nothing else is in the loop than one gru and its state, through which gradients pass."""
        first, *others = loop.members
        if others or len(loop.carried) > 1 or self.graphs.variables[first].role != "deterministic":
            return False
        factor = self.graphs.function(first)
        return isinstance(factor.network, Gru) and not factor.stop_gradient & {*loop.carried}

    def _write_gru(self, loop: Loop) -> None:
        (name,), plate = loop.members, self.graphs.plates[loop.plate]
        factor = self.graphs.function(name)
        inputs = self.reads(factor, but=state_of(self.graphs, factor))
        there = self.there(plate.path) if loop.kind == "next" else None
        inputs += [] if there is None else [there]
        axes = canonical((plate.axis, *(axis for value in inputs for axis in value.axes)))
        self.note(f"{name} = f({', '.join(factor.parents)}), {loop_text(loop)}")
        value = self.write(
            "gru", name, inputs, axes, rank=1, factor=factor.key, kind=loop.kind, axis=plate.axis, size=plate.size,
            counted=there is not None,
        )  # fmt: skip
        self.hold(name, value)
