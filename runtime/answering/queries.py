"""Questions to a trained model, each answered by a `Panel`: sample, reconstruct, analogies (`traversal.py`: traverse).

Every query runs on any graph that can answer it and says what is missing on one that cannot. `seed` decides which rows
of the split are taken and every draw. A sweep sets one variable of p and keeps the rest; `interventions.py` says what
"the rest" is where a latent depends on the variable that is set.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from compiler.model.model import Model
from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.interventions import Values, context, filled, generate, infer, intervene, take
from runtime.answering.panels import (
    Panel,
    Target,
    finite_values,
    parse_target,
    parts_of,
    reaches,
    shown_variable,
    value_name,
)
from runtime.answering.scales import headings
from runtime.data import Rows
from runtime.errors import RunError

MOST_COLUMNS = 20
"""Values a sweep shows; more do not fit a page."""


def sample(
    model: Model,
    rows: Rows | None = None,
    *,
    count: int = 8,
    columns: int = 10,
    shown: str | None = None,
    means: bool = True,
    seed: int = 0,
) -> Panel:
    """Draws from p: `count` rows. With a supervised variable of few values above what is shown, a column per value,
    and the latents of a row are shared (the same random numbers where they depend on it); else `columns` draws a row.

    means: observed variables as the mean of their distribution instead of a draw. rows: where p conditions on
    observed variables, these are taken from rows of data (RunError without).
    """
    image = shown_variable(model.graphs.by_row, shown)
    label = default_label(model.graphs.by_row, image)
    what, parts = "means" if means else "draws", parts_of(model.graphs.by_row, image)
    with torch.no_grad():
        if label is None:
            total = count * columns
            made = generate(model, context(model, rows, total, seed), total, seed, means=means, function=parts)
            values = {name: value.unflatten(0, (count, columns)).cpu() for name, value in made.items()}
            title = f"Samples from p: {what} of {image.name}"
            return Panel(title, image.name, values, ("",) * count, ("",) * columns, parts=parts)
        given = context(model, rows, count, seed)
        settings = sweep_values(label)
        sheets = [
            generate(
                model,
                given | {label.variable.name: _full(label.variable, value, count)},
                count,
                seed,
                means=means,
                function=parts,
            )
            for value in settings
        ]
    title = f"Samples from p: each row shares its latents, each column sets {label}{_cut(label)}"
    return Panel(title, image.name, side_by_side(sheets), ("",) * count, headings(label, settings, {}), parts=parts)


def reconstruct(
    model: Model,
    rows: Rows,
    *,
    count: int = 20,
    columns: int = 10,
    shown: str | None = None,
    seed: int = 0,
    called: Callable[[int], str] = str,
) -> Panel:
    """Rows of data above what the model makes of them: every hidden variable inferred from the observed ones alone
    (q's means, modes of discrete ones), then p's mean at these and at the row's own values of observed parents. At most
    `columns` rows of data side by side.

    called: the name of a row of the source.
    """
    graphs = model.graphs.by_row
    image = shown_variable(graphs, shown)
    if not (*graphs.latent, *graphs.supervised):
        raise RunError("this model has no hidden variable to reconstruct from", "add a latent variable to the spec")
    label = default_label(graphs, image)
    positions = spread(rows, label, count, seed)
    bands = -(-len(positions) // columns)
    columns = -(-len(positions) // bands)
    with torch.no_grad():
        data = take(model, rows, positions)
        parts = parts_of(graphs, image)
        made = generate(model, infer(model, data, seed, keep_labels=False), len(positions), seed, function=parts)
    values = {
        name: torch.stack([data.get(name, torch.full_like(value, float("nan"))), value], dim=1)
        for name, value in made.items()
    }
    values = {name: _in_bands(value, bands, columns).cpu() for name, value in values.items()}
    title = f"Each row of data above its reconstruction from {', '.join(graphs.observed)} alone"
    captions: tuple[tuple[str, ...], ...] = ()
    if label is not None:
        captions = captions_of(label, values[label.variable.name], len(positions))
        title += f"; small print: {label}, true and inferred"
    names = names_of(rows, positions, called)
    return Panel(
        title,
        image.name,
        values,
        ("input", "reconstruction") * bands,
        ("",) * columns,
        captions,
        wrong_captions(captions),
        band=2,
        parts=parts,
        named=_names_in_bands(names, bands, columns),
    )


def analogies(
    model: Model,
    rows: Rows,
    *,
    vary: str | None = None,
    count: int = 10,
    shown: str | None = None,
    seed: int = 0,
    called: Callable[[int], str] = str,
) -> Panel:
    """One row keeps one style: infer the latents of a row of data, then set a label to each of its values in turn.

    The first column is the data. Latents are inferred from the observed variables and the labels the row has; labels
    it lacks are inferred first. called: the name of a row of the source.
    Source: Kingma et al. 2014, figure 1; Siddharth et al. 2017, figure 2.
    """
    graphs = model.graphs.by_row
    image = shown_variable(graphs, shown)
    label = label_to_sweep(graphs, vary, image)
    positions = spread(rows, label, count, seed)
    settings = sweep_values(label)
    with torch.no_grad():
        data = take(model, rows, positions)
        held = infer(model, data, seed, keep_labels=True)
        sheets = [intervene(model, held, {label: value}, seed) for value in settings]
    title = f"Analogies: each row keeps the style of its first picture, each column sets {label}{_cut(label)}"
    values = side_by_side([before(data, held, sheets[0]), *sheets])
    columns = ("input", *headings(label, settings, {}))
    cells = tuple((name,) * len(columns) for name in names_of(rows, positions, called))
    return Panel(title, image.name, values, ("",) * len(positions), columns, inputs=1, named=cells)


def default_label(graphs: Graphs, image: Variable) -> Target | None:
    """The first supervised single value of finitely many that p uses for `image`; None if there is none."""
    for name in graphs.supervised:
        variable = graphs.variables[name]
        if variable.support is not None and variable.shape in ((), (1,)) and reaches(graphs, name, image.name):
            return Target(variable, (0,) * len(variable.shape))
    return None


def label_to_sweep(graphs: Graphs, vary: str | None, image: Variable) -> Target:
    """What analogies set: `vary`, else `default_label`. RunError names what the spec would need."""
    label = default_label(graphs, image) if vary is None else parse_target(vary, graphs)
    if label is None:
        raise RunError(
            f"analogies need a supervised category, binary or bounded count that {image.name} depends on in p",
            "declare one, such as y: {role: supervised, domain: category, classes: 10}, and make it a parent of "
            f"generative.{image.name}; `graphspec traverse` varies the latents of any model",
        )
    if label.variable.support is None:
        raise RunError(f"{label} has no finite set of values to sweep", f"use graphspec traverse --vary {label}")
    if not reaches(graphs, label.variable.name, image.name):
        raise RunError(
            f"{image.name} does not depend on {label.variable.name} in p: every column would be the same",
            "name another variable with --vary, or add the edge to `generative`",
        )
    return label


def spread(rows: Rows, label: Target | None, count: int, seed: int) -> Tensor:
    """Positions of at most `count` rows, drawn with `seed`; with a label, its values take turns."""
    total = len(rows)
    if total == 0:
        raise RunError("this split has no rows", "choose another split, or change `test` in the spec's data section")
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    if label is None or label.variable.name not in rows.values:
        return order[:count]
    column = rows.values[label.variable.name].cpu()[label.index][order].double().nan_to_num(-1.0)
    turn = torch.zeros(total, dtype=torch.long)
    for value in column.unique():
        same = column == value
        turn[same] = torch.arange(int(same.sum()))
    keys = sorted(range(total), key=lambda i: (int(turn[i]), float(column[i]) < 0, float(column[i])))
    return order[torch.tensor(keys[:count])]


def names_of(rows: Rows, positions: Tensor, called: Callable[[int], str]) -> list[str]:
    """What the rows at some positions are called in the source."""
    return [called(int(rows.source[position])) for position in positions]


def sweep_values(label: Target) -> Tensor:
    """The first MOST_COLUMNS values of one element of a variable with finitely many."""
    values = finite_values(label.variable)
    assert values is not None
    return values[:MOST_COLUMNS]


def side_by_side(sheets: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One column of cells per sheet {name: [R, *shape]}: {name: [R, C, *shape]}, on the CPU."""
    return {name: torch.stack([sheet[name] for sheet in sheets], dim=1).cpu() for name in sheets[-1]}


def before(data: Values, held: Values, made: Values) -> Values:
    """The column of data: observed values and labels as they are, what the row lacks as inferred."""
    column: Values = {}
    for name, value in made.items():
        if name in data and name in held:
            column[name] = filled(data[name], held[name])
        else:
            column[name] = data.get(name, held.get(name, torch.full_like(value, float("nan"))))
    return column


def _in_bands(pairs: Tensor, bands: int, columns: int) -> Tensor:
    """Pairs [n, 2, *shape] as cells [2 * bands, columns, *shape], one above the other; what is left over is blank."""
    rest = pairs.new_full((bands * columns - len(pairs), *pairs.shape[1:]), float("nan"))
    cells: Tensor = torch.cat([pairs, rest]).unflatten(0, (bands, columns)).transpose(1, 2).flatten(0, 1)
    return cells


def _names_in_bands(names: Sequence[str], bands: int, columns: int) -> tuple[tuple[str, ...], ...]:
    """The name of every cell's row of data, "" for what is left over."""
    cells = [*names, *[""] * (bands * columns - len(names))]
    lines = (tuple(cells[band * columns : (band + 1) * columns]) for band in range(bands))
    return tuple(line for line in lines for _ in range(2))


def captions_of(label: Target, values: Tensor, count: int) -> tuple[tuple[str, ...], ...]:
    """The label of every cell [2 * bands, columns, *shape] in words; none beyond the first `count` pairs."""
    cells = values[(slice(None), *label.index)].tolist()
    return tuple(
        tuple(
            value_name(label.variable, value) if row // 2 * len(line) + column < count else ""
            for column, value in enumerate(line)
        )
        for row, line in enumerate(cells)
    )


def wrong_captions(captions: Sequence[Sequence[str]]) -> frozenset[tuple[int, int]]:
    """Cells of odd rows (inferred) whose caption is not the one above (true), where that is known."""
    return frozenset(
        (row, column)
        for row in range(1, len(captions), 2)
        for column, text in enumerate(captions[row])
        if captions[row - 1][column] not in (text, "?")
    )


def _full(variable: Variable, value: Tensor, count: int) -> Tensor:
    return value.to(torch.get_default_dtype()).expand(count, *variable.shape)


def _cut(label: Target) -> str:
    support = label.variable.support or 0
    return f" (the first {MOST_COLUMNS} of {support} values)" if support > MOST_COLUMNS else ""
