"""What a batch may compute once for all groups of its rows, whatever their patterns of labels."""

from collections.abc import Mapping

from compiler.factors.factor_modules import FactorModule
from compiler.networks.layers import BatchNorm, draws
from compiler.networks.user_module import UserNetwork


def independent(modules: Mapping[str, FactorModule]) -> frozenset[str]:
    """Keys of factors where a row's result depends neither on the rows beside it nor on anything drawn, so that it is
    the same for the whole batch as for a group. modules: by factor key."""
    return frozenset(key for key, module in modules.items() if not draws(module) and not _mixes(module))


def _mixes(factor: FactorModule) -> bool:
    """Batch statistics, or a module of a user's own, which may do anything."""
    return any(isinstance(part, (BatchNorm, UserNetwork)) for part in factor.modules())
