"""kind: python: a torch module of the user's own, imported only where that was allowed."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from compiler.networks.initialization import Initializer
from compiler.networks.interface import Network, ParentInput, ordered
from compiler.tensors.axes import AxisTensor, union
from compiler.tensors.broadcasting import broadcast_shape
from compiler.tensors.noise import Noise
from graphspec.language.networks import PythonNetwork


class UserModuleError(Exception):
    """The user's module cannot be used: why, and what to do. The caller knows the place in the spec."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class UserNetwork(Network):
    """`Class(inputs={name: shape}, outputs={parameter: shape}, **args)`; `forward(**parents)` gives unconstrained
    parameters as a mapping (a single output may be a bare tensor).

    Leading axes arrive flattened: each parent is [rows, *shape], a category one-hot ([rows, *shape, K]), everything
    else in its own units. Initial weights drawn from torch's default generator are seeded from the factor's name.
    It is tried once on two rows of zeros. Raises UserModuleError where the class cannot be imported or built, fails on
    that trial, or gives something else than promised.
    """

    def __init__(
        self,
        spec: PythonNetwork,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, tuple[int, ...]],
        start: Initializer,
    ) -> None:
        super().__init__()
        self.target = spec.target
        self.inputs = ordered(inputs)
        self.shapes = dict(outputs)
        self.dtype = start.dtype
        kind = _imported(spec.target)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(start.derived_seed())
            built = _constructed(kind, spec, {p.name: _shape(p) for p in self.inputs}, self.shapes)
            self.module = built.to(start.dtype)
            self._try_once()

    def _try_once(self) -> None:
        """A mistake in the user's forward should come with its place in the spec, before any training."""
        zeros = {p.name: torch.zeros(2, *_shape(p), dtype=self.dtype) for p in self.inputs}
        was_training = self.module.training
        self.module.eval()
        try:
            with torch.no_grad():
                result = self.module(**zeros)
        except Exception as error:  # whatever the user's forward raises is theirs to read
            shapes = {name: list(value.shape) for name, value in zeros.items()}
            raise UserModuleError(
                f"{self.target} failed on a trial: {type(error).__name__}: {error}",
                f"it was called with shapes {shapes}",
            ) from error
        finally:
            self.module.train(was_training)
        self._checked(result, 2)

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        axes = union([values[parent.name] for parent in self.inputs])
        given = {parent.name: self._entering(parent, values[parent.name]) for parent in self.inputs}
        lead = broadcast_shape(*(t.on(axes).shape[: len(axes) + 1] for t in given.values()))
        flat = {n: t.on(axes).expand(*lead, *t.event_shape).reshape(-1, *t.event_shape) for n, t in given.items()}
        outputs = self._checked(self.module(**flat), lead.numel())
        return {name: AxisTensor(axes, value.reshape(*lead, *self.shapes[name])) for name, value in outputs.items()}

    def _entering(self, parent: ParentInput, value: AxisTensor) -> AxisTensor:
        data = parent.class_weights(value, self.dtype) if parent.encoding == "table" else value.data.to(self.dtype)
        return AxisTensor(value.axes, data)

    def _checked(self, result: object, rows: int) -> dict[str, Tensor]:
        if isinstance(result, Tensor) and len(self.shapes) == 1:
            result = {next(iter(self.shapes)): result}
        expected = {name: [rows, *shape] for name, shape in self.shapes.items()}
        if not isinstance(result, Mapping):
            raise UserModuleError(
                f"{self.target} returned {type(result).__name__} instead of its parameters",
                f"return a dict of tensors with shapes {expected}",
            )
        for name, shape in expected.items():
            found = result.get(name)
            if not isinstance(found, Tensor) or list(found.shape) != shape:
                got = list(found.shape) if isinstance(found, Tensor) else "nothing"
                raise UserModuleError(
                    f"{self.target} gave {got} for '{name}'", f"return '{name}' with shape {shape} (rows come first)"
                )
        return {name: cast(Tensor, result[name]) for name in expected}


def _shape(parent: ParentInput) -> tuple[int, ...]:
    return (*parent.shape, parent.classes) if parent.encoding == "table" else parent.shape


def look_beside(spec: str) -> None:
    """The working folder and the spec's own join the places where Python looks for modules, behind all others.

    spec: the path the user typed. They stay there: a module may import others when it runs.
    """
    folders = [Path.cwd(), *([Path(spec).resolve().parent] if Path(spec).is_file() else [])]
    sys.path.extend(str(folder) for folder in folders if str(folder) not in sys.path)


def _imported(target: str) -> Callable[..., object]:
    module_name, class_name = target.split(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's module may fail in any way while it runs
        raise UserModuleError(
            f"{module_name} cannot be imported: {type(error).__name__}: {error}",
            "install it, or put it beside the spec or into the folder you start from",
        ) from error
    found = getattr(module, class_name, None)
    if not callable(found):
        raise UserModuleError(f"{module_name} has no class {class_name}", f"its names: {_public(vars(module))}")
    return cast(Callable[..., object], found)


def _public(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(sorted(name for name in names if not name.startswith("_"))[:20]) or "none"


def _constructed(
    kind: Callable[..., object],
    spec: PythonNetwork,
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Mapping[str, tuple[int, ...]],
) -> nn.Module:
    signature = f"inputs={dict(inputs)}, outputs={dict(outputs)}"
    try:
        built = kind(inputs=dict(inputs), outputs=dict(outputs), **spec.args)
    except Exception as error:  # whatever the user's constructor raises is theirs to read
        raise UserModuleError(
            f"{spec.target} could not be built: {type(error).__name__}: {error}",
            f"it is called with {signature} and its `args`",
        ) from error
    if not isinstance(built, nn.Module):
        raise UserModuleError(f"{spec.target} is not a torch.nn.Module", "derive the class from torch.nn.Module")
    return built
