"""`compile --emit`: the emitted file alone gives the values and gradients of the compiled model."""

import builtins
import math
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from graph_specs import graphs_of

from compiler.emission import emit
from compiler.module import Model
from compiler.noise import Noise
from compiler.weights import ObjectiveWeights
from graphspec.diagnostics import SpecError
from graphspec.graph import Graphs, Variable
from graphspec.loading import load

ROOT = Path(__file__).parents[1]
OURS = ("graphspec", "compiler", "runtime")


@pytest.fixture(autouse=True)
def double_precision():
    """Emitted layers have torch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def executed(text: str) -> dict:
    """The emitted file's names, run where nothing of graphspec can be imported."""

    def guarded(name, *rest, **more):
        assert name.split(".")[0] not in OURS, f"the emitted file imports {name}"
        return builtins.__import__(name, *rest, **more)

    space = {"__name__": "emitted", "__builtins__": {**vars(builtins), "__import__": guarded}}
    exec(compile(text, "emitted.py", "exec"), space)
    return space


def values_of(variable: Variable, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Random legal values [count, *shape]."""
    shape = (count, *variable.shape)
    match variable.domain:
        case "unit":
            found = rng.random(shape)
        case "positive":
            found = rng.random(shape) + 0.2
        case "binary" | "category" | "count":
            found = rng.integers(variable.minimum, variable.minimum + (variable.support or 7), shape)
            return torch.tensor(found if variable.domain == "category" else found.astype(float))
        case "simplex":
            found = rng.dirichlet(np.ones(shape[1]), count)
        case "direction":
            found = rng.normal(size=shape)
            found /= np.linalg.norm(found, axis=1, keepdims=True)
        case _:
            found = rng.normal(size=shape)
    return torch.tensor(found)


def rows_of(graphs: Graphs, count: int, seed: int) -> dict[str, torch.Tensor]:
    """Rows of every pattern: labels whole, missing, or (of vectors) in part; blanks where they may be."""
    rng = np.random.default_rng(seed)
    rows = {n: values_of(graphs.variables[n], count, rng) for n in (*graphs.observed, *graphs.supervised)}
    for name in rows:
        variable = graphs.variables[name]
        if variable.role != "supervised" and not variable.missing:
            continue
        missing = rng.random((count, *variable.shape)) < 0.4
        whole = rng.integers(0, 3, count)
        missing[whole == 0], missing[whole == 1] = False, variable.role == "supervised"
        if variable.domain in ("direction", "simplex"):
            missing[:] = missing[:, :1]
        rows[name][torch.tensor(missing)] = -1 if variable.discrete else math.nan
    return rows


def shaken(model: Model, seed: int) -> Model:
    """Weights away from where they start: nothing is silent."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if "running_var" in name:
                tensor.add_(torch.rand(tensor.shape, generator=generator))
            elif tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator) / (3 * math.sqrt(math.prod(tensor.shape[1:]))))
    return model


def compare(graphs: Graphs, *, count: int = 9, seed: int = 0, training: bool = False, epoch: float = math.inf,
            tolerance: float = 1e-8) -> dict:  # fmt: skip
    """Bounds, loss and all gradients of the compiled model and of its emitted file, from equal seeds."""
    model = shaken(Model(graphs, seed=1, dtype=torch.float64, allow_python=True), seed).train(training)
    space = executed(emit(graphs, allow_python=True))
    twin = space["Model"]().train(training)
    twin.load_state_dict(space["from_graphspec"](model.state_dict()))
    rows = rows_of(graphs, count, seed)

    weights = ObjectiveWeights.at(graphs, None, epoch)
    ours = model.evaluate(rows, weights=weights, noise=Noise(torch.Generator().manual_seed(7), count)).bound
    varying = {"epoch": epoch} if "epoch" in space["bound"].__code__.co_varnames else {}
    theirs = space["bound"](twin, rows, torch.Generator().manual_seed(7), **varying)
    assert torch.isfinite(ours).all()
    torch.testing.assert_close(theirs, ours.expand(count), atol=tolerance, rtol=tolerance)

    twin.load_state_dict(space["from_graphspec"](model.state_dict()))
    labelled = torch.zeros(count, dtype=torch.bool)
    for name in graphs.supervised:
        blank = (rows[name] == -1) if graphs.variables[name].discrete else rows[name].isnan()
        labelled |= ~blank.flatten(1).all(1) if blank.dim() > 1 else ~blank
    expected = -ours.mean()
    if labelled.any() and not labelled.all():
        expected = -((1 - weights.rho) * ours[~labelled].mean() + weights.rho * ours[labelled].mean())
    varying = {"epoch": epoch} if "epoch" in space["loss"].__code__.co_varnames else {}
    value = space["loss"](twin, rows, torch.Generator().manual_seed(7), **varying)
    torch.testing.assert_close(value, expected, atol=tolerance, rtol=tolerance)
    _same_gradients(model, expected, twin, value, space, tolerance)
    return space


def _same_gradients(model, expected, twin, value, space, tolerance) -> None:
    expected.backward()
    value.backward()
    zero = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()}
    renamed = space["from_graphspec"](zero)
    found = dict(twin.named_parameters())
    assert renamed.keys() == found.keys()
    for name, parameter in found.items():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(gradient, renamed[name], atol=tolerance, rtol=tolerance, msg=lambda m, n=name: f"{n}: {m}")


def test_scratch_digits():
    compare(load(ROOT / "specs/digits.yaml"))
