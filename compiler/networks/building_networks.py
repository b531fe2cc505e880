"""From an architecture to what builds its module."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from compiler.networks.blueprint import KINDS, Blueprint
from compiler.networks.interface import Setup
from graphspec.diagnostics import InternalError
from graphspec.language import NetworkSpec

for _module in iter_modules([str(Path(__file__).parent)]):  # each kind registers itself
    import_module(f"compiler.networks.{_module.name}")


def blueprint(spec: NetworkSpec, setup: Setup) -> Blueprint:
    """The class and the options that this architecture stands for in a setup: `blueprint(spec, setup).build(setup)` is
    the network, with initial weights that depend on `setup.start` only.

    A weightless kind has one output, the parameter itself. Raises UserModuleError for a user's module that cannot be
    used, InternalError for what is refused earlier.
    """
    if spec.kind not in KINDS:
        raise InternalError(f"no module is built for network kind {spec.kind!r}: it should have been refused")
    return KINDS[spec.kind](spec, setup)
