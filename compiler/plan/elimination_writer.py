"""Between densities and the objective: sums of products over axes, as lines, one axis after the other."""

from collections.abc import Sequence

from compiler.plan.plan import Value
from compiler.plan.program_writer import ProgramWriter
from compiler.symbolic.axis_names import axis_label, plates_in
from compiler.symbolic.elimination import elimination_order
from compiler.symbolic.program import Axes, Program


class EliminationWriter(ProgramWriter):
    """Writes sums of products over axes that tensors have."""

    def __init__(self, program: Program, features: Sequence[str] = ()) -> None:
        super().__init__(program, features)
        self._sizes = {axis: size for axis, size in program.sizes.items() if self.shown((axis,))}

    def eliminate(self, factors: Sequence[Value], keep: Axes, wanted: str) -> Value:
        """log of the sum over every axis outside `keep` of the product of exp(factors)."""
        keep = (*keep, *(axis for factor in factors for axis in plates_in(factor.axes)))
        order, _ = elimination_order([factor.axes for factor in factors], keep, self._sizes)
        current = list(factors)
        for axis in order:
            with_axis = [factor for factor in current if axis in factor.axes]
            joint = self.added([(1, factor) for factor in with_axis], f"joint_{axes_name(with_axis[0].axes)}")
            rest = tuple(other for other in joint.axes if other != axis)
            last = axis == order[-1] and len(with_axis) == len(current)
            name = wanted if last else f"log_sum_{axes_name(rest)}"
            total = self.write("logsumexp", name.rstrip("_"), (joint,), rest, axis=axis)
            current = [*(factor for factor in current if axis not in factor.axes), total]
        return self.added([(1, factor) for factor in current], wanted)


def axes_name(axes: Axes) -> str:
    """`who_z` as part of a name."""
    return "_".join(map(axis_label, axes))
