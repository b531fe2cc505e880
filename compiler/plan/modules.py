"""What a plan runs with: the modules of a model's factors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.families import Distribution, build
from compiler.families.flows import Flow
from compiler.factors.conditional import ConditionalModule, DeterministicModule
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

    def distribution(self, key: str) -> Callable[..., Distribution]:
        """A factor's distribution from its parameters."""
        module = self.factors[key]
        assert isinstance(module, ConditionalModule)
        variable, family, options = module.variable, module.family, module.factor.options
        names = [info.name for info in family.parameters]
        if module.flow is not None:
            flow = module.flow
            return lambda context: Flow(variable.shape, flow, context)

        def built(*parameters: Tensor) -> Distribution:
            return build(family, options, dict(zip(names, parameters, strict=True)), variable)

        return built
