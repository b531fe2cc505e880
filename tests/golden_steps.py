"""What one step of a spec comes to, as plain numbers: initial weights, terms of the bound, gradients.

Made only from what users of the compiler call, so that the numbers outlive any rewrite below it. Rows, moved weights,
noise and directions come from numpy's Philox keyed by names, so nothing depends on an order or on the processor: torch's
normal draws in single precision differ by 1e-8 between processors, which input noise would carry into every number.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compiler import Model, compile_spec
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors.noise import RowNoise
from graphspec import Graphs, load
from graphspec.graphs.graph import Variable

SUBSETS = 16
"""At most this many subsets of the supervised variables of one spec."""
WHOLE_ROWS, PART_ROWS = 2, 3
"""Rows of a pattern; of one that leaves elements blank, where more rows show more ways to."""
MANY = 6
"""Patterns. Of more, the gradients of one pattern alone are kept as one vector, not by tensor: what is by tensor in the
passes of all patterns need not be said thirty times."""
DIRECTIONS = 8
"""One for each bit of a random byte."""
EPOCH = 3.5
"""Of the pass in training mode: most schedules are under way then."""
RENAMED: tuple[tuple[str, str], ...] = ()
"""Pairs (pattern of a tensor's name today, what `re.sub` puts in its place to give the name it had): a change that
renames tensors goes here, and the goldens, whose weights and directions follow from the names, stand."""

Rows = dict[str, Tensor]


def steps_of(path: Path) -> dict[str, Any]:
    """Everything that is kept of one spec: {weights: {name: sha256}, passes: {name: numbers}, buffers: {name: sketch}}.

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
    passes["all patterns, training"] = one_pass(model.train(), *mixed, EPOCH)
    buffers = {name: value for name, value in model.named_buffers() if value.is_floating_point()}
    return {"weights": weight_hashes(graphs), "passes": passes, "buffers": sketches(buffers)}


def weight_hashes(graphs: Graphs) -> dict[str, str]:
    """sha256 of the bytes of every tensor that a single-precision model with seed 0 starts from."""
    state = compile_spec(graphs, seed=0).state_dict()
    found = {original(name): value.contiguous().numpy().tobytes() for name, value in state.items()}
    return {name: hashlib.sha256(tensor).hexdigest() for name, tensor in sorted(found.items())}


def original(name: str) -> str:
    """What a tensor of this name was called when the goldens were made."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


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


def philox(*names: str | int) -> np.random.Generator:
    """A generator for what these names stand for."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))


class KeyedNoise(RowNoise):
    """`RowNoise`, from numpy: a row draws the same alone and in a mixed batch."""

    def normal(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._drawn("normal", name, lead, event).to(dtype)

    def uniform(self, name: str, lead: Sequence[int], event: Sequence[int], dtype: torch.dtype) -> Tensor:
        return self._drawn("random", name, lead, event).to(dtype).clamp_min(torch.finfo(dtype).tiny)

    def _drawn(self, kind: str, name: str, lead: Sequence[int], event: Sequence[int]) -> Tensor:
        """[*lead, rows, *event], float64."""
        generators = [philox("noise", self.seed, row, name) for row in self.rows]
        shape = (*lead, *event)
        draws = [g.random(shape) if kind == "random" else g.standard_normal(shape) for g in generators]
        return torch.stack([torch.from_numpy(np.asarray(draw)) for draw in draws], dim=len(lead))

    def select(self, rows: Tensor) -> "KeyedNoise":
        return KeyedNoise(self.seed, [self.rows[int(row)] for row in rows])


# --- rows


def cases_of(graphs: Graphs) -> dict[str, tuple[Rows, list[int]]]:
    """By name of the pattern: rows, and the numbers by which their noise is drawn. Every subset of the labels is
    there whole; then, where elements may be blank, with some of them blank."""
    names = graphs.supervised
    subsets = [subset for size in range(len(names), -1, -1) for subset in combinations(names, size)]
    cases: dict[str, tuple[Rows, list[int]]] = {}
    first = 0
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
    return variable.missing if name in graphs.observed else name in labels and bool(variable.shape)


def _column(graphs: Graphs, name: str, ids: list[int], labels: tuple[str, ...], holes: list[str]) -> Tensor:
    """[rows, *shape] of one variable; blank is NaN, or -1 where values are discrete."""
    variable = graphs.variables[name]
    values = np.stack([np.asarray(_made_up(variable, philox("row", name, row))) for row in ids])
    gone = np.zeros(values.shape, dtype=bool)
    if name in graphs.supervised and name not in labels:
        gone[:] = True
    elif name in holes:
        gone = np.stack([np.asarray(philox("hole", name, row).random(variable.shape) < 0.5) for row in ids])
    values[gone] = -1 if variable.discrete else np.nan
    return torch.from_numpy(values)


def _made_up(variable: Variable, generator: np.random.Generator) -> Any:
    """A legal value [*shape]."""
    shape = tuple(variable.shape)
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


def sketches(tensors: Mapping[str, Tensor | None]) -> dict[str, list[float] | None]:
    """By the names that the tensors had."""
    named = {original(name): value for name, value in tensors.items()}
    return {name: None if value is None else sketch(name, value) for name, value in sorted(named.items())}


def sketch(name: str, value: Tensor) -> list[float]:
    """Norm, then projections on directions of signs that follow from the name and the shape."""
    flat = value.detach().flatten().numpy()
    signs = _signs(name, flat.size)
    return [float(np.sqrt(np.sum(flat * flat))), *(float(np.sum(np.where(sign, flat, -flat))) for sign in signs)]


def in_one(sketches: Iterable[list[float] | None]) -> list[float]:
    """The sketch of several tensors as one vector, whose directions are theirs one after the other."""
    there = [sketch for sketch in sketches if sketch is not None]
    norms, *projections = zip(*there, strict=True)
    return [math.hypot(*norms), *(math.fsum(each) for each in projections)]


def _signs(name: str, size: int) -> Any:
    """[DIRECTIONS, size] bool."""
    found = np.frombuffer(philox("direction", name, size).bytes(size), dtype=np.uint8)
    return [(found >> bit) & 1 == 1 for bit in range(DIRECTIONS)]


# --- text and comparison


def as_text(value: Any, depth: int = 0) -> str:
    """JSON with one line for each list or number, so that a difference shows what moved."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value)
    inner = ",\n".join(f"{' ' * (depth + 1)}{json.dumps(k)}: {as_text(v, depth + 1)}" for k, v in value.items())
    return "{\n" + inner + "\n" + " " * depth + "}"
