"""Hidden values of rows, and what p makes of them when one variable is set to something else.

Setting y where p has y -> x only: the latents stay as they are. Where a latent depends on y (y -> z -> x), keeping z
would change nothing, and drawing z anew would lose the row. Then the *noise* of z is kept: for a family with a
location and a scale, e = (z - loc(y)) / scale(y) is read off the row and z' = loc(y') + scale(y') e; for any other
family z' is drawn from p(z | y') with the same random numbers in every column. Setting how many elements a plate has
keeps those that were there.

What is shown of an observed variable is what p expects of it; whatever reads it reads the row's own value,
moved with its own noise where what is set lies above it. Along a walk elements read the row's own.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from compiler.families.entry import Extras, FamilyEntry
from compiler.model.model import Model
from compiler.tensors.blanks import as_value
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Factor, Graphs
from runtime.answering.panels import Target, below, conditioned, counted_by, counting
from runtime.data import Rows
from runtime.data.stream.patterns import given_elements
from runtime.errors import RunError
from runtime.measures.evaluation import placement

Values = dict[str, Tensor]
"""{name: [B, *shape]} in the model's floating type on its device; discrete ones hold whole numbers, blanks are NaN."""


def noise_for(model: Model, count: int, seed: int) -> Noise:
    """Draws for `count` rows on the model's device; the same numbers for the same seed."""
    return Noise(torch.Generator(placement(model)[0]).manual_seed(seed), count)


def take(model: Model, rows: Rows, positions: Tensor) -> Values:
    """Observed and supervised values of some rows of a split; blank labels are NaN."""
    device, dtype = placement(model)
    batch = rows.batch(positions, dtype)
    values: Values = {}
    for name in (*model.graphs.by_row.observed, *model.graphs.by_row.supervised):
        if name in batch:
            known = given_elements(batch[name], model.graphs.variables[name].discrete)
            values[name] = batch[name].to(dtype).masked_fill(~known, float("nan")).to(device)
    return values


def infer(model: Model, data: Mapping[str, Tensor], seed: int, *, keep_labels: bool) -> Values:
    """One value per hidden variable and row (q's means, modes of discrete ones), with the row's own observed values.

    keep_labels: labels that a row has are kept and its latents inferred from them too; the labels it lacks are
    inferred first. Otherwise from the observed variables alone.
    """
    graphs = model.graphs.by_row
    seen = model.unlabelled(data)
    held = _means(model, seen, seed)
    if keep_labels and any(name in data for name in graphs.supervised):
        labels = {name: filled(data[name], held[name]) for name in graphs.supervised if name in data}
        again = _means(model, {**seen, **labels}, seed)
        held = {**again, **{name: filled(label, again[name]) for name, label in labels.items()}}
    dtype = placement(model)[1]
    hidden = (*graphs.supervised, *graphs.latent)
    found = {name: value.to(dtype) for name, value in held.items() if name in hidden}
    return found | {name: data[name] for name in graphs.observed}


def _means(model: Model, seen: Mapping[str, Tensor], seed: int) -> Values:
    """q's means and modes; NaN of elements that are not there."""
    means = model.posterior_means(seen, noise=noise_for(model, len(next(iter(seen.values()))), seed))
    return {name: _numbers(model, name, value) for name, value in means.items()}


def filled(labels: Tensor, inferred: Tensor) -> Tensor:
    """Labels [B, *shape] with inferred values where they are blank."""
    return torch.where(labels.isnan(), inferred.to(labels.dtype), labels)


def generate(
    model: Model, given: Mapping[str, Tensor], count: int, seed: int, *, means: bool = True, function: str = ""
) -> Values:
    """Every stochastic variable of p for `count` rows, those in `given` as they are, and one `function`.

    Of an observed variable that is given and that p models: what p expects of it. Others read it as it is.
    """
    graphs, counts = model.graphs.by_row, counting(model.graphs)
    told = [name for name in given if name in graphs.observed and name in graphs.generative and name not in counts]
    made = model.generate(given, count, noise=noise_for(model, count, seed), means=means, expected=told)
    values = {**given, **{name: made[name] for name in made if name not in given or name in told}}
    names = [
        name for name, variable in graphs.variables.items() if variable.role != "deterministic" or name == function
    ]
    return {name: _numbers(model, name, values[name]) for name in names if name in values}


def _numbers(model: Model, name: str, value: Tensor) -> Tensor:
    """Values in the model's floating type; NaN of elements that are not there."""
    found = value.to(placement(model)[1])
    if model.graphs.ragged(model.graphs.variables[name].path) is None:
        return found
    return found.masked_fill(~given_elements(value, model.graphs.variables[name].discrete), float("nan"))


def context(model: Model, rows: Rows | None, count: int, seed: int) -> Values:
    """What p conditions on, from `count` rows of data drawn with `seed`; empty where it conditions on nothing."""
    needed = conditioned(model.graphs.by_row)
    if not needed:
        return {}
    if rows is None or not len(rows):
        raise RunError(
            f"p conditions on {', '.join(needed)}, which come from data, and there are no rows to take them from",
            "point --data-dir at the data this run was trained on",
        )
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randint(len(rows), (count,), generator=generator)
    data = take(model, rows, positions)
    return {name: data[name] for name in needed}


def intervene(model: Model, held: Mapping[str, Tensor], changes: Mapping[Target, Tensor], seed: int) -> Values:
    """p's variables for rows that are `held` ({name: [B, *shape]}) once `changes` are set; observed ones as means.

    changes: a number, or [B], for each target.
    """
    return generate(model, changed(model, held, changes, seed), len(next(iter(held.values()))), seed)


def settled(model: Model, held: Mapping[str, Tensor], changes: Mapping[Target, Tensor], seed: int) -> Values:
    """What is `held` once `changes` are set: as it was, with its own noise, or drawn anew."""
    known = changed(model, held, changes, seed)
    drawn = generate(model, known, len(next(iter(held.values()))), seed)
    return {name: known.get(name, drawn[name]) for name in held}


def changed(model: Model, held: Mapping[str, Tensor], changes: Mapping[Target, Tensor], seed: int) -> Values:
    """Of what is `held` all that has a value once `changes` are set; the rest is p's to draw."""
    new: Values = {}
    for target, value in changes.items():
        name = target.variable.name
        values = new.get(name, held[name]).clone()
        values[target.index] = value.to(values)
        new[name] = values
    graphs = model.graphs.by_row
    counts = set(counting(graphs)) - new.keys()  # a row keeps its elements
    moved = (below(graphs, new) | counted_by(graphs, new)) - counts
    kept = {name: value for name, value in held.items() if name not in moved} | new
    kept |= _elements_kept(model, held, kept, counted_by(graphs, new) - below(graphs, new), seed)
    kept |= {name: held[name] for name in moved & _reading_themselves(model.graphs) if name in held}
    return {**kept, **_carried(model, held, kept, moved)}


def _reading_themselves(graphs: Graphs) -> frozenset[str]:
    """Observed variables whose elements other elements read, along a walk: these stay the row's own."""
    walked = [name for unit in graphs.units("generative") if unit.loop is not None for name in unit.loop.members]
    return frozenset(walked).intersection(graphs.observed)


def _elements_kept(
    model: Model, held: Mapping[str, Tensor], kept: Values, counted: frozenset[str], seed: int
) -> Values:
    """Elements of plates that got another count: those that were there as they were, others drawn together, the same
    for every count. All are drawn anew where one reads others, which would not follow from what was kept."""
    graphs = model.graphs.by_row
    parents = {parent for name in counted if name in graphs.generative for parent in graphs.generative[name].parents}
    views = [graphs.views[parent].view for parent in parents if parent in graphs.views]
    if not counted or any(view is not None and view.base in counted for view in views):
        return {}
    drawn = generate(model, kept, len(next(iter(held.values()))), seed)
    told = [name for name in counted if name in held and name in drawn]
    return {name: torch.where(held[name].isnan() | drawn[name].isnan(), drawn[name], held[name]) for name in told}


def _carried(model: Model, held: Mapping[str, Tensor], kept: Values, moved: frozenset[str]) -> Values:
    """Values of `moved` variables with the noise they have in `held`, where their family lets that noise be read off.

    p runs twice side by side, as it was and as it is now. Observed ones are carried where others read them. What
    depends on a variable without a value (one that will be drawn anew) is left out; of models with plates everything
    is drawn anew.
    """
    if not moved or model.graphs.plates:
        return {}
    read = {parent for factor in model.graphs.generative.values() for parent in factor.parents}
    moved -= {name for name in moved if name in model.graphs.observed and name not in read}
    was, now = _World(model, held), _World(model, kept)
    found: Values = {}
    for factor in model.graphs.order("generative"):
        name = factor.variable
        if factor.deterministic:
            was.compute(factor)
            now.compute(factor)
        elif name in moved and name in held:
            before, after = was.family_at(factor), now.family_at(factor)
            if before is None or after is None:
                continue
            entry, extras, parameters = before
            carried = entry.carry(held[name], parameters, after[2], extras)
            if carried is not None:
                found[name] = carried
                now.put(name, carried)
    return found


class _World:
    """Values of p's variables as its modules take them, filled in along its order."""

    def __init__(self, model: Model, values: Mapping[str, Tensor]) -> None:
        self.model = model
        self.noise = noise_for(model, len(next(iter(values.values()))), 0)
        self.values: dict[str, Tensor] = {}
        for name, value in values.items():
            self.put(name, value)

    def put(self, name: str, value: Tensor) -> None:
        """Set a stochastic variable, [B, *shape]."""
        prepared = as_value(self.model.graphs.by_row.variables[name], value, placement(self.model)[1])
        self.values[name] = prepared

    def compute(self, factor: Factor) -> None:
        """Set a deterministic variable if its parents have values."""
        if all(parent in self.values for parent in factor.parents):
            self.values[factor.variable] = self.model.compute(factor, self.values, self.noise)

    def family_at(self, factor: Factor) -> tuple[FamilyEntry, Extras, tuple[Tensor, ...]] | None:
        """The factor's family and its parameters given its parents; None if one of them has no value."""
        if any(parent not in self.values for parent in factor.parents):
            return None
        return self.model.family_at(factor, self.values, self.noise)
