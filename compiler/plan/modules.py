"""What a plan runs with: the modules of a model's factors."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from compiler.factors.factor_modules import Conditional, FactorModule
from compiler.families import ENTRIES, Extras, FamilyEntry, extras_of
from compiler.families.flows import FlowEntry
from compiler.symbolic.networks_read import flagged_parents, read_parents
from compiler.tensors.blanks import PRESENCE
from graphspec.graphs.graph import Factor, Graphs, Variable


@dataclass(frozen=True)
class Modules:
    """factors: a module per factor, by key. independent: keys of those that treat each row alone and draw nothing.
    light: of those, the ones whose calls cost more than their arithmetic."""

    graphs: Graphs
    dtype: torch.dtype
    factors: Mapping[str, FactorModule]
    independent: frozenset[str]
    light: frozenset[str]

    def factor(self, key: str) -> Factor:
        """The factor of a key."""
        return self.factors[key].factor

    def variable(self, key: str) -> Variable:
        """The variable of a factor."""
        return self.graphs.variables[self.factor(key).variable]

    def read(self, key: str) -> list[str]:
        """What a call of a factor's module is given: parents, then flags beside those that may be blank."""
        factor = self.factor(key)
        flags = (name + PRESENCE for name in flagged_parents(self.graphs, factor))
        return [*read_parents(self.graphs, factor), *flags]

    def shared(self, key: str, place: int) -> int:
        """How many tensors one parent becomes in the first layers of a factor's networks; 0 where that is not work that
        rows may share."""
        module, name = self.factors[key], self.read(key)[place]
        return module.readers(name) if name in module.reads and module.shareable(name) else 0

    def standard(self, key: str) -> bool:
        """A standard prior of which the family has a shorter form."""
        factor = self.factor(key)
        return factor.standard and not factor.parents and self.family(key)[0].standard_log_prob is not None

    def family(self, key: str) -> tuple[FamilyEntry, Extras]:
        """What is computed of a factor's family, and the constants that it takes of the variable."""
        module = self.factors[key]
        assert isinstance(module, Conditional)
        extras = extras_of(module.family, module.factor.options, module.variable)
        if module.flow is not None:
            return FlowEntry(transform=module.flow), extras
        return ENTRIES[module.family.name], extras
