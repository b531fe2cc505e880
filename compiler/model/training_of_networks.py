"""What networks ask of training: how many times the learning rate they move, and what they pay for their weights.

Those with `weight_decay` pay beside the objective of a step, once and not per row: 1/2 * sum over these networks of
weight_decay * sum of squared weights.
"""

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn

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


def rate_factors(model: Model) -> dict[nn.Parameter, float]:
    """Weights that do not move at the learning rate itself, and how many times it they do."""
    return {
        weight: made.rate_factor
        for module in model.factors.values()
        for network, made in cast(FactorModule, module).constructions.items()
        if made.rate_factor != 1.0
        for weight in network.parameters()
    }


def paid(networks: list[tuple[Network, float]]) -> Tensor:
    """What `decayed` networks pay together, [] nats, 0 or more."""
    shares = [rate * squared_weights(network) for network, rate in networks]
    return sum(shares[1:], shares[0])
