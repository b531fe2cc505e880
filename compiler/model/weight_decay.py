"""What networks with `weight_decay` pay for their weights: beside the objective of a step, once and not per row.

1/2 * sum over these networks of weight_decay * sum of squared weights
"""

from collections.abc import Iterator
from typing import cast

from torch import Tensor

from compiler.factors.factor_modules import FactorModule
from compiler.model.model import Model
from compiler.networks import Network
from compiler.networks.interface import squared_weights


def decayed(model: Model) -> Iterator[tuple[Network, float]]:
    """Each network of a model that pays for its weights, and half of what it pays for their squares."""
    for module in model.factors.values():
        for network, made in cast(FactorModule, module).constructions.items():
            if made.weight_decay:
                yield network, made.weight_decay / 2


def paid(networks: list[tuple[Network, float]]) -> Tensor:
    """What `decayed` networks pay together, [] nats, 0 or more."""
    shares = [rate * squared_weights(network) for network, rate in networks]
    return sum(shares[1:], shares[0])
