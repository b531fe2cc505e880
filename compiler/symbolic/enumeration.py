"""How large the exact sums of a program are: joint values held at once, and axes summed out."""

from collections.abc import Mapping

from compiler.symbolic.axis_names import SAMPLES, is_plate
from compiler.symbolic.elimination import closure, elimination_order, elimination_steps
from compiler.symbolic.joint_axes import JointAxes
from compiler.symbolic.program import Axes, Program


def largest_enumeration(program: Program) -> int:
    """The most joint values of enumerated variables that any term or elimination step holds, per element of a plate,
    samples not counted, nor what is exact, of which the rules of the language keep the sums small."""
    summed_out = {*program.exact, *program.graphs.views}
    sizes = {
        axis: size
        for axis, size in program.sizes.items()
        if axis != SAMPLES and not is_plate(axis) and axis not in summed_out
    }
    enumerated, weighing = _summed(program)
    largest = 1
    for axes in _terms(program):
        needed = closure((*axes, *(axis for w in weighing for axis in w)), enumerated)
        factors = [enumerated[axis] for axis in needed if axis in enumerated] + weighing
        largest = max(largest, elimination_order([*factors, axes], axes, sizes)[1])
    return largest


def summation_steps(program: Program) -> int:
    """How many axes are summed out for one row: each term is brought down to its own axes, so a chain of n enumerated
    variables takes about n^2 / 2."""
    enumerated, weighing = _summed(program)
    weights = tuple(axis for axes in weighing for axis in axes)
    return elimination_steps(((*axes, *weights) for axes in _terms(program)), enumerated)


def sums_over(joint: JointAxes, densities: Mapping[str, Axes]) -> dict[str, Axes]:
    """Axes of log q of everything that is summed, those of single elements among them. densities: by variable, in
    recognition order."""
    found: dict[str, Axes] = {}
    for name, axes in densities.items():
        found[name] = axes
        for place, axis in enumerate(joint.elements.get(name, ())):
            found[axis] = joint.at(axes, joint.plates[name], place)
    return found


def _terms(program: Program) -> set[Axes]:
    """The axes of every term of the objective, each once; of the elements of a plate the first stands for all."""
    axes = {*program.log_q_axes().values(), *program.log_p_axes().values()}
    return {_of_first(program.joint, each) for each in axes}


def _of_first(joint: JointAxes, axes: Axes) -> Axes:
    for plate in joint.sizes:
        axes = joint.at(axes, plate, 0)
    return axes


def _summed(program: Program) -> tuple[dict[str, Axes], list[Axes]]:
    """Axes of log q of every enumerated variable, in recognition order, and of every label that weighs draws."""
    densities, labels, joint = program.log_q_axes(), program.label_axes(), program.joint
    summed = sums_over(joint, {n: densities[n] for n in program.enumerated})
    weighing = [_of_first(joint, labels[label]) for label in program.weighing_labels()]
    return {axis: _of_first(joint, axes) for axis, axes in summed.items()}, weighing
