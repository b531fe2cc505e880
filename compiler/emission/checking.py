"""The last step of emission: the file runs beside the model, and only a file that agrees is given out.

A few random rows of every pattern, equal weights, equal seeds: bounds and all gradients must be the same. The writers
follow the program and the objective; this catches what they do not know of.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from compiler.emission.emission_plan import EmissionPlan
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors import presence
from compiler.tensors.noise import Noise
from graphspec.diagnostics import InternalError
from graphspec.graphs.graph import Variable

ROWS = 2
"""Rows of each pattern."""
SEED = 20170522
TOLERANCE = 1e-6


def verify_agreement(text: str, plan: EmissionPlan) -> None:
    """Raises InternalError where the emitted text and the model (double precision) differ in a value or gradient."""
    with _double_precision():
        space, twin = _twin(text, plan)
        rows = _rows(plan, space["random_rows"])
        ours = _gradients(plan.model, _bound(plan.model, rows))
        theirs = _gradients(twin, space["bound"](twin, rows, torch.Generator().manual_seed(SEED)))
        renamed = space["from_graphspec"](ours) | {"": ours[""]}
    for name, value in theirs.items():
        if not torch.allclose(value, renamed[name], rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            what = f"the gradient of {name}" if name else "the value"
            raise InternalError(f"the emitted code does not agree with the model: {what} differs")


def verify_weights(text: str, plan: EmissionPlan) -> None:
    """The emitted text runs and takes the model's weights; RuntimeError where it does not."""
    with _double_precision():
        _twin(text, plan)


def _twin(text: str, plan: EmissionPlan) -> tuple[dict[str, Any], nn.Module]:
    """What the text defines, and its model with the weights of the plan's."""
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(text, "emitted.py", "exec"), space)
    twin: nn.Module = space["Model"]()
    twin.load_state_dict(space["from_graphspec"](plan.model.state_dict()))
    return space, twin


@contextmanager
def _double_precision() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _bound(model: Model, rows: dict[str, Tensor]) -> Tensor:
    weights = ObjectiveWeights.at(model.graphs, None, math.inf)
    count = len(next(iter(rows.values())))
    noise = Noise(torch.Generator().manual_seed(SEED), count)
    return model.evaluate(rows, weights=weights, noise=noise).bound


def _gradients(model: nn.Module, bound: Tensor) -> dict[str, Tensor]:
    """Bound [B] under the name "", and the gradient of its sum by every parameter."""
    named = dict(model.named_parameters())
    found: tuple[Tensor | None, ...] = (None,) * len(named)
    if bound.requires_grad:
        found = torch.autograd.grad(bound.sum(), list(named.values()), allow_unused=True)
    filled = (torch.zeros_like(p) if g is None else g for p, g in zip(named.values(), found, strict=True))
    return {"": bound.detach(), **dict(zip(named, filled, strict=True))}


def _rows(plan: EmissionPlan, random_rows: Callable[[int, torch.Generator], dict[str, Tensor]]) -> dict[str, Tensor]:
    """`ROWS` random rows of every pattern; of partial labels and blanks every other element is missing."""
    count = ROWS * len(plan.patterns)
    found = random_rows(10 * count, torch.Generator().manual_seed(SEED))  # a tenth of them have labels
    rows = {name: values[:count] for name, values in found.items()}
    for index, pattern in enumerate(plan.patterns):
        at = slice(ROWS * index, ROWS * (index + 1))
        for name in rows:
            variable = plan.graphs.variables[name]
            part = name in (*pattern.masked, *pattern.blanks)
            together = plan.graphs.indivisible(name)
            if part or (name in plan.graphs.supervised and name not in pattern.labels):
                _blank(variable, rows[name][at], whole=not part, together=together)
    for name in plan.graphs.supervised:
        while (alone := presence.uncounted(plan.graphs, rows, name)) is not None:
            rows[name][alone[1]] = -1 if plan.graphs.variables[name].discrete else math.nan
    return rows


def _blank(variable: Variable, values: Tensor, *, whole: bool, together: bool) -> None:
    """Takes values away in place: all of them, or every other one."""
    missing = torch.ones_like(values, dtype=torch.bool)
    if not whole:
        missing = (torch.arange(values.numel()) % 2 == 0).reshape(values.shape)
        if together and variable.shape:
            lead = 1 + len(variable.plates)
            missing[:] = missing.flatten(lead)[..., :1].reshape(*values.shape[:lead], *(1,) * len(variable.shape))
    values[missing] = -1 if variable.discrete else math.nan
