"""kind: python: a torch module of the user's own, imported only where that was allowed."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.interface import Network, ParentInput, Setup
from compiler.networks.torchvision_shim import make_importable
from compiler.tensors.broadcasting import broadcast_shape
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import PythonNetwork

Shapes = Mapping[str, tuple[int, ...]]
_LONGEST_PATH = 1024


class UserNetwork(Network):
    """`module(inputs={name: shape}, outputs={parameter: shape}, **args)`; `forward(**parents)` gives unconstrained
    parameters as a mapping (a single output may be a bare tensor).

    Leading dimensions arrive flattened: each parent is [rows, *shape], a category one-hot ([rows, *shape, K]),
    everything else in its own units.
    """

    def __init__(self, setup: Setup, module: Callable[..., nn.Module], args: Mapping[str, Any]) -> None:
        super().__init__(setup)
        self.dtype = setup.start.dtype
        events = {name: user_shape(parent) for name, parent in self.inputs.items()}
        self.module = module(inputs=events, outputs=self.shapes, **args).to(self.dtype)

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """In its own units [*lead, *shape]; classes one-hot."""
        parent = self.inputs[name]
        return parent.class_weights(value, layout, self.dtype) if parent.encoding == "table" else value.to(self.dtype)

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        lead = broadcast_shape(*(value.shape[: layout.dims] for value in entered.values()))
        flat = {
            name: value.expand(*lead, *value.shape[layout.dims :]).reshape(-1, *value.shape[layout.dims :])
            for name, value in entered.items()
        }
        found = self.module(**flat)
        named = {next(iter(self.shapes)): found} if isinstance(found, Tensor) else found
        return {name: named[name].reshape(*lead, *shape) for name, shape in self.shapes.items()}


def user_shape(parent: ParentInput) -> tuple[int, ...]:
    """Event shape of a parent as a user's module reads it."""
    return (*parent.shape, parent.classes) if parent.encoding == "table" else parent.shape


class UserModuleError(Exception):
    """The user's module cannot be used: why, and what to do. The caller knows the place in the spec."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class UserBlueprint(Blueprint):
    """A user's network is tried once on two rows of zeros, and what it gives is checked at every call.

    Initial weights drawn from torch's default generator are seeded from the factor's name. `build` raises
    UserModuleError where the class cannot be built, fails on that trial, or gives something else than promised.
    """

    def build(self, setup: Setup) -> Network:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setup.start.derived_seed())
            network = cast(UserNetwork, super().build(setup))
            checked = partial(_checked, self.options["module"], network.shapes)
            network.module.register_forward_hook(checked, with_kwargs=True)
            self._try_once(network)
        return network

    def _try_once(self, network: UserNetwork) -> None:
        """A mistake in the user's forward should come with its place in the spec, before any training."""
        events = {name: user_shape(parent) for name, parent in network.inputs.items()}
        zeros = {name: torch.zeros(2, *event, dtype=network.dtype) for name, event in events.items()}
        was_training = network.module.training
        network.module.eval()
        try:
            with torch.no_grad():
                network.module(**zeros)
        except UserModuleError:
            raise
        except Exception as error:  # whatever the user's forward raises is theirs to read
            shapes = {name: list(value.shape) for name, value in zeros.items()}
            raise UserModuleError(
                f"{self.options['module']} failed on a trial: {type(error).__name__}: {error}",
                f"it was called with shapes {shapes}",
            ) from error
        finally:
            network.module.train(was_training)


def _checked(
    target: object, outputs: Shapes, module: nn.Module, args: Any, given: Mapping[str, Tensor], found: Any
) -> None:
    """After every call of a user's module: that it gave what was asked for."""
    rows = len(next(iter(given.values())))
    expected = {name: [rows, *shape] for name, shape in outputs.items()}
    if isinstance(found, Tensor) and len(outputs) == 1:
        found = {next(iter(outputs)): found}
    if not isinstance(found, Mapping):
        raise UserModuleError(
            f"{target} returned {type(found).__name__} instead of its parameters",
            f"return a dict of tensors with shapes {expected}",
        )
    for name, shape in expected.items():
        value = found.get(name)
        got = list(value.shape) if isinstance(value, Tensor) else "nothing"
        if got != shape:
            raise UserModuleError(
                f"{target} gave {got} for '{name}'", f"return '{name}' with shape {shape} (rows come first)"
            )


def look_beside(spec: Path) -> None:
    """The working folder and the spec's own join the places where Python looks for modules, behind all others.

    They stay there: a module may import others when it runs.
    """
    folders = [Path.cwd(), *([spec.resolve().parent] if spec.is_file() else [])]
    sys.path.extend(str(folder) for folder in folders if str(folder) not in sys.path)


def found_beside(spec: Path, value: Any) -> Any:
    """Arguments of a user's class, at any depth: a text that names a file beside the spec becomes its full path.

    So weights are found wherever the program is started. Everything else stays as it is written.
    """
    if isinstance(value, Mapping):
        return {key: found_beside(spec, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(found_beside(spec, item) for item in value)
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return value
    file = spec.resolve().parent / value
    return str(file) if spec.is_file() and len(value) < _LONGEST_PATH and file.is_file() else value


@dataclass(frozen=True)
class UserClass:
    """A class of the user's own by its name. Raises UserModuleError where it cannot be imported or built."""

    module: str
    name: str

    def __call__(self, inputs: Shapes, outputs: Shapes, **args: Any) -> nn.Module:
        """The user's network."""
        given = {"inputs": dict(inputs), "outputs": dict(outputs)}
        kind = self._imported()
        try:
            built = kind(**given, **args)
        except Exception as error:  # whatever the user's constructor raises is theirs to read
            signature = ", ".join(f"{name}={value}" for name, value in given.items())
            raise UserModuleError(
                f"{self} could not be built: {type(error).__name__}: {error}",
                f"it is called with {signature} and its `args`",
            ) from error
        if not isinstance(built, nn.Module):
            raise UserModuleError(f"{self} is not a torch.nn.Module", "derive the class from torch.nn.Module")
        return built

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    def _imported(self) -> Callable[..., object]:
        make_importable()  # beside this torch, whether or not the module asks for torchvision
        try:
            module = importlib.import_module(self.module)
        except Exception as error:  # the user's module may fail in any way while it runs
            raise UserModuleError(
                f"{self.module} cannot be imported: {type(error).__name__}: {error}",
                "install it, or put it beside the spec or into the folder you start from",
            ) from error
        found = getattr(module, self.name, None)
        if not callable(found):
            raise UserModuleError(f"{self.module} has no class {self.name}", f"its names: {_public(vars(module))}")
        return cast(Callable[..., object], found)


def _public(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(sorted(name for name in names if not name.startswith("_"))[:20]) or "none"


@network_kind("python")
def _python(spec: PythonNetwork, setup: Setup) -> Blueprint:
    return UserBlueprint(UserNetwork, {"module": UserClass(*spec.target.split(":")), "args": spec.args})
