"""Cells of a panel as lines: one row of data, or one answer, a line; what is known of its elements to the right.

From: a `Panel` whose shown variable stands in a plate, or is made up of elements of one. To: `Line`s for pictures of
elements (`film_strips`) and for numbers along a sequence (`sequence_curves`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.panels import Panel

MOST_LINES = 24
"""Lines of a picture; more do not fit a page."""
MOST_STATES = 26
"""Values of a discrete variable that are told from each other beside a sequence."""


@dataclass(frozen=True)
class Line:
    """One cell. group: lines of one group belong together, such as a row of data and its reconstruction."""

    row: int
    column: int
    group: int
    name: str


def lines_of(panel: Panel) -> list[Line]:
    """The cells that hold something, group by group, the first MOST_LINES and none of a group that does not fit."""
    step = panel.band or 1
    groups = [
        [(row, column) for row in range(first, first + step) for column in columns]
        for first in range(0, len(panel.rows), step)
        for columns in ([[c] for c in range(len(panel.columns))] if panel.band else [range(len(panel.columns))])
    ]
    found: list[Line] = []
    for cells in groups:
        held = [cell for cell in cells if not panel.values[panel.shown][cell].isnan().all()]
        if not held or (found and len(found) + len(held) > MOST_LINES):
            continue
        names = [_name(panel, row, column) for row, column in held]
        group = found[-1].group + 1 if found else 0
        found += [Line(*cell, group, name) for cell, name in zip(held, names, strict=True)]
    return found[:MOST_LINES]


def _name(panel: Panel, row: int, column: int) -> str:
    parts = [panel.rows[row].replace("\n", " "), panel.columns[column]]
    caption = panel.captions[row][column] if panel.captions else ""
    return "\n".join(filter(None, [" ".join(filter(None, parts)), caption]))


def plates_of(graphs: Graphs, name: str) -> tuple[str, ...]:
    """The plates that a variable stands in, outermost first, also where `by_row` has made them axes of its shape."""
    plate = graphs.spec.variables[name].plate if name in graphs.spec.variables else None
    return () if plate is None else graphs.plates[plate].path


def in_order(value: Tensor, variable: Variable) -> Tensor:
    """One cell [*plates, *shape] as its elements one after another, those left out that are not there: [E, *shape]."""
    flat = value.reshape(-1, *variable.of_element)
    return flat[there(value, variable)]


def there(value: Tensor, variable: Variable) -> Tensor:
    """Which elements of a cell hold something: [E] bool."""
    flat: Tensor = value.reshape(-1, *variable.of_element)
    known = ~flat.isnan() if not variable.discrete else ~flat.isnan() & (flat != -1)
    return known.flatten(1).any(1) if known.dim() > 1 else known


def states_beside(panel: Panel, graphs: Graphs, plates: tuple[str, ...]) -> Variable | None:
    """A discrete variable with one value for each element of the same plates, a label if there is one."""
    names = [name for name in (*graphs.supervised, *graphs.latent) if name in panel.values]
    fitting = [graphs.variables[name] for name in names if plates_of(graphs, name) == plates]
    few = (v for v in fitting if v.of_element == () and v.support is not None and v.support <= MOST_STATES)
    return next(few, None)


def aligned(state: Tensor, value: Tensor, variable: Variable) -> Iterator[float]:
    """The states of those elements of a cell that `in_order` keeps."""
    yield from torch.masked_select(state.reshape(-1), there(value, variable)).tolist()


def element_numbers(
    cell: Mapping[str, Tensor], variables: Sequence[Variable], inside: Mapping[str, tuple[str, ...]], graphs: Graphs
) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The elements of a cell, as plates and numbers in them; of a cell without elements, or without plates, one line.

    An element is there where its count says so, or else where one of its variables has a value.
    """
    paths = sorted(dict.fromkeys(inside.values()), key=len)
    leaves = [
        path for path in paths if path and not any(path == other[: len(path)] for other in paths if other != path)
    ]
    told = False
    for path in leaves:
        present = torch.ones(tuple(graphs.plates[plate].size for plate in path), dtype=torch.bool)
        for depth in range(1, len(path) + 1):
            known = _known(cell, variables, inside, path[:depth], graphs)
            if known is not None:
                present &= known.reshape(known.shape + (1,) * (len(path) - depth))
        for index in present.nonzero().tolist():
            told = True
            yield path, tuple(index)
    if not told:
        yield (), ()


def _known(
    cell: Mapping[str, Tensor],
    variables: Sequence[Variable],
    inside: Mapping[str, tuple[str, ...]],
    path: tuple[str, ...],
    graphs: Graphs,
) -> Tensor | None:
    """Which elements of the innermost plate of a path are there, [*sizes]; None where nothing says."""
    plate = graphs.plates[path[-1]]
    sizes = tuple(graphs.plates[name].size for name in path)
    count = cell.get(plate.count) if plate.count is not None else None
    if count is not None and not count.isnan().any():
        return torch.arange(plate.size).expand(sizes) < count[..., None]
    mine = [v for v in variables if inside[v.name][: len(path)] == path]
    if not mine:
        return None
    flat = [there(cell[v.name], v).reshape(*sizes, -1).any(-1) for v in mine]
    return torch.stack(flat).any(0)
