"""Where the parameters of a factor's distribution come from: constants, learned values, networks.

From: a checked `Factor`. To: modules that give constrained parameters under the family's own names.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.factors.links import without_axes
from compiler.factors.parameters import PROBABILITY_MARGIN, Learned, constrain, from_alternative, legal
from compiler.factors.scene import Scene
from compiler.networks import Network
from compiler.symbolic.networks_read import resolved_network
from compiler.tensors.call_layout import Layout
from compiler.tensors.precision import widened
from graphspec.graphs.graph import Variable
from graphspec.graphs.network_choice import shapes_read
from graphspec.graphs.parameter_shape import parameter_shape
from graphspec.language import (
    WEIGHTLESS,
    LearnedParameter,
    NetworkParameter,
    ParameterSpec,
)
from graphspec.language.families import ParameterInfo
from graphspec.language.shapes import size_of

LATENT_HEAD_GAIN = 0.05
"""Initial weights of a continuous latent variable's heads against the usual ones: of order 1e-3 after a layer of 500
units. Such a latent starts close to its standard prior, silent, so a label beside it is used first."""


CONTEXT = "context"
"""Name of what a flow gets from its factor's network, in place of parameters."""


class ParameterSource(nn.Module, ABC):
    """Where one or more parameters of a distribution come from."""

    def __init__(self, network: Network | None = None) -> None:
        """network: what reads the factor's parents, if anything does."""
        super().__init__()
        self.network = network

    @abstractmethod
    def forward(self, entered: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
        """Constrained, under the family's own names: {parameter: [*lead, *shape]}. entered: what the network's first
        layer made of each parent."""


class ConstantSource(ParameterSource):
    """A number or list from the spec; part of the program, not of the checkpoint."""

    value: Tensor

    def __init__(
        self, info: ParameterInfo, name: str, given: float | tuple[Any, ...], variable: Variable, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.name = info.name
        value = torch.as_tensor(given, dtype=torch.float64)
        own = from_alternative(info, name, value, torch.finfo(dtype).tiny)
        spread = own.expand(parameter_shape(variable, info))
        if info.link == "normalize":
            spread = F.normalize(spread, dim=0)
        self.register_buffer("value", spread.to(dtype).unsqueeze(0), persistent=False)

    def forward(self, entered: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
        return {self.name: without_axes(self.value, layout)}


class LearnedSource(ParameterSource):
    """A learned parameter."""

    def __init__(
        self, info: ParameterInfo, name: str, spec: LearnedParameter, variable: Variable, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.info = info
        self.learned = Learned(spec, info, name, parameter_shape(variable, info), dtype)

    def forward(self, entered: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
        return {self.info.name: without_axes(self.learned(), layout)}


class NetworkSource(ParameterSource):
    """A network over parents: heads and links, or (without weights) the parameter itself under the name `direct`."""

    network: Network

    def __init__(self, network: Network, infos: Sequence[ParameterInfo], rank: int, direct: str = "") -> None:
        super().__init__(network)
        self.infos, self.axis, self.direct = tuple(infos), -max(rank, 1), direct

    def forward(self, entered: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
        return self.linked(self.network.finish(entered, layout))

    def linked(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Parameters from what the network gives."""
        if not self.direct:
            return {info.name: constrain(info, outputs[info.name], self.axis) for info in self.infos}
        return {info.name: self._given(info, widened(outputs[self.direct])) for info in self.infos}

    def _given(self, info: ParameterInfo, value: Tensor) -> Tensor:
        """What a network without weights computes, as the family's own parameter."""
        if self.direct != info.name:
            return from_alternative(info, self.direct, value, PROBABILITY_MARGIN)
        return legal(info, value, self.axis)


class ContextSource(ParameterSource):
    """What a flow is given per row: the last hidden layer of the factor's network, flattened; nothing for a root."""

    nothing: Tensor

    def __init__(self, network: Network | None, dtype: torch.dtype) -> None:
        super().__init__(network)
        self.register_buffer("nothing", torch.zeros(1, 0, dtype=dtype), persistent=False)

    def forward(self, entered: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
        if self.network is None:
            return {CONTEXT: without_axes(self.nothing, layout)}
        (features,) = self.network.finish(entered, layout).values()
        return {CONTEXT: features.flatten(layout.dims).to(self.nothing.dtype)}


def parameter_sources(scene: Scene, variable: Variable) -> list[ParameterSource]:
    """One source per given parameter, then the factor's network for what is left."""
    factor, family = scene.factor, scene.factor.family
    assert family is not None
    sources: list[ParameterSource] = []
    left = {info.name: info for info in family.parameters}
    for name, spec in factor.parameters.items():
        info = family.parameter(name)
        assert info is not None, f"{factor.key} has no parameter {name}"
        del left[info.name]
        sources.append(_given(scene, variable, info, name, spec))
    direct = family.parameter(family.direct)
    if left and factor.network is not None:
        if isinstance(factor.network, WEIGHTLESS):
            assert direct is not None, f"{family.name} has no parameter that a network without weights gives"
            del left[direct.name]
            outputs = {family.direct: parameter_shape(variable, direct)}
            network = scene.network(factor.network, factor.parents, outputs)
            sources.append(NetworkSource(network, [direct], len(variable.shape), family.direct))
        else:
            outputs = {info.name: parameter_shape(variable, info) for info in left.values()}
            network = scene.network(factor.network, factor.parents, outputs, head_gain=initial_head_gain(variable))
            sources.append(NetworkSource(network, list(left.values()), len(variable.shape)))
            left = {}
    free = LearnedParameter(learned="element")
    return sources + [_given(scene, variable, info, info.name, free) for info in left.values()]


def flow_context(scene: Scene, variable: Variable, width: int) -> tuple[ParameterSource, int]:
    """The source of a flow's context and its size: the network's last hidden layer, else a head of `width` numbers."""
    factor, variables = scene.factor, scene.graphs.variables
    if factor.network is None or not factor.parents:
        return ContextSource(None, scene.dtype), 0
    shapes = shapes_read(factor.network, {name: variables[name] for name in factor.parents})
    shape, hidden = factor.network.context_shape(shapes, variable.shape, width)
    network = scene.network(factor.network, factor.parents, {} if hidden else {CONTEXT: shape})
    return ContextSource(network, scene.dtype), size_of(shape)


def initial_head_gain(variable: Variable) -> float:
    """Initial weights of the heads of a variable's parameters, against the usual ones."""
    return LATENT_HEAD_GAIN if variable.role == "latent" and not variable.discrete else 1.0


def _given(scene: Scene, variable: Variable, info: ParameterInfo, name: str, spec: ParameterSpec) -> ParameterSource:
    if isinstance(spec, LearnedParameter):
        return LearnedSource(info, name, spec, variable, scene.dtype)
    if not isinstance(spec, NetworkParameter):
        return ConstantSource(info, name, spec, variable, scene.dtype)
    architecture = resolved_network(scene.graphs, spec)
    direct = name if isinstance(architecture, WEIGHTLESS) else ""
    outputs = {direct or info.name: parameter_shape(variable, info)}
    network = scene.network(architecture, spec.parents, outputs, below=name, head_gain=initial_head_gain(variable))
    return NetworkSource(network, [info], len(variable.shape), direct)
