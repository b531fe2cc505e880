"""What a row costs before anything runs: multiply-adds, activation memory, joint values. Plain arithmetic, no torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from compiler.symbolic.enumeration import largest_enumeration
from compiler.symbolic.exact_program import largest_density
from compiler.symbolic.networks_read import read_parents
from compiler.symbolic.program import Axes, Program, Step
from graphspec.graphs.model_size import numbers_asked
from graphspec.language.networks import Asked, Reading, Work

BACKWARD = 3
"""A training step costs about three forward passes: one forward, two products per weight matrix backward."""
BYTES = 4
"""Bytes of one stored float32 activation."""


@dataclass(frozen=True)
class Cost:
    """Per row of one pattern. multiply_adds: one forward pass; activations: numbers kept for the backward pass;
    joint_values: most joint values of enumerated variables in any one term."""

    multiply_adds: int
    activations: int
    joint_values: int

    @property
    def training_flop(self) -> int:
        """Floating-point operations of one training step: two per multiply-add, forward and backward."""
        return 2 * BACKWARD * self.multiply_adds

    @property
    def activation_bytes(self) -> int:
        """Memory of the stored activations in float32."""
        return BYTES * self.activations


def program_cost(program: Program) -> Cost:
    """The cost of one row under a program: each layer counted on the axes its input varies over."""
    total = Work()
    for _, work in factor_works(program):
        total = total + work
    joint = max(largest_enumeration(program), largest_density(program.sums, program.log_p_axes(), program.sizes))
    return Cost(total.multiply_adds, total.activations, joint)


def factor_works(program: Program) -> Iterator[tuple[Step, Work]]:
    """What each factor's network does for one row, in the order that they run."""
    variables, steps = program.graphs.variables, (*program.recognition, *program.generative)
    axes: dict[str, Axes] = {name: variables[name].plate_axes for name in program.graphs.observed}
    axes |= {name: (name,) for name in program.exact}
    for step in steps:
        axes.setdefault(step.factor.variable, step.value_axes)
    for step in steps:
        yield step, _factor_work(program, step, axes)


def _factor_work(program: Program, step: Step, axes: Mapping[str, Axes]) -> Work:
    factor, variables = step.factor, program.graphs.variables
    if factor.network is None or not read_parents(program.graphs, factor):
        return Work()
    parents = {
        name: Reading(variables[name].shape, variables[name].info.encoding == "table", _repeats(program, axes[name]))
        for name in factor.parents
    }
    numbers = numbers_asked(program.graphs, factor)
    asked = Asked(variables[factor.variable].shape, numbers, _repeats(program, step.parent_axes))
    return factor.network.work(parents, asked)


def _repeats(program: Program, axes: Axes) -> int:
    return prod(program.sizes[axis] for axis in axes)
