"""What a plan runs with: the modules of a model's factors."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from compiler.factors.factor_modules import Conditional, FactorModule
from compiler.families.entry import Extras, FamilyEntry
from compiler.families.family_table import ENTRIES, extras_of
from compiler.families.flows import FlowEntry
from compiler.tensors.blanks import PRESENCE
from graphspec.graphs.graph import Factor, Graphs, Variable


@dataclass(frozen=True)
class Modules:
    """factors: a module per factor, by key. independent: keys of those that treat each row alone and draw nothing."""

    graphs: Graphs
    dtype: torch.dtype
    factors: Mapping[str, FactorModule]
    independent: frozenset[str]

    def factor(self, key: str) -> Factor:
        """The factor of a key."""
        return self.factors[key].factor

    def variable(self, key: str) -> Variable:
        """The variable of a factor."""
        return self.graphs.variables[self.factor(key).variable]

    def read(self, key: str) -> list[str]:
        """What a call of a factor's module is given: its parents, then flags beside those that may be blank."""
        parents = self.factor(key).parents
        flags = (name + PRESENCE for name in parents)
        return [*parents, *(flag for flag in flags if flag in self.factors[key].reads)]

    def shared(self, key: str, place: int) -> int:
        """How many tensors one parent becomes in the first layers of a factor's networks; 0 where that is not work that
        rows may share."""
        module, name = self.factors[key], self.read(key)[place]
        return module.readers(name) if name in module.reads and module.shareable(name) else 0

    def family(self, key: str) -> tuple[FamilyEntry, Extras]:
        """What is computed of a factor's family, and the constants that it takes of the variable."""
        module = self.factors[key]
        assert isinstance(module, Conditional)
        extras = extras_of(module.family, module.factor.options, module.variable)
        if module.flow is not None:
            return FlowEntry(transform=module.flow), extras
        return ENTRIES[module.family.name], extras
