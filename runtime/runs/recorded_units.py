"""Scales of standardized variables as manifests have them: a run's own, and those of runs whose weights it takes."""

from collections.abc import Container, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch

from graphspec.graphs.graph import SIDES, Graphs, Variable
from graphspec.language import Initialize
from runtime.data.preparation.starts import sample
from runtime.data.stream.rows import PreparedData
from runtime.data.stream.units import Units
from runtime.errors import RunError
from runtime.runs.records import understood
from runtime.runs.run_folder import Run

UNLIKE = 4.0
"""Standard deviations of a run's data within which the mean of other data lies, and times that their spread may be."""


def recorded_units(
    run: Run, variables: Mapping[str, Variable], among: Container[str] | None = None
) -> dict[str, Units]:
    """By name, per element, or for images per channel. among: the names that are looked at, of all by default.

    RunError for a manifest with scales of what is no variable, or with too many or too few numbers.
    """
    with understood(run.manifest_file):
        plain = run.manifest().get("units") or {}
        wanted = [name for name in plain if among is None or name in among]
        return {name: _units(name, plain[name], variables[name]) for name in wanted}


def _units(name: str, numbers: Mapping[str, Any], variable: Variable) -> Units:
    shape, means = variable.shape, len(numbers["mean"])
    target = shape if means == prod(shape) else (*shape[:1], *(1 for _ in shape[1:]))
    if prod(target) != means or len(numbers["std"]) != means:
        raise ValueError(f"units.{name} has {means} means and {len(numbers['std'])} scales")
    mean, std = (torch.tensor(numbers[key], dtype=torch.float64).reshape(target) for key in ("mean", "std"))
    return Units(mean, std, bool(numbers.get("logarithm")))


def units_of_weights(graphs: Graphs, run: Run, entry: Initialize) -> dict[str, Units]:
    """The scales in which the weights that `entry` takes from `run` count the variables that their factors name, by the
    names of this spec: here the variables have the same."""
    factors = {factor.key: factor for side in SIDES for factor in graphs.factors(side).values()}
    taken = [factors[key] for key in entry.factors if key in factors]
    named = {name for factor in taken for name in (factor.variable, *factor.parents)}
    there = {entry.there(name): graphs.variables[name] for name in named}
    return {entry.here(name): units for name, units in recorded_units(run, there, there).items()}


def joint_units(found: Mapping[str, Mapping[str, Units]], spec: Path | None) -> dict[str, Units]:
    """The scales of several runs' weights, by run. RunError where two count one variable otherwise."""
    joint: dict[str, Units] = {}
    for run, units in found.items():
        for name, scale in units.items():
            known = joint.setdefault(name, scale)
            same = known.mean.shape == scale.mean.shape and known.logarithm == scale.logarithm
            if not (same and torch.allclose(known.mean, scale.mean) and torch.allclose(known.std, scale.std)):
                where = "" if spec is None else f" of {spec}"
                raise RunError(
                    f"two runs, {run} one of them, standardized {name}{where} by different numbers",
                    "take its factors from one run",
                )
    return joint


def counted_far(graphs: Graphs, data: PreparedData, units: Mapping[str, Units]) -> Iterator[str]:
    """A note for each variable whose training values, counted in the scales of another run, are unlike those that its
    weights have seen. units: as `joint_units` has them."""
    for name in (name for name in units if name in data.units and len(data.training)):
        values = sample(graphs.variables[name], data.training)
        mean, spread = values.nanmean(0), ((values - values.nanmean(0)) ** 2).nanmean(0).sqrt()
        unlike = (mean.abs() > UNLIKE) | (spread > UNLIKE) | ((spread < 1 / UNLIKE) & (spread > 0))
        if bool(unlike.any()):
            worst = int((mean.abs() + spread).nan_to_num().masked_fill(~unlike, -1).argmax())
            element = f", element {worst}" if values.shape[1] > 1 else ""
            yield (
                f"{name}{element}: standardized by the numbers of the run that its weights come from, the training "
                f"values have mean {float(mean[worst]):.3g} and standard deviation {float(spread[worst]):.3g}: the "
                "weights have seen nothing like them. Are these the same columns, in the same units?"
            )
