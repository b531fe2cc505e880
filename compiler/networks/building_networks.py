"""From an architecture to its module."""

from collections.abc import Mapping

import torch

from compiler.networks.convolution import CnnNetwork, DeconvNetwork
from compiler.networks.dense import LinearNetwork, MlpNetwork
from compiler.networks.elementwise import ElementwiseNetwork
from compiler.networks.initialization import Initializer
from compiler.networks.interface import VALUE, Network, ParentInput
from compiler.networks.residual import ResnetDown, ResnetUp
from compiler.networks.user_module import UserNetwork
from compiler.networks.weightless import AffineNetwork, ElementaryNetwork
from graphspec.diagnostics import InternalError
from graphspec.language import NetworkSpec
from graphspec.language.networks import (
    AffineRead,
    AffineWrite,
    Cnn,
    Deconv,
    Dot,
    Elementwise,
    Identity,
    Linear,
    Mlp,
    Product,
    PythonNetwork,
    Resnet,
    SumOf,
)


def build_network(
    spec: NetworkSpec,
    inputs: Mapping[str, ParentInput],
    outputs: Mapping[str, tuple[int, ...]],
    *,
    seed: int,
    key: str,
    dtype: torch.dtype,
    head_gain: float = 1.0,
) -> Network:
    """The network of one factor, with initial weights that depend on (seed, key) only.

    inputs: {parent: how it enters}. outputs: {parameter: event shape}, unconstrained; one output for a weightless kind,
    whose result is the parameter itself; empty for a deterministic variable without a size, whose VALUE is then the
    last hidden layer (or a weightless network's result). head_gain: scale of the heads' initial weights against the
    usual ones. Calling it: `network(values, noise)` gives {output: AxisTensor}.

    Raises UserModuleError for a user's module that cannot be used, InternalError for what is refused earlier.
    """
    start = Initializer(seed, key, dtype)
    match spec:
        case Linear():
            return LinearNetwork(inputs, outputs, start, head_gain)
        case Mlp():
            return MlpNetwork(spec, inputs, outputs, start, head_gain)
        case Cnn():
            return CnnNetwork(spec, inputs, outputs, start, head_gain)
        case Deconv():
            return DeconvNetwork(spec, inputs, outputs, start, head_gain)
        case Resnet(direction="down"):
            return ResnetDown(spec, inputs, outputs, start, head_gain)
        case Resnet():
            return ResnetUp(spec, inputs, outputs, start, head_gain)
        case Elementwise():
            return ElementwiseNetwork(inputs, outputs or {VALUE: _common_shape(inputs)}, start, head_gain)
        case PythonNetwork():
            return UserNetwork(spec, inputs, outputs, start)
        case Identity() | Product() | SumOf() | Dot():
            name, shape = next(iter(outputs.items())) if outputs else (VALUE, None)
            return ElementaryNetwork(spec, inputs, name, shape)
        case AffineRead() | AffineWrite():
            name, shape = next(iter(outputs.items()))
            return AffineNetwork(spec, name, shape)
        case _:
            raise InternalError(f"no module is built for network kind {spec.kind!r}: it should have been refused")


def _common_shape(inputs: Mapping[str, ParentInput]) -> tuple[int, ...]:
    return next(iter(inputs.values())).shape
