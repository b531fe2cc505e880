"""From an architecture to its module."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import torch

from compiler.networks.blueprint import KINDS, Blueprint
from compiler.networks.initialization import Initializer
from compiler.networks.interface import Network, ParentInput
from graphspec.diagnostics import InternalError
from graphspec.language import NetworkSpec

for _file in iter_modules([str(Path(__file__).parent)]):  # each kind registers itself
    import_module(f"compiler.networks.{_file.name}")


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
    usual ones. Calling it: `network(values, layout)` gives {output: Tensor}.

    Raises UserModuleError for a user's module that cannot be used, InternalError for what is refused earlier.
    """
    return blueprint(spec, inputs, outputs).build(inputs, outputs, Initializer(seed, key, dtype), head_gain)


def blueprint(
    spec: NetworkSpec, inputs: Mapping[str, ParentInput], outputs: Mapping[str, tuple[int, ...]]
) -> Blueprint:
    """The class and the options that this architecture stands for."""
    if spec.kind not in KINDS:
        raise InternalError(f"no module is built for network kind {spec.kind!r}: it should have been refused")
    return KINDS[spec.kind](spec, inputs, outputs)
