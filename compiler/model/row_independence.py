"""What a batch may compute once for all groups of its rows, whatever their patterns of labels."""

from collections.abc import Mapping

from torch import nn

from compiler.factors.factor_modules import FactorModule
from compiler.networks.layers import BatchNorm, Between, Disturbance
from compiler.networks.user_module import UserNetwork


def independent(modules: Mapping[str, FactorModule]) -> frozenset[str]:
    """Keys of factors where a row's result depends neither on the rows beside it nor on anything drawn, so that it is
    the same for the whole batch as for a group. modules: by factor key."""
    return frozenset(key for key, module in modules.items() if not any(map(_mixes, module.modules())))


def _mixes(part: nn.Module) -> bool:
    """Batch statistics, dropout, noise, or a module of a user's own, which may do either."""
    if isinstance(part, (Between, Disturbance)) and part.rate > 0:
        return True
    return isinstance(part, (BatchNorm, UserNetwork)) or (isinstance(part, Disturbance) and part.noise > 0)
