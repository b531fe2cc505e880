"""What the bound of standardized values is in the data's units: a density changes with the unit of what it is of."""

from collections.abc import Mapping

import torch
from torch import Tensor

from compiler.tensors import blanks
from graphspec.graphs.graph import Graphs
from runtime.data import Units


class UnitChange:
    """Adds up log |d standardized / d data| of the observed variables that p models, over the elements given."""

    def __init__(self, graphs: Graphs, units: Mapping[str, Units]) -> None:
        self.graphs = graphs
        self.units = {name: units[name] for name in graphs.observed if name in units and name in graphs.generative}
        self.total, self.rows = 0.0, 0

    def take_in(self, seen: Mapping[str, Tensor]) -> None:
        """Rows of observed values in the model's units."""
        self.rows += len(next(iter(seen.values())))
        for name, units in self.units.items():
            given = blanks.given(self.graphs, name, seen[name])
            values = blanks.filled(self.graphs.variables[name], seen[name], given)
            self.total += float(torch.where(given, units.log_slope(values.double()), 0.0).sum())

    def told(self, elbo: float) -> tuple[float, str]:
        """The bound in data units, nats a row, and a line that says so."""
        there = elbo + self.total / max(1, self.rows)
        names = ", ".join(self.units)
        return there, f"the elbo is of {names} as standardized; of the values in the data's units it is {there:.2f}"
