"""The traverse query: move one hidden number through its range, or two over a grid, and hold all else."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from compiler.module import Model
from graphspec.graph import Graphs, Variable
from runtime.data import Rows
from runtime.errors import RunError
from runtime.interventions import Values, infer, intervene, noise_for, take
from runtime.panels import Panel, Target, elements, finite_values, parse_target, reaches, shown_variable
from runtime.queries import MOST_COLUMNS, before, headings, side_by_side, spread

RANGE_ROWS = 1000
"""Rows from which ranges and activity are read."""
RANGE = (0.01, 0.99)
"""Quantiles of the inferred values between which a continuous target moves."""
TIED = ("simplex", "direction")
"""Domains whose elements cannot move one by one."""


def traverse(
    model: Model,
    rows: Rows,
    *,
    vary: Sequence[str] = (),
    row: int = 0,
    steps: int = 9,
    count: int = 8,
    shown: str | None = None,
    seed: int = 0,
) -> Panel:
    """Sweep hidden numbers with all others held at what is inferred from the observed variables of a row.

    No target in `vary`: the `count` latent elements that the data move most, one a row, from row `row` of the split.
    One target: `count` rows of the split, one a row. Two: a grid over both from row `row`. A continuous target moves in
    `steps` steps between the 1st and 99th percentile of its inferred values; a discrete one takes its values in turn.
    """
    image = shown_variable(model.graphs, shown)
    targets = [_checked(parse_target(text, model.graphs), model.graphs, image) for text in vary]
    if len(targets) > 2 or len(set(map(str, targets))) < len(targets):
        raise RunError("traverse moves one target, or two different ones over a grid", "give --vary at most twice")
    if not 0 <= row < len(rows):
        raise RunError(f"there is no row {row}: the split has {len(rows)}", "rows count from 0")
    with torch.no_grad():
        survey = _survey(model, rows, seed)
        if len(targets) == 2:
            return _grid(model, rows, image, (targets[0], targets[1]), row, steps, survey, seed)
        if len(targets) == 1:
            return _rows(model, rows, image, targets[0], count, steps, survey, seed)
        return _elements(model, rows, image, count, row, steps, survey, seed)


@dataclass(frozen=True)
class Survey:
    """What is inferred from the observed variables of many rows: means, and one joint draw, {name: [B, *shape]}."""

    means: Values
    draws: Values

    def activity(self, target: Target) -> float:
        """Variance over rows of the mean, in units of the draws' variance: 0 for an element that ignores the data."""
        spread_of_draws = _column(self.draws, target).var(correction=0).clamp_min(1e-12)
        return float(_column(self.means, target).var(correction=0) / spread_of_draws)

    def settings(self, target: Target, steps: int) -> Tensor:
        """The values a sweep of `target` takes, in order."""
        finite = finite_values(target.variable)
        if finite is not None:
            return finite[:MOST_COLUMNS].double()
        quantiles = torch.tensor(RANGE, dtype=torch.float64)
        low, high = torch.quantile(_column(self.draws, target).cpu(), quantiles).tolist()
        if target.variable.discrete:
            return torch.arange(round(low), round(high) + 1)[:MOST_COLUMNS].double()
        return torch.linspace(low, high, steps, dtype=torch.float64)


def _survey(model: Model, rows: Rows, seed: int) -> Survey:
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    data = take(model, rows, order[:RANGE_ROWS])
    seen = {name: data[name] for name in model.graphs.observed}
    draws = model.infer(seen, noise=noise_for(model, len(order[:RANGE_ROWS]), seed))
    return Survey(infer(model, data, seed, keep_labels=False), {name: value[0] for name, value in draws.items()})


def most_active(graphs: Graphs, image: Variable, survey: Survey, count: int) -> list[Target]:
    """The `count` latent elements above `image` that the data move most, most active first."""
    usable = [
        graphs.variables[name]
        for name in graphs.latent
        if reaches(graphs, name, image.name) and graphs.variables[name].domain not in TIED
    ]
    targets = [target for variable in usable for target in elements(variable)]
    if not targets:
        raise RunError(
            f"{image.name} depends on no latent number in p that can move by itself",
            "name a supervised variable with --vary, or use `graphspec sample`",
        )
    return sorted(targets, key=lambda target: -survey.activity(target))[:count]


def _elements(
    model: Model, rows: Rows, image: Variable, count: int, row: int, steps: int, survey: Survey, seed: int
) -> Panel:
    data, held = _start(model, rows, torch.tensor([row]), seed)
    targets = most_active(model.graphs, image, survey, count)
    sweeps = [survey.settings(target, steps) for target in targets]
    columns = max(len(settings) for settings in sweeps)
    lines = [
        _line(model, data, held, target, settings, columns, seed)
        for target, settings in zip(targets, sweeps, strict=True)
    ]
    names = []
    for target, settings in zip(targets, sweeps, strict=True):
        ends = headings(target, [float(settings[0]), float(settings[-1])])
        names.append(f"{target}\n{ends[0]} to {ends[1]}")
    values = {name: torch.stack([line[name] for line in lines]) for name in lines[0]}
    title = f"Traversal: each row moves one latent number, all else as inferred from row {row} of the split"
    return Panel(title, image.name, values, tuple(names), ("input", *[""] * columns), inputs=1)


def _line(
    model: Model, data: Values, held: Values, target: Target, settings: Tensor, columns: int, seed: int
) -> Values:
    """One row of cells {name: [1 + columns, *shape]}: the data, the sweep, then blanks."""
    many = {name: value.expand(len(settings), *value.shape[1:]) for name, value in held.items()}
    swept = intervene(model, many, {target: settings}, seed)
    first = before(data, held, {name: value[:1] for name, value in swept.items()})
    blank = {name: value.new_full((columns - len(settings), *value.shape[1:]), nan) for name, value in swept.items()}
    return {name: torch.cat([first[name], value, blank[name]]).cpu() for name, value in swept.items()}


def _rows(
    model: Model, rows: Rows, image: Variable, target: Target, count: int, steps: int, survey: Survey, seed: int
) -> Panel:
    positions = spread(rows, target if target.variable.support is not None else None, count, seed)
    data, held = _start(model, rows, positions, seed)
    settings = survey.settings(target, steps)
    sheets = [intervene(model, held, {target: value}, seed) for value in settings]
    values = side_by_side([before(data, held, sheets[0]), *sheets])
    title = f"Traversal of {target}: each row holds all else as inferred from its first picture"
    columns = ("input", *headings(target, settings))
    return Panel(title, image.name, values, ("",) * len(positions), columns, inputs=1)


def _grid(
    model: Model,
    rows: Rows,
    image: Variable,
    targets: tuple[Target, Target],
    row: int,
    steps: int,
    survey: Survey,
    seed: int,
) -> Panel:
    down, across = targets
    _, held = _start(model, rows, torch.tensor([row]), seed)
    settings, columns = survey.settings(down, steps), survey.settings(across, steps)
    many = {name: value.expand(len(settings), *value.shape[1:]) for name, value in held.items()}
    sheets = [intervene(model, many, {down: settings, across: value}, seed) for value in columns]
    title = f"Traversal: {down} changes downwards, {across} to the right, all else as inferred from row {row}"
    return Panel(title, image.name, side_by_side(sheets), headings(down, settings), headings(across, columns))


def _start(model: Model, rows: Rows, positions: Tensor, seed: int) -> tuple[Values, Values]:
    """Data of some rows, and their hidden values inferred from the observed variables alone."""
    data = take(model, rows, positions)
    return data, infer(model, data, seed, keep_labels=False)


def _column(values: Values, target: Target) -> Tensor:
    return values[target.variable.name][target.index].double()


def _checked(target: Target, graphs: Graphs, image: Variable) -> Target:
    name = target.variable.name
    if target.variable.domain in TIED:
        raise RunError(
            f"{target}: the elements of a {target.variable.domain} are tied together and cannot move one by one",
            "vary another variable",
        )
    if not reaches(graphs, name, image.name):
        raise RunError(
            f"{image.name} does not depend on {name} in p: every picture would be the same", "vary another variable"
        )
    return target
