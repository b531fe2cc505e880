"""Values of elements that are summed together, and sums over all of them: lines of a plan.

What an element has by itself is computed for the values of one element (`y`); see `symbolic.joint_axes`. Here it is
brought to the values of all (`y[0]`, `y[1]`), or taken of one element.
"""

from collections.abc import Iterable, Sequence

from compiler.plan.elimination_writer import EliminationWriter
from compiler.plan.plan import Value
from compiler.symbolic.axis_names import SAMPLES, axis_label, canonical, is_plate
from compiler.symbolic.elimination import closure
from compiler.symbolic.enumeration import sums_over
from compiler.symbolic.program import Axes, Program


class ElementSums(EliminationWriter):
    """A program's values of single elements."""

    def __init__(self, program: Program, features: Sequence[str]) -> None:
        super().__init__(program, features)
        self.draws = self.samples
        outside = (name for name in program.enumerated if name not in program.own)
        densities = {name: self.shown(program.log_q_axes()[name]) for name in outside}
        self.axes_of_sum = sums_over(program.joint, densities)

    def log_axis(self, name: str) -> Value:
        """log probability of each value on an enumerated axis: its exponentials add up to one."""
        if name not in self.joint.owners:
            return super().log_axis(name)
        whole, place = self.joint.owners[name]
        return self.at_element(super().log_axis(whole), self.joint.plates[whole], place)

    def at_element(self, value: Value, plate: str, place: int) -> Value:
        """What one element of a plate has, at values of its own."""
        own = self.joint.own(value.axes, plate)
        if not own and plate not in value.axes:
            return value
        value = self.spread(value, [axis_label(plate)])
        renamed = tuple((name, self.joint.elements[name][place]) for name in own)
        axes = self.joint.at(value.axes, plate, place)
        return self.write(
            "element", f"{value.name}_{place}", (value,), axes, rank=value.rank, plate=plate, place=place,
            renamed=renamed,
        )  # fmt: skip

    def side_by_side(self, values: Sequence[Value], plate: str, own: Axes, wanted: str) -> Value:
        """What was found of each element by itself, as a value of the plate."""
        named = tuple(tuple((self.joint.elements[name][place], name) for name in own) for place in range(len(values)))
        told = dict(named[0])
        axes = canonical((plate, *(told.get(axis, axis) for axis in values[0].axes)))
        return self.write("side_by_side", wanted, values, axes, rank=values[0].rank, plate=plate, named=named)

    # sums over the values of all elements

    def coupled(self, axes: Iterable[str]) -> bool:
        """What is summed for a term on these axes involves values of single elements."""
        return bool(self.joint.owners.keys() & closure(axes, self.axes_of_sum))

    def host(self, axes: Axes) -> str | None:
        """The plate of whose elements a term has values by itself."""
        own = self.joint.own(axes)
        return self.joint.plates[own[0]] if own else None

    def shares(self, axes: Iterable[str]) -> list[Value]:
        """log g on every axis that matters to something on `axes`."""
        return [self.share(axis) for axis in closure(axes, self.axes_of_sum) if not is_plate(axis)]

    def share(self, axis: str) -> Value:
        """log g along one axis."""
        if axis != SAMPLES:
            return self.log_axis(axis)
        return self.write("share_of_sample", "log_share", (), (SAMPLES,), rows=False, samples=self.draws)

    def of_all_elements(self, value: Value, plates: Axes) -> list[Value]:
        """Contributions of elements to a sum of logs, as one summand for each element whose values are summed."""
        plate = self.host(value.axes)
        others = [axis for axis in plates if axis != plate]
        whole = self.over_elements(value, others, f"sum_{value.name}")
        if plate is None or plate not in plates:  # those outside stay side by side
            return [whole]
        return [self.at_element(whole, plate, place) for place in range(self.joint.sizes[plate])]
