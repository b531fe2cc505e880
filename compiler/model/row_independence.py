"""What a batch may compute once for all groups of its rows, whatever their patterns of labels."""

from collections.abc import Mapping
from math import prod

from compiler.factors.factor_modules import FactorModule
from compiler.networks.layers import BatchNorm, draws
from compiler.networks.user_module import UserNetwork
from graphspec.graphs.graph import Graphs

FEW_WEIGHTS, FEW_ELEMENTS = 4096, 64
"""Up to which networks, and values that are repeated for every place on an axis, are small: a product with as many
weights takes about ten microseconds for a hundred rows, as long as to call it."""


def independent(modules: Mapping[str, FactorModule]) -> frozenset[str]:
    """Keys of factors where a row's result depends neither on the rows beside it nor on anything drawn, so that it is
    the same for the whole batch as for a group. modules: by factor key."""
    return frozenset(key for key, module in modules.items() if not draws(module) and not _mixes(module))


def light(graphs: Graphs, modules: Mapping[str, FactorModule], alone: frozenset[str]) -> frozenset[str]:
    """Keys of those `independent` factors for which calling torch takes longer than computing."""
    return frozenset(key for key in alone if _few_numbers(graphs, modules[key]))


def _few_numbers(graphs: Graphs, module: FactorModule) -> bool:
    names = (module.factor.variable, *module.factor.parents)
    weights = sum(parameter.numel() for parameter in module.parameters())
    return weights <= FEW_WEIGHTS and all(prod(graphs.variables[name].shape) <= FEW_ELEMENTS for name in names)


def _mixes(factor: FactorModule) -> bool:
    """Batch statistics, or a module of a user's own, which may do anything."""
    return any(isinstance(part, (BatchNorm, UserNetwork)) for part in factor.modules())
