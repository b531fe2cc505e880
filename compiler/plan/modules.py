"""What a plan runs with: the modules of a model's factors."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from compiler.factors.conditional import ConditionalModule, DeterministicModule
from compiler.families.entry import Extras, FamilyEntry
from compiler.families.family_table import ENTRIES, extras_of
from compiler.families.flows import FlowEntry
from graphspec.graphs.graph import Factor, Graphs, Variable

FactorModule = ConditionalModule | DeterministicModule


@dataclass(frozen=True)
class Modules:
    """factors: a module per factor, by key. independent: keys of those that treat each row alone and draw nothing.

    shareable: (factor, place of a parent) where the share of the first layer that depends on that parent alone can be
    computed beforehand.
    """

    graphs: Graphs
    dtype: torch.dtype
    factors: Mapping[str, FactorModule]
    independent: frozenset[str]
    shareable: frozenset[tuple[str, int]] = frozenset()

    def factor(self, key: str) -> Factor:
        """The factor of a key."""
        return self.factors[key].factor

    def variable(self, key: str) -> Variable:
        """The variable of a factor."""
        return self.graphs.variables[self.factor(key).variable]

    def family(self, key: str) -> tuple[FamilyEntry, Extras]:
        """What is computed of a factor's family, and the constants that it takes of the variable."""
        module = self.factors[key]
        assert isinstance(module, ConditionalModule)
        extras = extras_of(module.family, module.factor.options, module.variable)
        if module.flow is not None:
            return FlowEntry(transform=module.flow), extras
        return ENTRIES[module.family.name], extras
