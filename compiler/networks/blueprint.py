"""From an architecture of the language to a network's class and its own options, by kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from compiler.networks.interface import Network, Setup
from compiler.networks.layers import BatchNorm, Disturbance, Dropout, LayerNorm, Style
from graphspec.diagnostics import InternalError
from graphspec.language import NetworkSpec


@dataclass(frozen=True)
class Blueprint:
    """Enough to build a network, and to write the call that builds it: its class, and options beside the setup."""

    network: Callable[..., Network]
    options: Mapping[str, object] = field(default_factory=dict)

    def build(self, setup: Setup) -> Network:
        """The network itself."""
        return self.network(setup, **self.options)


@dataclass(frozen=True)
class Construction:
    """How one network of a model was built. own_units: its parents enter as they are. weight_decay: half of it times
    the squared weights is taken off the objective. rate_factor: times the learning rate its weights move."""

    blueprint: Blueprint
    setup: Setup
    own_units: bool
    weight_decay: float = 0.0
    rate_factor: float = 1.0


Drawn = Callable[[Any, Setup], Blueprint]
Function = TypeVar("Function", bound=Drawn)
KINDS: dict[str, Drawn] = {}
"""What makes the blueprint of each kind from (spec, setup)."""


def network_kind(kind: str) -> Callable[[Function], Function]:
    """Registers a function that makes the blueprints of one kind of network."""

    def register(function: Function) -> Function:
        assert kind not in KINDS, f"{kind} is registered twice"
        KINDS[kind] = function
        return function

    return register


def blueprint(spec: NetworkSpec, setup: Setup) -> Blueprint:
    """The class and the options that this architecture stands for in a setup: `blueprint(spec, setup).build(setup)` is
    the network, with initial weights that depend on `setup.start` only.

    A weightless kind has one output, the parameter itself. Raises UserModuleError for a user's module that cannot be
    used, InternalError for what is refused earlier.
    """
    if spec.kind not in KINDS:
        raise InternalError(f"no module is built for network kind {spec.kind!r}: it should have been refused")
    return KINDS[spec.kind](spec, setup)


def style_of(spec: Any) -> Style:
    """What an architecture with layers says of what stands around them."""
    disturbed = spec.input_noise or spec.input_dropout
    return Style(
        spec.activation,
        {"batch": BatchNorm, "layer": LayerNorm}.get(spec.normalization),
        Dropout(spec.dropout) if spec.dropout else None,
        Disturbance(spec.input_noise, spec.input_dropout) if disturbed else None,
    )
