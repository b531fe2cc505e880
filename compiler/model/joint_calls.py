"""What the groups of a batch compute in one call: rows with different labels often meet in the same networks.

A group is the rows of one pattern, with an execution of its own program. Where a factor's parents vary over the same
axes in several groups (one draw of z for a row whose y is known, and one for a row whose y was drawn), its module reads
the rows of all of them at once, and each takes its own part of the result. A step then has one product where it had one
per pattern. Executions go forward together, a factor at a time, so that parents are there in all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler.factors.conditional import Located
from compiler.tensors.axes import AxisTensor, PartOfBatch
from compiler.tensors.blanks import PRESENCE, as_positions, one_hot
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Factor, Variable

if TYPE_CHECKING:
    from compiler.model.execution import Execution
    from compiler.model.model import Model

Sizes = tuple[tuple[str, int], ...]
Signature = tuple[tuple[str, Sizes], ...]
Result = Located | AxisTensor


class Gathering:
    """The executions of one batch. rows: where each group's rows are in it."""

    def __init__(self, model: "Model", rows: Sequence[slice | Tensor], noise: Noise) -> None:
        self.model, self.rows, self.noise = model, rows, noise
        self.executions: list[Execution] = []
        self._made: dict[str, dict[int, Result]] = {}

    @contextmanager
    def run(self, executions: Iterable["Execution"]) -> Iterator[Sequence["Execution"]]:
        """Take every step of all programs, side by side; within the block, densities are made together too.

        After it the executions, which know this, are let go: what a step made is freed at once, not when Python next
        looks for circles.
        """
        self.executions = list(executions)
        try:
            for steps in zip_longest(*((*e.program.recognition, *e.program.generative) for e in self.executions)):
                for execution, step in zip(self.executions, steps, strict=True):
                    if step is not None:
                        execution.take(step)
            yield self.executions
        finally:
            self.executions = []
            self._made.clear()

    def made(self, execution: "Execution", factor: Factor) -> Result | None:
        """What the factor's module makes of this execution's values, made together with other groups' where there are
        any that it can be made with; None otherwise.

        Only modules that treat each row alone and draw nothing come to the same for many rows as for few.
        """
        if not factor.parents or factor.key not in self.model.independent:
            return None
        if factor.key not in self._made:
            self._made[factor.key] = self._made_together(factor)
        return self._made[factor.key].get(self.executions.index(execution))

    def _made_together(self, factor: Factor) -> dict[int, Result]:
        """By group, of those that have company: they have come equally far, so whoever asks first asks for all."""
        peers: dict[Signature, list[int]] = {}
        for group, execution in enumerate(self.executions):
            if execution.values.keys() >= set(factor.parents):
                peers.setdefault(_signature(execution, factor), []).append(group)
        found: dict[int, Result] = {}
        for groups in peers.values():
            if len(groups) > 1:
                found.update(zip(groups, self._make(factor, groups), strict=True))
        return found

    def _make(self, factor: Factor, groups: list[int]) -> Sequence[Result]:
        """One call of the factor's module for these groups' rows, and each group's part of what it gives."""
        rows = joined([self.rows[i] for i in groups])
        sizes = [self.executions[i].noise.batch for i in groups]
        variables = self.model.graphs.variables
        values = {
            name: _together(variables.get(name), [self.executions[i].values[name] for i in groups], sizes, rows)
            for name in _read(factor, self.executions[groups[0]].values)
        }
        if factor.deterministic:
            value = self.model.function(factor).forward(values, self.noise)
            return [AxisTensor(value.axes, part) for part in _split(value.data, value.axes, sizes)]
        return _parts(self.model.conditional(factor).forward(values, self.noise), sizes)


def _read(factor: Factor, values: Mapping[str, AxisTensor]) -> list[str]:
    """What the factor's module reads: its parents, and flags of those that may be blank."""
    return [name for parent in factor.parents for name in (parent, parent + PRESENCE) if name in values]


def _signature(execution: "Execution", factor: Factor) -> Signature:
    """Over which axes each of the parents varies."""
    values = execution.values
    return tuple((name, _sizes(values[name])) for name in _read(factor, values))


def _sizes(value: AxisTensor) -> Sizes:
    """The axes that a value varies over; one of a single place says nothing."""
    return tuple((axis, size) for axis in value.axes if (size := value.size(axis)) > 1)


def _together(
    variable: Variable | None, values: Sequence[AxisTensor], sizes: Sequence[int], rows: slice | Tensor
) -> AxisTensor:
    """The values of several groups' rows, one after the other."""
    first = values[0]
    if all(isinstance(value, PartOfBatch) for value in values):
        assert isinstance(first, PartOfBatch)
        return PartOfBatch.of(AxisTensor((), first.whole), rows, first.shared)
    lead = _sizes(first)
    axes, count = tuple(axis for axis, _ in lead), len(lead)
    data = [
        value.data
        if value.axes == axes
        else value.data.reshape(*(size for _, size in lead), value.batch, *value.event_shape)
        for value in values
    ]
    if all(value.batch == 1 for value in values) and min(sizes) > 1:
        return AxisTensor(axes, data[0])  # a support, which every row shares
    if variable is not None and variable.discrete and len({part.dim() for part in data}) > 1:
        relaxed = next(part for part in data if part.dim() > count + 1 + len(variable.shape))
        data = [part if part.dim() == relaxed.dim() else one_hot(variable, part, relaxed.dtype) for part in data]
    spread = [
        part if part.shape[count] == size else part.expand(*part.shape[:count], size, *part.shape[count + 1 :])
        for part, size in zip(data, sizes, strict=True)
    ]
    return AxisTensor(axes, torch.cat(spread, dim=count))


def _parts(found: Located, sizes: Sequence[int]) -> list[Result]:
    """Each group's rows of a distribution."""
    split: list[Sequence[Tensor]] = []
    found.distribution.rebuilt(_kept(split, lambda data: _split(data, found.axes, sizes)))
    owns: Sequence[Sequence[Tensor]] = list(zip(*split, strict=True)) or [()] * len(sizes)
    return [Located(found.axes, found.distribution.rebuilt(_taken(own))) for own in owns]


def _kept(found: list[Sequence[Tensor]], change: Callable[[Tensor], Sequence[Tensor]]) -> Callable[[Tensor], Tensor]:
    """A change of parameters that only notes what `change` makes of them."""

    def note(data: Tensor) -> Tensor:
        found.append(change(data))
        return data

    return note


def _taken(parameters: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """The change that puts these in the parameters' places, in order."""
    left = iter(parameters)
    return lambda _: next(left)


def _split(data: Tensor, axes: Sequence[str], sizes: Sequence[int]) -> Sequence[Tensor]:
    """[*axes, rows of all groups, ...] by group: views whose gradients are put together in one pass."""
    dim = len(axes)
    return [data] * len(sizes) if data.shape[dim] == 1 else data.split(list(sizes), dim=dim)


def joined(rows: Sequence[slice | Tensor]) -> slice | Tensor:
    """Rows of several groups, one group after the other: a slice where they follow each other."""
    stretches = [part for part in rows if isinstance(part, slice)]
    if len(stretches) == len(rows) and all(a.stop == b.start for a, b in pairwise(stretches)):
        return slice(stretches[0].start, stretches[-1].stop)
    return torch.cat([as_positions(part) for part in rows])


def in_batch_order(parts: Sequence[Tensor], rows: Sequence[slice | Tensor]) -> Tensor:
    """[B, ...] of all groups' [n, ...]; together they are the whole batch."""
    together, order = torch.cat(list(parts)), joined(rows)
    if isinstance(order, slice):
        return together
    return together.index_select(0, torch.argsort(order).to(together.device))
