"""Training in stages: factors that start from an earlier run's weights, and those that stay as they are."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from compiler.factors.earlier_names import names_in_run
from compiler.factors.factor_modules import FactorModule
from compiler.model.model import Model, module_name
from graphspec.graphs.graph import SIDES, Graphs
from graphspec.graphs.start import Start, channel_shape
from graphspec.language import Initialize
from graphspec.reading.spec_files import beside
from runtime.errors import RunError
from runtime.runs.checkpoints import load_weights, read_weights
from runtime.runs.records import understood
from runtime.runs.run_folder import find_run, starts_in


class Frozen:
    """Modules that do not learn: no gradients, and evaluation mode whatever mode the model is in."""

    def __init__(self, model: Model) -> None:
        wanted = model.graphs.spec.training.initialize
        keys = dict.fromkeys(key for entry in wanted if entry.freeze for key in entry.factors)
        self.modules = tuple(factor_module(model, key) for key in keys)
        for module in self.modules:
            module.requires_grad_(False)

    def rest(self) -> None:
        """Evaluation mode for the frozen parts; call it after every `model.train()`."""
        for module in self.modules:
            module.eval()


def initialize(model: Model, folder: Path) -> None:
    """Copy the weights that `training.initialize` asks for. Runs are looked for beside the spec (`folder`), then in
    the working folder. RunError names a run or factor that is not there, and both shapes where they differ."""
    for entry in model.graphs.spec.training.initialize:
        run = find_run(beside(entry.run, folder))
        weights = read_weights(run.checkpoint).weights
        for key in entry.factors:
            _copy(model, entry, key, weights)


def with_earlier_starts(graphs: Graphs, folder: Path, own: Mapping[str, Start]) -> dict[str, Start]:
    """`own` starts of far variables, but for those that runs had whose weights `initialize` copies: what these mean."""
    merged = dict(own)
    for entry in reversed(graphs.spec.training.initialize):
        file = find_run(beside(entry.run, folder)).checkpoint
        with understood(file):
            earlier = starts_in(read_weights(file).facts)
        for name, start in earlier.items():
            here = entry.here(name)
            if here in graphs.variables and start.shape == channel_shape(graphs.variables[here].shape):
                copied = {side: each for side, each in start.parameters.items() if f"{side}.{here}" in entry.factors}
                mine = merged[here].parameters if here in merged else {}
                merged[here] = replace(start, parameters={**mine, **copied})
    return merged


def factor_module(model: Model, key: str) -> FactorModule:
    """The module of factor `recognition.z`; RunError with a suggestion if the spec has no such factor."""
    factors = _factors(model.graphs)
    if key not in factors:
        raise RunError(f"training.initialize names {key!r}, which is not a factor of this spec", _suggest(key, factors))
    module = model.factors[factors[key]]
    assert isinstance(module, FactorModule), "every factor is one"
    return module


def _copy(model: Model, entry: Initialize, key: str, weights: Mapping[str, Tensor]) -> None:
    module, key_there = factor_module(model, key), entry.key_there(key)
    prefix = f"factors.{key_there.replace('.', '--')}."
    found = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    if not found and module.state_dict():
        there = sorted({name.split(".")[1].replace("--", ".") for name in weights if name.startswith("factors.")})
        raise RunError(f"run {entry.run} has no factor {key_there!r} to initialize from", _suggest(key_there, there))
    here = {there: name for name, there in names_in_run(module, entry).items()}
    found = _unmoved(module) | {here.get(name, name): tensor for name, tensor in found.items()}
    hint = "give the variable and the factor's network the same sizes in both specs"
    load_weights(module, found, f"{key_there} of run {entry.run}", hint)


def _unmoved(module: nn.Module) -> dict[str, Tensor]:
    """What starting points hold where a run had none: nothing is moved."""
    own = {name: t for name, t in module.state_dict().items() if name.startswith(("entrances.", "starts."))}
    zero = (".center", ".offset")
    return {name: torch.zeros_like(t) if name.endswith(zero) else torch.ones_like(t) for name, t in own.items()}


def _factors(graphs: Graphs) -> dict[str, str]:
    """Factor key -> name of its module."""
    return {factor.key: module_name(factor) for side in SIDES for factor in graphs.factors(side).values()}


def _suggest(name: str, known: Mapping[str, str] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return (f"did you mean {close[0]!r}? " if close else "") + f"there are {', '.join(known)}"
