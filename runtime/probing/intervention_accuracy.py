"""Intervention accuracy: set a supervised variable, generate, and see whether the instrument reads what was set."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from compiler.model.model import Model
from runtime.answering.interventions import Values, context, generate, infer, intervene, take
from runtime.answering.panels import conditioned, finite_values, value_name
from runtime.data import Rows
from runtime.probing.instrument import CHUNK, Instrument

Start = Literal["prior", "inferred"]
ROWS = 1000
"""Rows that every value is set in."""


def intervention_accuracy(
    model: Model, rows: Rows, instrument: Instrument, *, start: Start, count: int = ROWS, seed: int = 0
) -> dict[str, Any]:
    """{accuracy, per_class, rows, from}: share of generated rows that the instrument reads as the value that was set.

    start: where all other hidden variables come from: "prior", drawn from p; "inferred", q's means (modes) of `rows`,
    from their observed variables and the labels they have, as in `analogies`. Observed variables are generated as
    means. Every value is set in the same `count` rows; accuracy is the mean over values.
    """
    target = instrument.target
    settings = finite_values(target.variable)
    assert settings is not None
    right = torch.zeros(len(settings))
    with torch.no_grad():
        total = 0
        for part, held in enumerate(_starts(model, rows, start, count, seed)):
            total += len(next(iter(held.values())))
            for index, value in enumerate(settings):
                made = intervene(model, held, {target: value}, seed + part)
                right[index] += (instrument.read(_readable(made, instrument)) == index).sum()
    shares = (right / total).tolist() if total else [float("nan")] * len(settings)
    return {
        "accuracy": sum(shares) / len(shares),
        "per_class": {value_name(target.variable, float(v)): share for v, share in zip(settings, shares, strict=True)},
        "rows": total,
        "from": start,
    }


def _starts(model: Model, rows: Rows, start: Start, count: int, seed: int) -> list[Values]:
    """p's hidden variables, and what p conditions on, {name: [n, *shape]}, in parts of `CHUNK` rows."""
    generator = torch.Generator().manual_seed(seed)
    if start == "inferred":
        parts = torch.randperm(len(rows), generator=generator)[:count].split(CHUNK) if len(rows) else ()
        return [infer(model, take(model, rows, p), seed + i, keep_labels=True) for i, p in enumerate(parts)]
    sizes = [min(CHUNK, count - first) for first in range(0, count, CHUNK)]
    return [_drawn(model, rows, size, seed + i) for i, size in enumerate(sizes)]


def _drawn(model: Model, rows: Rows, count: int, seed: int) -> Values:
    graphs = model.graphs
    made = generate(model, context(model, rows, count, seed), count, seed)
    return {name: made[name] for name in (*graphs.supervised, *graphs.latent, *conditioned(graphs)) if name in made}


def _readable(made: Mapping[str, Tensor], instrument: Instrument) -> Values:
    return {variable.name: made[variable.name] for variable in instrument.reader.variables}
