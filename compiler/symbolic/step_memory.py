"""What one training step needs in memory, before anything runs: rows of a step, bytes, and what would lower them.

From: checked graphs. To: a `StepMemory`. Not here: weights and their moments, the data, the program itself. No torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from compiler.symbolic.axis_names import SAMPLES, axis_label, is_plate
from compiler.symbolic.cost import BYTES, factor_works
from compiler.symbolic.lowering import every_pattern, lower, one_program_for_all
from compiler.symbolic.program import Axes, Pattern, Program, conditional_text, function_text
from graphspec.graphs.graph import Factor, Graphs

PEAK = 3.0
"""Bytes at a step's peak for each byte of activations: gradients and what convolutions unfold come on top. Measured on
M2 with 96 x 96 x 3 pixels, 50 + 50 rows: 2.7 to 3.6 where convolutions read or grow the picture, 1.1 to 2.4 in fully
connected networks."""
WORTH_SAVING, LARGE_STEP = 2**28, 2**31
"""Bytes from which on `explain` says what would lower them (256 MiB), and `check` speaks of a step (2 GiB)."""


@dataclass(frozen=True)
class StepMemory:
    """rows: of a step, with and without labels; total: bytes at its peak; heaviest: the factor that needs most, as a
    formula; share: its part in [0, 1]; times: how often it is computed for a row, once for each value of `axes`."""

    unlabelled: int
    labelled: int
    total: float
    heaviest: str
    share: float
    times: int
    axes: Axes


def step_memory(graphs: Graphs) -> StepMemory:
    """The memory of a step of `training.batch_size` unlabelled rows and as many labelled ones as the spec asks for."""
    training, labels = graphs.spec.training, tuple(graphs.supervised)
    labelled = (training.labelled_batch_size or training.batch_size) if labels else 0
    if one_program_for_all(graphs):
        (pattern,) = every_pattern(graphs)
        parts = [(lower(graphs, pattern), training.batch_size + labelled)]
    else:
        parts = [(lower(graphs, Pattern(())), training.batch_size)]
        parts += [(lower(graphs, Pattern(labels)), labelled)] if labels else []
    return _of(parts, training.batch_size, labelled)


def _of(parts: Sequence[tuple[Program, int]], unlabelled: int, labelled: int) -> StepMemory:
    bytes_of: dict[str, float] = {}
    for program, rows in parts:
        for step, work in factor_works(program):
            key = step.factor.key
            bytes_of[key] = bytes_of.get(key, 0.0) + PEAK * BYTES * work.activations * rows
    program = parts[0][0]
    total, key = sum(bytes_of.values()), max(bytes_of, key=lambda each: bytes_of[each])
    step = next(s for s in (*program.recognition, *program.generative) if s.factor.key == key)
    axes = tuple(axis for axis in step.parent_axes if program.sizes[axis] > 1)
    times, share = prod(program.sizes[axis] for axis in axes), bytes_of[key] / total if total else 0.0
    return StepMemory(unlabelled, labelled, total, _formula(step.factor), share, times, axes)


def _formula(factor: Factor) -> str:
    if factor.deterministic:
        return function_text(factor.variable, factor.parents)
    return conditional_text("p" if factor.side == "generative" else "q", factor.variable, factor.parents)


def savings(graphs: Graphs, memory: StepMemory) -> list[str]:
    """What would lower it, the most promising first, as a spec says it."""
    found = []
    for axis in memory.axes:
        if axis == SAMPLES:
            found.append("objective: {samples: 1}")
        elif _may_have_a_budget(graphs, axis):
            found.append(f"objective: {{estimators: {{{axis}: {{kind: enumerate, budget: 1}}}}}}")
    smaller = max(1, graphs.spec.training.batch_size // 4)
    return [*found, f"training: {{batch_size: {smaller}}}", f"smaller layers in {memory.heaviest}"]


def _may_have_a_budget(graphs: Graphs, axis: str) -> bool:
    """The values of a category of the row that q says; of elements, and of what is exact, all are summed or none."""
    variable = graphs.variables.get(axis)
    by_row = variable is not None and variable.domain == "category" and not variable.plates
    return by_row and axis not in graphs.exact and graphs.spec.objective.bound == "elbo"


def memory_lines(graphs: Graphs, memory: StepMemory) -> tuple[str, ...]:
    """How much, for which rows, and where it goes; and what would lower it, where that is worth it."""
    rows = f"{memory.unlabelled} + {memory.labelled} rows" if memory.labelled else f"{memory.unlabelled} rows"
    axes = " and ".join(map(_each, memory.axes))
    where = f", which runs {memory.times} times a row: for {axes}" if axes else ""
    told = (
        f"about {byte_text(memory.total)} at the peak of a step of {rows}, beside weights and data; "
        f"{100 * memory.share:.0f} % of it in {memory.heaviest}{where}"
    )
    less = f"less with {', '.join(savings(graphs, memory))}"
    return (told, less) if memory.total >= WORTH_SAVING else (told,)


def _each(axis: str) -> str:
    if axis == SAMPLES:
        return "each draw"
    return f"each {'element' if is_plate(axis) else 'value'} of {axis_label(axis)}"


def byte_text(count: float) -> str:
    """`12.0 KiB`, `3.4 GiB`."""
    count /= 1024
    for unit in ("KiB", "MiB"):
        if count < 1000:
            return f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
