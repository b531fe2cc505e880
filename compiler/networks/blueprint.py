"""From an architecture of the language to a network's class and its own options, by kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from compiler.networks.initialization import Initializer
from compiler.networks.interface import Network, ParentInput
from compiler.networks.layers import BatchNorm, Disturbance, Dropout, LayerNorm, Style

Shapes = Mapping[str, tuple[int, ...]]
Inputs = Mapping[str, ParentInput]


@dataclass(frozen=True)
class Blueprint:
    """Enough to build a network, and to write the call that builds it.

    Every class takes the parents, the outputs, where its initial weights come from and the gain of its heads, then
    options of its own.
    """

    network: Callable[..., Network]
    options: Mapping[str, object] = field(default_factory=dict)

    def build(self, inputs: Inputs, outputs: Shapes, start: Initializer, head_gain: float) -> Network:
        """The network itself."""
        return self.network(inputs, outputs, start, head_gain, **self.options)


@dataclass(frozen=True)
class Construction:
    """How one network of a model was built: its outputs, where its initial weights come from, the gain of its heads.

    own_units: its parents enter as they are.
    """

    blueprint: Blueprint
    outputs: Shapes
    key: str
    head_gain: float
    own_units: bool


Drawn = Callable[[Any, Inputs, Shapes], Blueprint]
Function = TypeVar("Function", bound=Drawn)
KINDS: dict[str, Drawn] = {}
"""What makes the blueprint of each kind from (spec, inputs, outputs)."""


def network_kind(kind: str) -> Callable[[Function], Function]:
    """Registers a function that makes the blueprints of one kind of network."""

    def register(function: Function) -> Function:
        assert kind not in KINDS, f"{kind} is registered twice"
        KINDS[kind] = function
        return function

    return register


def style_of(spec: Any) -> Style:
    """What an architecture with layers says of what stands around them."""
    disturbed = spec.input_noise or spec.input_dropout
    return Style(
        spec.activation,
        {"batch": BatchNorm, "layer": LayerNorm}.get(spec.normalization),
        Dropout(spec.dropout) if spec.dropout else None,
        Disturbance(spec.input_noise, spec.input_dropout) if disturbed else None,
    )
