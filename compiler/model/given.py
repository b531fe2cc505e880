"""The tensors that plans are given, made from a batch's prepared rows when a plan first asks for them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from compiler.plan.plan import Given, Plan
from compiler.plan.running import Rows, some_rows
from compiler.tensors import blanks
from graphspec.graphs.graph import Graphs


class GivenTensors:
    """rows: prepared, {name: [B, *shape]}. computed: what has a value beside those (features of the rows)."""

    def __init__(self, graphs: Graphs, rows: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        self.graphs, self.rows, self.dtype = graphs, rows, dtype
        self.computed: dict[str, Tensor] = {}
        self._found: dict[Given, Tensor] = {}

    def of(self, plan: Plan, rows: Rows | None = None) -> dict[str, Tensor]:
        """What a plan is given, by the names of its values. rows: some of the batch's; None: all."""
        found = {value.name: self.tensor(given) for value, given in plan.given.items()}
        return found if rows is None else {name: some_rows(tensor, rows) for name, tensor in found.items()}

    def tensor(self, given: Given) -> Tensor:
        """One of them, for the whole batch."""
        if given not in self._found:
            self._found[given] = self._made(given)
        return self._found[given]

    def _made(self, given: Given) -> Tensor:
        name = given.variable
        if name in self.computed:
            return self.computed[name]
        variable, values = self.graphs.variables[name], self.rows[name]
        if given.kind == "value":
            blank = variable.missing and variable.role == "observed"
            return blanks.entering(variable, values, self._mask(name), self.dtype) if blank else values
        if given.kind == "given":
            return blanks.given(self.graphs, name, values)
        if given.kind == "present":
            return self._mask(name).to(self.dtype)
        return blanks.filled(variable, values, self._mask(name))

    def _mask(self, name: str) -> Tensor:
        return self.tensor(Given(name, "given"))
