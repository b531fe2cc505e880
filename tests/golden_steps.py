"""What one step of a spec comes to, as plain numbers: initial weights, terms of the bound, gradients.

Made only from what users of the compiler call, so that the numbers outlive any rewrite below it. Rows, moved weights,
noise and directions come from numpy's Philox keyed by names, so nothing depends on an order or on the processor: torch's
normal draws in single precision differ by 1e-8 between processors, which input noise would carry into every number.
"""

import hashlib
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from golden_answers import answers_of
from golden_numbers import KeyedNoise, in_one, original, philox, sketches
from torch import Tensor

from compiler import Model, compile_spec
from compiler.symbolic.lowering import label_without_count
from compiler.symbolic.program import Pattern
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from graphspec import Graphs, load
from graphspec.graphs.graph import Variable

SUBSETS = 16
"""At most this many subsets of the supervised variables of one spec."""
WHOLE_ROWS, PART_ROWS = 2, 3
"""Rows of a pattern; of one that leaves elements blank, where more rows show more ways to."""
MANY = 6
"""Patterns. Of more, the gradients of one pattern alone are kept as one vector, not by tensor: what is by tensor in the
passes of all patterns need not be said thirty times."""
EPOCH = 3.5
"""Of the pass in training mode: most schedules are under way then."""
Rows = dict[str, Tensor]


def steps_of(path: Path) -> dict[str, Any]:
    """Everything that is kept of one spec: {weights: {name: sha256}, passes: {name: numbers}, buffers and answers: {name:
    sketch}}.

    buffers: after the pass in training mode, which moves the averages of batch normalization.
    """
    graphs = load(path)
    model = moved_model(graphs)
    cases = cases_of(graphs)
    passes = {name: one_pass(model.eval(), rows, ids, math.inf) for name, (rows, ids) in cases.items()}
    if len(cases) > MANY:
        for numbers in passes.values():
            numbers["gradients"] = {"all": in_one(numbers["gradients"].values())}
    mixed = mixed_batch(list(cases.values()))
    if len(cases) > 1:
        passes["all patterns"] = one_pass(model.eval(), *mixed, math.inf)
    answers = answers_of(model, *mixed)
    passes["all patterns, training"] = one_pass(model.train(), *mixed, EPOCH)
    buffers = {name: value for name, value in model.named_buffers() if value.is_floating_point()}
    return {"weights": weight_hashes(graphs), "passes": passes, "buffers": sketches(buffers), "answers": answers}


def weight_hashes(graphs: Graphs) -> dict[str, str]:
    """sha256 of the bytes of every tensor that a single-precision model with seed 0 starts from."""
    state = compile_spec(graphs, seed=0).state_dict()
    found = {original(name): value.contiguous().numpy().tobytes() for name, value in state.items()}
    return {name: hashlib.sha256(tensor).hexdigest() for name, tensor in sorted(found.items())}


def moved_model(graphs: Graphs) -> Model:
    """In double precision, with weights moved so that nothing stands where it was initialised. Some labels are rarer
    than others, and more rows stand behind a batch than it has."""
    model = compile_spec(graphs, dtype=torch.float64)
    counts = {name: 30 - 5 * place for place, name in enumerate(graphs.supervised)}
    model.rates = Rates(30, 70, counts)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += 0.03 * torch.from_numpy(
                np.asarray(philox("moved", original(name)).standard_normal(parameter.shape))
            )
    return model


# --- rows


def cases_of(graphs: Graphs) -> dict[str, tuple[Rows, list[int]]]:
    """By name of the pattern: rows, and the numbers by which their noise is drawn. Every subset of the labels is
    there whole; then, where elements may be blank, with some of them blank."""
    names = graphs.supervised
    subsets = [subset for size in range(len(names), -1, -1) for subset in combinations(names, size)]
    cases: dict[str, tuple[Rows, list[int]]] = {}
    first = 0
    subsets = [subset for subset in subsets if label_without_count(graphs, Pattern(subset)) is None]
    for subset in [*subsets[: SUBSETS - 1], *subsets[SUBSETS - 1 :][-1:]]:
        for in_part in (False, True):
            holes = [name for name in graphs.variables if in_part and _may_have_holes(graphs, name, subset)]
            if in_part and not holes:
                continue
            ids = list(range(first, first + (PART_ROWS if in_part else WHOLE_ROWS)))
            first = ids[-1] + 1
            rows = {name: _column(graphs, name, ids, subset, holes) for name in (*graphs.observed, *names)}
            cases["+".join(subset or ["no label"]) + ", in part" * in_part] = rows, ids
    return cases


def _may_have_holes(graphs: Graphs, name: str, labels: tuple[str, ...]) -> bool:
    variable = graphs.variables[name]
    return variable.missing if name in graphs.observed else name in labels and bool(variable.row_shape)


def _column(graphs: Graphs, name: str, ids: list[int], labels: tuple[str, ...], holes: list[str]) -> Tensor:
    """[rows, *shape] of one variable; blank is NaN, or -1 where values are discrete."""
    variable = graphs.variables[name]
    values = np.stack([np.asarray(_made_up(variable, philox("row", name, row))) for row in ids])
    gone = np.zeros(values.shape, dtype=bool)
    if name in graphs.supervised and name not in labels:
        gone[:] = True
    elif name in holes:
        gone = np.stack([np.asarray(philox("hole", name, row).random(variable.row_shape) < 0.5) for row in ids])
    values[gone] = -1 if variable.discrete else np.nan
    return torch.from_numpy(values)


def _made_up(variable: Variable, generator: np.random.Generator) -> Any:
    """A legal value [*shape]."""
    shape = tuple(variable.row_shape)
    if variable.discrete:
        values = generator.integers(0, variable.support or 9, shape) + variable.minimum
        return values if variable.domain == "category" else np.asarray(values, dtype=np.float64)
    uniform = np.asarray(generator.random(shape))
    if variable.domain == "simplex":
        return uniform / uniform.sum(0, keepdims=True)
    if variable.domain in ("unit", "positive"):
        return uniform + (0.1 if variable.domain == "positive" else 0)
    normal = np.asarray(generator.standard_normal(shape))
    return normal / np.sqrt((normal**2).sum(0, keepdims=True)) if variable.domain == "direction" else normal


def mixed_batch(cases: list[tuple[Rows, list[int]]]) -> tuple[Rows, list[int]]:
    """The rows of all patterns in turn: the first of each, then the second of each, so that no pattern's stand side by
    side where there are several."""
    together = {name: torch.cat([rows[name] for rows, _ in cases]) for name in cases[0][0]}
    ids = [row for _, numbers in cases for row in numbers]
    turns = [turn for _, numbers in cases for turn in range(len(numbers))]
    order = sorted(range(len(ids)), key=lambda position: turns[position])
    return {name: values[order] for name, values in together.items()}, [ids[position] for position in order]


# --- numbers


def one_pass(model: Model, rows: Rows, ids: list[int], epoch: float) -> dict[str, Any]:
    """Mean bound and mean terms over the rows that have them, and a sketch of every gradient of the mean bound."""
    weights = ObjectiveWeights.at(model.graphs, model.rates, epoch)
    found = model.evaluate(rows, weights=weights, noise=KeyedNoise(7, ids))
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(found.bound.mean(), parameters, allow_unused=True)
    return {
        "bound": found.bound.mean().item(),
        "terms": {name: value.nanmean().item() for name, value in found.terms.items()},
        "effective samples": {name: value.nanmean().item() for name, value in found.effective_samples.items()},
        "gradients": sketches(dict(zip(names, gradients, strict=True))),
    }
