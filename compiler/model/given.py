"""The tensors that plans are given, made from a batch's prepared rows when a plan first asks for them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from compiler.plan.plan import Given, Plan
from compiler.plan.running import Rows, some_rows
from compiler.symbolic.axis_names import canonical
from compiler.tensors import blanks
from graphspec.graphs.graph import Graphs, Variable


class GivenTensors:
    """rows: prepared, {name: [B, *shape]}. computed: what has a value beside those (features of the rows)."""

    def __init__(self, graphs: Graphs, rows: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        self.graphs, self.rows, self.dtype = graphs, rows, dtype
        self.computed: dict[str, Tensor] = {}
        self._found: dict[Given, Tensor] = {}
        self._masks: dict[str, Tensor] = {}

    def of(self, plan: Plan, rows: Rows | None = None) -> dict[str, Tensor]:
        """What a plan is given, by the names of its values. rows: some of the batch's; None: all."""
        found = {value.name: self.tensor(given) for value, given in plan.given.items()}
        if rows is None:
            return found
        return {value.name: some_rows(found[value.name], rows, len(value.axes)) for value in plan.given}

    def tensor(self, given: Given) -> Tensor:
        """One of them, for the whole batch."""
        found = self._found.get(given)
        if found is None:
            found = elements_first(self.graphs.variables[given.variable], self._made(given))
            self._found[given] = found
        return found

    def _made(self, given: Given) -> Tensor:
        name = given.variable
        if name in self.computed:
            return self.computed[name]
        variable, values = self.graphs.variables[name], self.rows[name]
        if given.kind == "value":
            blank = variable.missing and variable.role == "observed"
            return blanks.entering(variable, values, self._mask(name), self.dtype) if blank else values
        if given.kind == "given":
            return self._mask(name)
        if given.kind == "present":
            return self._mask(name).to(self.dtype)
        return blanks.filled(variable, values, self._mask(name))

    def _mask(self, name: str) -> Tensor:
        if name not in self._masks:
            self._masks[name] = blanks.given(self.graphs, name, self.rows[name])
        return self._masks[name]


def elements_first(variable: Variable, tensor: Tensor) -> Tensor:
    """What rows have of a variable, [B, *plates, ...], as plans read it: its plates first, in the order of axes."""
    axes = variable.plate_axes
    if not axes:
        return tensor
    order = canonical(axes)
    return tensor.movedim(tuple(range(1, len(axes) + 1)), tuple(order.index(axis) for axis in axes))
