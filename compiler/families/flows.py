"""Flows: standard normal noise sent through an invertible network, by the library zuko (imported only where used).

Each family is fast one way and slow the other: autoregressive maps run backwards one element at a time, and where no
formula inverts them, by bisection among values within 10 of zero. `masked_autoregressive` is fast to score,
`inverse_autoregressive` fast to draw from. The other families run their fast way from noise to value for a latent of
recognition, which is scored only at its own draws, and from value to noise everywhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from compiler.families.entry import Extras, FamilyEntry, Function, Parameters
from compiler.families.flow_maps import FlowMap, flow_draw, flow_log_prob, last_layers
from compiler.families.noise_kinds import NORMAL, NoiseKind
from compiler.networks.initialization import Initializer
from compiler.tensors.expression import applied
from compiler.tensors.precision import widened

LAST_GAIN = 0.05
"""Initial weights of the last layer of each transform against the usual ones: a flow starts close to the identity, so
its distribution starts close to the standard normal (not `neural_autoregressive`, whose monotone networks have no such
start)."""

_AVERAGED = 64
"""Draws (in pairs of opposite noise, always the same ones) that the mean of a flow is an average of."""

ZUKO = {
    "masked_autoregressive": "MAF",
    "inverse_autoregressive": "MAF",
    "neural_spline": "NSF",
    "neural_autoregressive": "NAF",
    "sum_of_squares": "SOSPF",
    "unconstrained_neural_autoregressive": "UNAF",
    "continuous": "CNF",
}


INTEGRAL = ("sum_of_squares", "unconstrained_neural_autoregressive")
"""Families that integrate a network."""


@dataclass(frozen=True)
class FlowBlueprint:
    """Enough to build the map of one factor, and to write the call that builds it.

    kind: a class of `zuko.flows`. features: numbers of a value. context: numbers that the factor's network gives per
    row, 0 for a root. sizes: the class's further arguments. ways: what `flow_map` has to know of the family.
    """

    kind: str
    features: int
    context: int
    sizes: Mapping[str, Any]
    ways: Mapping[str, bool]

    def build(self, start: Initializer) -> FlowMap:
        """The invertible map. Initial weights depend on `start` alone and are close to the identity. `continuous`
        integrates with an adaptive step that the whole batch shares: a row's density depends on its batch in the sixth
        digit."""
        import zuko.flows

        with torch.random.fork_rng(devices=[]):
            flow = getattr(zuko.flows, self.kind)(self.features, self.context, **self.sizes)
        return flow_map(flow.transform, start, **self.ways)


def flow_blueprint(
    family: str, options: Mapping[str, Any], features: int, context: int, *, from_noise: bool
) -> FlowBlueprint:
    """The map of a family with its options; which way is the fast one: above."""
    sizes: dict[str, Any] = {"hidden_features": tuple(options["hidden"])}
    if "transforms" in options:
        sizes["transforms"] = options["transforms"]
    kinds = {"symmetric": family == "continuous", "integral": family in INTEGRAL}
    ways = {"from_noise": from_noise} | {name: True for name, has in kinds.items() if has}
    return FlowBlueprint(ZUKO[family], features, context, sizes, ways)


def flow_map(
    transform: nn.Module, start: Initializer, *, from_noise: bool, symmetric: bool = False, integral: bool = False
) -> FlowMap:
    """The map of one of zuko's transforms. Every tensor starts from a generator of its own, keyed by its name; the last
    layers of networks small."""
    module = transform.to(start.dtype)
    last = {id(parameter) for layer in last_layers(module) for parameter in layer.parameters()}
    with torch.no_grad():
        for owner_name, owner in module.named_modules():
            weight = getattr(owner, "weight", None)
            fan_in = weight.shape[-1] if isinstance(weight, Tensor) else 1
            for name, parameter in owner.named_parameters(prefix=owner_name, recurse=False):
                small = id(parameter) in last or not isinstance(weight, Tensor)
                drawn = start.uniform(name, parameter.shape, fan_in, LAST_GAIN if small else 1.0)
                parameter.copy_(drawn)
    return FlowMap(module, from_noise=from_noise, symmetric=symmetric, integral=integral)


def _of_the_map(*_: Tensor) -> Tensor:
    raise NotImplementedError("a flow's numbers come from its map, by the methods of its entry")


@dataclass(frozen=True, eq=False, kw_only=True)
class FlowEntry(FamilyEntry):
    """A flow as an entry of its own, beside those of the table: a multivariate distribution over all elements.

    Its only parameter is the context of its map, [*lead, C]; C is 0 for a root. The density of a draw comes with it
    (`drawn`), so that an inverse autoregressive flow is never run backwards for its own draws.
    constant: the weights of the map receive no gradient.
    """

    name: str = "flow"
    log_prob: Function = _of_the_map
    noise_kind: NoiseKind = NORMAL
    mean: Function = _of_the_map
    mode: Function = _of_the_map
    transform: FlowMap
    constant: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return ("context",)

    def detached(self) -> "FlowEntry":
        return replace(self, constant=True)

    def each(self, value: Tensor, parameters: Parameters, extras: Extras, *, relaxed: bool = False) -> Tensor:
        """One density per event: every event axis has size 1."""
        return self.summed(value, parameters, extras)[(..., *[None] * len(extras.shape))]

    def summed(self, value: Tensor, parameters: Parameters, extras: Extras, *, relaxed: bool = False) -> Tensor:
        given = (self.transform, widened(parameters[0]), value, extras.shape)
        return applied(flow_log_prob, *given, **self._held)

    def joint_axes(self, extras: Extras) -> int:
        return len(extras.shape)

    @property
    def _held(self) -> dict[str, bool]:
        return {"constant": True} if self.constant else {}

    def drawn(self, eps: Tensor, parameters: Parameters, extras: Extras) -> tuple[Tensor, Tensor]:
        """The draw that `eps` stands for, and its log density [*lead]. The density's derivative is the total one: it
        flows through the draw and through the parameters."""
        return applied(flow_draw, self.transform, widened(parameters[0]), eps, extras.shape, **self._held)

    def pathwise(self, eps: Tensor, parameters: Parameters, extras: Extras) -> Tensor:
        return self.drawn(eps, parameters, extras)[0]

    def sampled(self, eps: Tensor, parameters: Parameters, extras: Extras) -> Tensor:
        with torch.no_grad():
            return self.pathwise(eps, parameters, extras).detach()

    def mean_of(self, parameters: Parameters, extras: Extras) -> Tensor:
        """Average of `_AVERAGED` fixed draws: exact where the map is affine, an estimate elsewhere."""
        context, generator = widened(parameters[0]), torch.Generator().manual_seed(0)
        half = torch.randn(_AVERAGED // 2, *extras.shape, generator=generator, dtype=context.dtype)
        eps = torch.cat([half, -half]).to(context.device)
        with_lead = eps.reshape(_AVERAGED, *(1,) * (context.dim() - 1), *extras.shape)
        return flow_draw(self.transform, context, with_lead, extras.shape)[0].mean(0)

    def mode_of(self, parameters: Parameters, extras: Extras) -> Tensor:
        """What the likeliest noise becomes: the centre, not always the likeliest value, which has no formula."""
        context = widened(parameters[0])
        return self.sampled(context.new_zeros(*(1,) * (context.dim() - 1), *extras.shape), parameters, extras)

    def spread(self, parameters: Parameters, extras: Extras) -> tuple[Tensor, ...]:
        return tuple(parameters)

    def lead(self, parameters: Parameters, extras: Extras) -> torch.Size:
        return parameters[0].shape[:-1]
