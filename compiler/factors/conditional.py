"""One factor as a module: from its parents' values to its distribution, or to a deterministic variable's value.

From: a checked `Factor`. To: `ConditionalModule` or `DeterministicModule`, which map {name: AxisTensor}. Not here:
which values the parents take, and what the densities are worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.factors.parameter_sources import CONTEXT, ParameterSource, Scene, flow_context, parameter_sources
from compiler.families import Distribution, build
from compiler.families.flow_maps import FlowMap
from compiler.families.flows import Flow, build_flow_map
from compiler.networks import VALUE
from compiler.networks.initialization import Initializer
from compiler.tensors.axes import AxisTensor, align
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.noise import Noise
from compiler.tensors.precision import widened
from graphspec.graphs.graph import Factor, Graphs, Variable
from graphspec.language import WEIGHTLESS


@dataclass(frozen=True)
class Located:
    """A distribution together with the leading axes that its parameters carry."""

    axes: tuple[str, ...]
    distribution: Distribution

    def on(self, axes: Sequence[str]) -> Distribution:
        """Broadcastable over `axes` (canonical, a superset of its own)."""
        return self.distribution.on(self.axes, axes)


class ConditionalModule(nn.Module):
    """p(variable | parents) or q(variable | parents).

    Each parameter comes from one source: the factor's network, a network of its own, a learned value, or a constant. A
    flow has no parameters but a map with weights of its own, to which the factor's network gives a context.
    Initial weights depend on (seed, factor.key) and the factor itself only. Parameters are at least single precision.
    Raises SpecError where a user's own module is named and not allowed, or cannot be used.
    """

    def __init__(
        self,
        factor: Factor,
        graphs: Graphs,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        allow_python: bool = False,
    ) -> None:
        super().__init__()
        assert factor.family is not None, f"{factor.key} is deterministic"
        self.factor, self.family = factor, factor.family
        self.variable = graphs.variables[factor.variable]
        scene = Scene(factor, graphs, seed, dtype, allow_python)
        self.flow: FlowMap | None = None
        if self.family.flow:
            self.flow, source = _flow(scene, self.variable)
            self.sources = nn.ModuleList([source])
        else:
            self.sources = nn.ModuleList(parameter_sources(scene, self.variable))

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> Located:
        """The distribution at the parents' values, on the union of the axes that its parameters depend on."""
        given = _entering(self.factor, values)
        found: dict[str, AxisTensor] = {}
        for source in self.sources:
            found.update(cast(dict[str, AxisTensor], source(given, noise)))
        if self.flow is not None:
            context = found[CONTEXT]
            return Located(context.axes, Flow(self.variable.shape, self.flow, context.data))
        names = [info.name for info in self.family.parameters]
        axes, tensors = align([found[name] for name in names])
        parameters = dict(zip(names, tensors, strict=True))
        return Located(axes, build(self.family, self.factor.options, parameters, self.variable))


class DeterministicModule(nn.Module):
    """A deterministic variable: a network's last hidden layer, or a linear head through the domain's link.

    Simplex and direction are made so along the first axis. A network without weights gives the value itself.
    """

    def __init__(
        self,
        factor: Factor,
        graphs: Graphs,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        allow_python: bool = False,
    ) -> None:
        super().__init__()
        assert factor.network is not None, f"{factor.key} has no network"
        self.factor = factor
        self.variable = graphs.variables[factor.variable]
        scene = Scene(factor, graphs, seed, dtype, allow_python)
        feature = self.variable.domain is None
        outputs = {} if feature else {VALUE: self.variable.shape}
        self.linked = not feature and not isinstance(factor.network, WEIGHTLESS)
        self.network = scene.network(factor.network, factor.parents, outputs)

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> AxisTensor:
        """[*axes, B, *shape] on the union of its parents' axes."""
        outputs = cast(dict[str, AxisTensor], self.network(_entering(self.factor, values), noise))
        value = AxisTensor(outputs[VALUE].axes, widened(outputs[VALUE].data))
        return AxisTensor(value.axes, _linked(self.variable, value)) if self.linked else value


def _flow(scene: Scene, variable: Variable) -> tuple[FlowMap, ParameterSource]:
    """The map of a flow and what gives its context; which way is the fast one: see `compiler.families.flows`."""
    factor, family = scene.factor, scene.factor.family
    assert family is not None
    options = {name: default for name, (default, _) in family.options.items()} | dict(factor.options)
    source, width = flow_context(scene, variable, options["hidden"][0])
    drawn = factor.side == "recognition" and variable.role == "latent"
    from_noise = family.name == "inverse_autoregressive" or (drawn and family.name != "masked_autoregressive")
    start = Initializer(scene.seed, f"{factor.key}/flow", scene.dtype)
    return build_flow_map(family.name, options, prod(variable.shape), width, start, from_noise=from_noise), source


def _entering(factor: Factor, values: Mapping[str, AxisTensor]) -> dict[str, AxisTensor]:
    """The parents' values, without gradient where the spec stops it, and flags of those that may be blank."""
    stopped = factor.stop_gradient
    entering = {
        name: AxisTensor(values[name].axes, values[name].data.detach()) if name in stopped else values[name]
        for name in factor.parents
    }
    flags = (name + PRESENCE for name in factor.parents)
    return entering | {flag: values[flag] for flag in flags if flag in values}


def _linked(variable: Variable, value: AxisTensor) -> Tensor:
    """The domain's link; simplex and direction run along the first axis of the event."""
    data, link = value.data, variable.info.link
    if link == "softplus":
        return F.softplus(data)
    if link == "sigmoid":
        return torch.sigmoid(data)
    first = len(value.axes) + 1
    if link == "softmax":
        return torch.softmax(data, dim=first)
    return F.normalize(data, dim=first) if link == "normalize" else data
