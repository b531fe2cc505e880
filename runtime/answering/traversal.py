"""The traverse query: move one hidden number through its range, or two over a grid, and hold all else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from compiler.model.model import Model
from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.interventions import Values, infer, intervene, noise_for, settled, take
from runtime.answering.panels import (
    Panel,
    Target,
    conditioned,
    elements,
    finite_values,
    parse_target,
    reaches,
    shown_variable,
)
from runtime.answering.queries import MOST_COLUMNS, before, names_of, side_by_side, spread
from runtime.answering.query_settings import TIED, checked, settings_of
from runtime.answering.scales import Scales, headings
from runtime.data import Rows
from runtime.errors import RunError
from runtime.measures.latent_use import activity

RANGE_ROWS = 1000
"""Rows from which ranges and activity are read."""
RANGE = (0.01, 0.99)
"""Quantiles of the inferred values between which a continuous target moves."""
MOST_TARGETS = 10**6
"""More latent elements than any model has: all of them, most active first."""


def traverse(
    model: Model,
    rows: Rows,
    *,
    vary: Sequence[str] = (),
    fixed: Sequence[str] = (),
    row: int = 0,
    steps: int = 9,
    count: int = 8,
    shown: str | None = None,
    seed: int = 0,
    scales: Scales | None = None,
    called: Callable[[int], str] = str,
) -> Panel:
    """Sweep hidden numbers with all others held at what is inferred from the observed variables of a row.

    No target in `vary`: the `count` latent elements that the data move most, one a row, from row `row` of the split.
    One target: `count` rows of the split, one a row. Two: a grid over both from row `row`. A continuous target moves in
    `steps` steps between the 1st and 99th percentile of its inferred values; a discrete one takes its values in turn.
    fixed: settings such as `y=9`, `kind=cat` or `angle=30` that hold in every picture, whatever is inferred.
    scales: of standardized variables, whose values are read and named in data units. called: the name of a row of the
    source.
    """
    image = shown_variable(model.graphs.by_row, shown)
    targets = [checked(parse_target(text, model.graphs.by_row), model.graphs.by_row, image) for text in vary]
    if len(targets) > 2 or len(set(map(str, targets))) < len(targets):
        raise RunError("traverse moves one target, or two different ones over a grid", "give --vary at most twice")
    held_at = settings_of(fixed, model.graphs.by_row, image, scales or {})
    if any(target in held_at for target in targets):
        raise RunError("a target cannot be moved and held at once", "leave it out of --vary, or out of --set")
    if not 0 <= row < len(rows):
        raise RunError(f"there is no row {row}: the split has {len(rows)}", "rows count from 0")
    with torch.no_grad():
        scene = TraversalScene(
            model, rows, image, held_at, steps, seed, _survey(model, rows, seed), scales or {}, called
        )
        if len(targets) == 2:
            return _grid(scene, (targets[0], targets[1]), row)
        if len(targets) == 1:
            return _rows(scene, targets[0], count)
        return _elements(scene, count, row)


@dataclass(frozen=True)
class Survey:
    """What is inferred from the observed variables of many rows: means, and one joint draw, {name: [B, *shape]}."""

    means: Values
    draws: Values

    def activity(self, target: Target) -> float:
        """Variance over rows of the mean, in units of the draws' variance: 0 for an element that ignores the data, or
        that hardly a row has."""
        of_means, of_draws = (_column(values, target).var(correction=0) for values in (self.means, self.draws))
        return 0.0 if of_draws.isnan() else float(activity(of_means, of_draws))

    def range(self, target: Target) -> tuple[float, float]:
        """Between which values most inferred ones lie."""
        quantiles = torch.tensor(RANGE, dtype=torch.float64)
        low, high = torch.quantile(_column(self.draws, target).cpu(), quantiles).tolist()
        return low, high

    def settings(self, target: Target, steps: int) -> Tensor:
        """The values a sweep of `target` takes, in order."""
        finite = finite_values(target.variable)
        if finite is not None:
            return finite[:MOST_COLUMNS].double()
        low, high = self.range(target)
        if target.variable.discrete:
            return torch.arange(round(low), round(high) + 1)[:MOST_COLUMNS].double()
        return torch.linspace(low, high, steps, dtype=torch.float64)


def _survey(model: Model, rows: Rows, seed: int) -> Survey:
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    data = take(model, rows, order[:RANGE_ROWS])
    seen = model.unlabelled(data)
    draws = model.infer(seen, noise=noise_for(model, len(order[:RANGE_ROWS]), seed))
    return Survey(infer(model, data, seed, keep_labels=False), {name: value[0] for name, value in draws.items()})


@dataclass(frozen=True)
class TraversalScene:
    """What every picture of one query shares. fixed: {target: value} set in all of them; all in the model's units."""

    model: Model
    rows: Rows
    image: Variable
    fixed: Mapping[Target, Tensor]
    steps: int
    seed: int
    survey: Survey
    scales: Scales
    called: Callable[[int], str] = str

    @property
    def said(self) -> str:
        """`; y = 9`, for titles; with the range of the inferred values where a setting is far from them."""
        names = [f"{target} = {self.headings(target, [float(value)])[0]}" for target, value in self.fixed.items()]
        names = [f"{name}{self._far(target)}" for name, target in zip(names, self.fixed, strict=True)]
        return f"; {', '.join(names)}" if names else ""

    def _far(self, target: Target) -> str:
        if target.variable.support is not None:
            return ""
        low, high = self.survey.range(target)
        if low - (high - low) <= float(self.fixed[target]) <= high + (high - low):
            return ""
        return " (rows have {} to {})".format(*self.headings(target, [low, high]))

    def headings(self, target: Target, settings: Sequence[float] | Tensor) -> tuple[str, ...]:
        """What the values of a sweep are called."""
        return headings(target, settings, self.scales)

    def settings(self, target: Target) -> Tensor:
        """The values a sweep of `target` takes."""
        return self.survey.settings(target, self.steps)

    def names(self, positions: Tensor) -> list[str]:
        """What some rows are called in the source."""
        return names_of(self.rows, positions, self.called)

    def start(self, positions: Tensor) -> tuple[Values, Values]:
        """Data of some rows, and their hidden values inferred from the observed variables alone."""
        data = take(self.model, self.rows, positions)
        return data, infer(self.model, data, self.seed, keep_labels=False)

    def intervene(self, held: Values, changes: Mapping[Target, Tensor]) -> Values:
        """p's variables once what is fixed is set, with what follows from it, and then `changes`."""
        if self.fixed:
            held = settled(self.model, held, self.fixed, self.seed)
        return intervene(self.model, held, {**self.fixed, **changes}, self.seed)

    def covers(self, targets: Sequence[Target]) -> bool:
        """The targets and what is fixed are all that the picture depends on in p."""
        graphs = self.model.graphs.by_row
        above = [n for n in (*graphs.supervised, *graphs.latent) if reaches(graphs, n, self.image.name)]
        free = {(n, t.element) for n in above for t in elements(graphs.variables[n])}
        known = {(t.variable.name, t.element) for t in (*targets, *self.fixed)}
        return free <= known and not conditioned(graphs)


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


def _elements(scene: TraversalScene, count: int, row: int) -> Panel:
    data, held = scene.start(torch.tensor([row]))
    free = [
        t
        for t in most_active(scene.model.graphs.by_row, scene.image, scene.survey, MOST_TARGETS)
        if t not in scene.fixed and bool(held[t.variable.name][t.index].isfinite().all())
    ]
    targets = free[:count]
    sweeps = [scene.settings(target) for target in targets]
    columns = max((len(settings) for settings in sweeps), default=0)
    if not columns:
        raise RunError("every latent number is held by --set", "leave one free")
    lines = [_line(scene, data, held, *pair, columns) for pair in zip(targets, sweeps, strict=True)]
    names = []
    for target, settings in zip(targets, sweeps, strict=True):
        ends = scene.headings(target, [float(settings[0]), float(settings[-1])])
        names.append(f"{target}\n{ends[0]} to {ends[1]}")
    values = {name: torch.stack([line[name] for line in lines]) for name in lines[0]}
    (name,) = scene.names(torch.tensor([row]))
    title = f"Traversal: each row moves one latent number, all else as inferred from row {row} of the split{scene.said}"
    cells = tuple((name,) * (1 + len(sweep)) + ("",) * (columns - len(sweep)) for sweep in sweeps)
    return Panel(title, scene.image.name, values, tuple(names), ("input", *[""] * columns), inputs=1, named=cells)


def _line(scene: TraversalScene, data: Values, held: Values, target: Target, settings: Tensor, columns: int) -> Values:
    """One row of cells {name: [1 + columns, *shape]}: the data, the sweep, then blanks."""
    many = {name: value.expand(len(settings), *value.shape[1:]) for name, value in held.items()}
    swept = scene.intervene(many, {target: settings})
    first = before(data, held, {name: value[:1] for name, value in swept.items()})
    blank = {name: value.new_full((columns - len(settings), *value.shape[1:]), nan) for name, value in swept.items()}
    return {name: torch.cat([first[name], value, blank[name]]).cpu() for name, value in swept.items()}


def _rows(scene: TraversalScene, target: Target, count: int) -> Panel:
    positions = spread(scene.rows, target if target.variable.support is not None else None, count, scene.seed)
    data, held = scene.start(positions)
    settings = scene.settings(target)
    sheets = [scene.intervene(held, {target: value}) for value in settings]
    values = side_by_side([before(data, held, sheets[0]), *sheets])
    title = f"Traversal of {target}: each row holds all else as inferred from its first picture{scene.said}"
    columns = ("input", *scene.headings(target, settings))
    cells = tuple((name,) * len(columns) for name in scene.names(positions))
    return Panel(title, scene.image.name, values, ("",) * len(positions), columns, inputs=1, named=cells)


def _grid(scene: TraversalScene, targets: tuple[Target, Target], row: int) -> Panel:
    down, across = targets
    _, held = scene.start(torch.tensor([row]))
    settings, columns = scene.settings(down), scene.settings(across)
    many = {name: value.expand(len(settings), *value.shape[1:]) for name, value in held.items()}
    sheets = [scene.intervene(many, {down: settings, across: value}) for value in columns]
    rest = "" if scene.covers(targets) else f", all else as inferred from row {row}"
    title = f"Traversal: {down} changes downwards, {across} to the right{rest}{scene.said}"
    rows, names = scene.headings(down, settings), scene.headings(across, columns)
    cells = (tuple(scene.names(torch.tensor([row]))) * len(names),) * len(rows)
    return Panel(title, scene.image.name, side_by_side(sheets), rows, names, named=cells)


def _column(values: Values, target: Target) -> Tensor:
    """Of the rows that have the element."""
    column = values[target.variable.name][target.index].double()
    return column[~column.isnan()]
