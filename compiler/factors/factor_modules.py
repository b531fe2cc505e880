"""One factor as a module over plain tensors: from its parents' values to parameters, or to a deterministic value.

From: a checked `Factor`. To: `Conditional` or `Deterministic`. A call may be made in two steps: `enter` for each
parent, on its own leading sizes, then `finish`; what enters may have been made once for many calls. Not here: which
values the parents take, and what the densities are worth.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.factors.parameter_sources import CONTEXT, ParameterSource, flow_context, parameter_sources
from compiler.factors.scene import Scene
from compiler.factors.starting_points import Entrance, StartingPoint, entrance, starting_point
from compiler.families.flow_maps import FlowMap
from compiler.families.flows import FlowBlueprint, flow_blueprint
from compiler.networks import VALUE, Network
from compiler.networks.gru import GruNetwork
from compiler.networks.initialization import Initializer
from compiler.networks.interface import by_name
from compiler.tensors.call_layout import Layout, Lead
from compiler.tensors.precision import widened
from graphspec.graphs.graph import Variable
from graphspec.language import WEIGHTLESS

Entered = tuple[Tensor | None, ...]
"""What one parent has become: a tensor for each of the factor's networks that read it, in their order; None where it
came in together with another."""


class FactorModule(nn.Module, ABC):
    """Networks over a factor's parents, and what is made of them.

    reads: the parents that some network reads, and flags of those that may be blank. constructions: how each network
    was built. entrances: of parents far from where networks start, by `of_NAME`. Initial weights depend on (seed,
    factor.key) and the factor itself only.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.factor, self.variable = scene.factor, scene.graphs.variables[scene.factor.variable]
        self._starts, self._dtype = scene.graphs.starts, scene.dtype
        self.constructions = scene.built
        self._networks: tuple[Network, ...] = ()
        self._readers: dict[str, tuple[Network, ...]] = {}
        self.entrances: Mapping[str, Entrance] = by_name({})

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the values that `forward` needs."""
        return tuple(self._readers)

    def readers(self, name: str) -> int:
        """How many of the networks read a parent."""
        return len(self._readers[name])

    def _connect(self, networks: Iterable[Network | None]) -> None:
        """Note which network reads which parent."""
        self._networks = tuple(network for network in networks if network is not None)
        names = sorted({name for network in self._networks for name in network.inputs})
        self._readers = {name: tuple(n for n in self._networks if name in n.inputs) for name in names}
        starts = {name: self._starts[name] for name in names if name in self._starts and self._shifted(name)}
        self.entrances = by_name({f"of_{name}": entrance(start, self._dtype) for name, start in starts.items()})

    def _shifted(self, name: str) -> bool:
        """Some network reads the parent otherwise than as it is."""
        return not all(self.constructions[network].own_units for network in self._readers[name])

    def enter(self, name: str, value: Tensor, layout: Layout) -> Entered:
        """What the networks' first layers make of one parent [*lead, *event]; without gradient where the spec says."""
        given = self._given(name, value)
        return tuple(network.enter(name, self._units(network, given), layout) for network in self._readers[name])

    def enter_all(self, values: Mapping[str, Tensor], layout: Layout) -> dict[str, Entered]:
        """The same of several parents."""
        given = {name: self._given(name, value) for name, value in values.items()}
        made: dict[Network, dict[str, Tensor]] = {}
        for network in self._networks:
            read = {name: self._units(network, given[name]) for name in network.inputs if name in given}
            made[network] = network.enter_all(read, layout)
        return {name: tuple(made[network].get(name) for network in self._readers[name]) for name in values}

    def _given(self, name: str, value: Tensor) -> tuple[Tensor, Tensor]:
        """A parent as it is, and near where networks start."""
        given, key = value.detach() if name in self.factor.stop_gradient else value, f"of_{name}"
        return given, self.entrances[key](given) if key in self.entrances else given

    def _units(self, network: Network, given: tuple[Tensor, Tensor]) -> Tensor:
        as_is, near = given
        return as_is if as_is is near or self.constructions[network].own_units else near

    def shareable(self, name: str) -> bool:
        """Whether `enter` is work that rows may share: it treats each by itself and draws nothing."""
        return all(network.shareable(name) for network in self._readers[name])

    def _for(self, network: Network | None, entered: Mapping[str, Entered]) -> dict[str, Tensor]:
        """What entered one of the networks."""
        if network is None:
            return {}
        found = {name: entered[name][self._readers[name].index(network)] for name in network.inputs}
        return {name: value for name, value in found.items() if value is not None}

    def forward(self, values: Mapping[str, Tensor], layout: Layout) -> Any:
        """What `finish` gives at the parents' values {name: [*lead, *event]}."""
        return self.finish(self.enter_all({name: values[name] for name in self.reads}, layout), layout)

    @abstractmethod
    def finish(self, entered: Mapping[str, Entered], layout: Layout) -> tuple[Tensor, ...] | Tensor:
        """The result, from every parent's `enter`."""


class Conditional(FactorModule):
    """p(variable | parents) or q(variable | parents).

    Each parameter comes from one source: the factor's network, a network of its own, a learned value, or a constant. A
    flow has no parameters but a map with weights of its own, to which the factor's network gives a context.
    starts: of parameters whose heads' zeros stand for what training rows say, by `of_PARAMETER`. Parameters are at
    least single precision. Raises SpecError where a user's own module is named and not allowed, or cannot be used.
    """

    sources: Sequence[ParameterSource]

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        assert self.factor.family is not None, f"{self.factor.key} is deterministic"
        self.family = self.factor.family
        self.flow: FlowMap | None = None
        sources: list[ParameterSource]
        if self.family.flow:
            self.made, source = _flow(scene, self.variable)
            self.flow = self.made.build(Initializer(scene.seed, f"{self.factor.key}/flow", scene.dtype))
            self.names, sources = [CONTEXT], [source]
        else:
            self.names, sources = [i.name for i in self.family.parameters], parameter_sources(scene, self.variable)
        self.sources = nn.ModuleList(sources)  # type: ignore[assignment]
        self._connect(source.network for source in sources)
        start = self.variable.start
        moved = {} if start is None else start.parameters.get(self.factor.side, {})
        self.starts: Mapping[str, StartingPoint] = by_name(
            {f"of_{n}": starting_point(shift, start, scene.dtype) for n, shift in moved.items() if start is not None}
        )

    def finish(self, entered: Mapping[str, Entered], layout: Layout) -> tuple[Tensor, ...]:
        """The family's parameters in its order (of a flow its context), each [*lead, *event]."""
        found: dict[str, Tensor] = {}
        for source in self.sources:
            found.update(source(self._for(source.network, entered), layout))
        return tuple(self._started(name, found[name]) for name in self.names)

    def _started(self, name: str, value: Tensor) -> Tensor:
        return self.starts[f"of_{name}"](value) if f"of_{name}" in self.starts else value


class Deterministic(FactorModule):
    """A deterministic variable: a network's last hidden layer, or a linear head through the domain's link.

    Simplex and direction are made so along the first axis. A network without weights gives the value itself.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        factor = self.factor
        assert factor.network is not None, f"{factor.key} has no network"
        feature = self.variable.domain is None
        outputs = {} if feature else {VALUE: self.variable.shape}
        self.linked = not feature and not isinstance(factor.network, WEIGHTLESS)
        self.network = scene.network(factor.network, factor.parents, outputs)
        self._connect([self.network])

    def finish(self, entered: Mapping[str, Entered], layout: Layout) -> Tensor:
        """[*lead, *shape]."""
        value = widened(self.network.finish(self._for(self.network, entered), layout)[VALUE])
        return linked(self.variable, value, layout.dims) if self.linked else value

    def along(
        self, values: Mapping[str, Tensor], layout: Lead, place: int, steps: int, there: Tensor | None, *, back: bool
    ) -> Tensor:
        """Of a `gru` that nothing else is in a loop with, every element's value: see `GruNetwork.along`."""
        network = self.network
        assert isinstance(network, GruNetwork), f"{self.factor.key} is no gru"
        read = {name: self._units(network, self._given(name, value)) for name, value in values.items()}
        return widened(network.along(read, layout, place, steps, there, back=back))


def linked(variable: Variable, value: Tensor, first: int) -> Tensor:
    """The domain's link; simplex and direction run along the axis `first`."""
    match variable.info.link:
        case "softplus":
            return F.softplus(value)
        case "sigmoid":
            return torch.sigmoid(value)
        case "softmax":
            return torch.softmax(value, dim=first)
        case "normalize":
            return F.normalize(value, dim=first)
        case _:
            return value


def _flow(scene: Scene, variable: Variable) -> tuple[FlowBlueprint, ParameterSource]:
    """The map of a flow and what gives its context; which way is the fast one: see `compiler.families.flows`."""
    factor, family = scene.factor, scene.factor.family
    assert family is not None
    options = {name: default for name, (default, _) in family.options.items()} | dict(factor.options)
    source, width = flow_context(scene, variable, options["hidden"][0])
    drawn = factor.side == "recognition" and variable.role == "latent"
    from_noise = family.name == "inverse_autoregressive" or (drawn and family.name != "masked_autoregressive")
    return flow_blueprint(family.name, options, prod(variable.shape), width, from_noise=from_noise), source
