"""What a query returns: a panel of cells, each cell one value of every variable, with names for rows and columns.

A picture draws the cells of one variable (`figures/grid.py`); a table lists all of them (`figures/tables.py`).
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import networkx as nx
import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from runtime.errors import RunError

SMALLEST_SQUARE = 7
"""Side of the smallest flat vector of pixels that is shown as a square picture."""


@dataclass(frozen=True)
class Panel:
    """Cells in rows and columns.

    values: {name: [R, C, *shape]} on the CPU; `shown` is the observed variable the query is about.
    captions: [R][C] short texts above the cells, or (); marked: (row, column) of captions to notice.
    inputs: leading columns that are data, set apart.
    band: rows that belong together (input above reconstruction), set apart from the next; 0: all.
    parts: a variable whose elements are the parts that the shown picture is made of.
    named: [R][C] what the row of data of each cell is called, "" where a cell has none; or ().
    """

    title: str
    shown: str
    values: Mapping[str, Tensor]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...] = ()
    marked: frozenset[tuple[int, int]] = frozenset()
    inputs: int = 0
    band: int = 0
    parts: str = ""
    named: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            assert value.shape[:2] == (len(self.rows), len(self.columns)), f"{name}: {tuple(value.shape)}"


@dataclass(frozen=True)
class Target:
    """A variable, or one element of it: what a sweep changes. `element` indexes the event shape."""

    variable: Variable
    element: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.variable.name + (f"[{','.join(map(str, self.element))}]" if self.element else "")

    @property
    def index(self) -> tuple[slice | int, ...]:
        """Picks the element out of values [B, *shape]."""
        return (slice(None), *self.element)

    @property
    def whole(self) -> bool:
        """Names a scalar variable or exactly one element of a larger one."""
        return len(self.element) == len(self.variable.shape)


def elements(variable: Variable) -> list[Target]:
    """Every element of a variable as a target, in storage order."""
    return (
        [
            Target(variable, tuple(int(i) for i in index))
            for index in torch.cartesian_prod(*(torch.arange(n) for n in variable.shape)).reshape(
                -1, len(variable.shape)
            )
        ]
        if variable.shape
        else [Target(variable)]
    )


def parse_target(text: str, graphs: Graphs) -> Target:
    """`y`, `z[3]` or `z[0,2]`; raises RunError for an unknown name or an element that is not there."""
    match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(?:\[\s*(\d+(?:\s*,\s*\d+)*)\s*\])?\s*", text)
    if match is None:
        raise RunError(f"cannot read {text!r} as a variable", "write a name such as y, or one element such as z[3]")
    variable = hidden_variable(match.group(1), graphs)
    element = tuple(int(part) for part in match.group(2).split(",")) if match.group(2) else ()
    if variable.shape == (1,) and not element:
        element = (0,)
    target = Target(variable, element)
    inside = target.whole and all(i < n for i, n in zip(element, variable.shape, strict=True))
    if not inside and (element or variable.shape):
        raise RunError(
            f"{text}: {variable.name} has shape {list(variable.shape)}",
            f"name one element, for example {variable.name}[{','.join('0' for _ in variable.shape)}]"
            if variable.shape
            else f"{variable.name} is a single value: write {variable.name}",
        )
    return target


def hidden_variable(name: str, graphs: Graphs) -> Variable:
    """The latent or supervised variable called `name`; raises RunError naming those there are."""
    names = (*graphs.supervised, *graphs.latent)
    if name in names:
        return graphs.variables[name]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    listed = ", ".join(names) or "none"
    role = f"{name} is {graphs.variables[name].role}" if name in graphs.variables else f"there is no variable {name!r}"
    raise RunError(f"{role}: only supervised and latent variables can be varied", f"{hint}this model has: {listed}")


def finite_values(variable: Variable) -> Tensor | None:
    """Every value of one element, as rows carry it (class index, 0 and 1, the count itself); None if not finite."""
    return None if variable.support is None else torch.arange(variable.support) + variable.minimum


def value_name(variable: Variable, value: float) -> str:
    """A value (in data units) in words: the class's name where the spec gives names, else the number."""
    if math.isnan(value):
        return "?"
    if variable.discrete:
        index = round(value)
        return variable.names[index] if 0 <= index < len(variable.names) else str(index)
    return _few_digits(value).replace("-", "\N{MINUS SIGN}")


def _few_digits(value: float) -> str:
    """Two decimals where they say something: 0.03, 2.50, 371.20, but 45210 and 0.0012."""
    size = abs(value)
    if size >= 1000:
        return f"{value:.0f}" if size < 1e6 else f"{value:.3g}"
    return f"{value:.2f}" if size >= 0.1 or value == 0 else f"{value:.2g}"


def picture_shape(variable: Variable) -> tuple[int, int, int] | None:
    """(channels, height, width) if values make a picture: [1 or 3, H, W], [H, W], or n * n numbers in [0, 1]."""
    shape = variable.shape
    if variable.discrete and variable.domain != "binary" and len(shape) < 3:
        return None
    if len(shape) == 3 and shape[0] in (1, 3):
        return (shape[0], shape[1], shape[2])
    if len(shape) == 2 and min(shape) >= SMALLEST_SQUARE:
        return (1, shape[0], shape[1])
    if len(shape) == 1 and variable.domain in ("unit", "binary"):
        side = math.isqrt(shape[0])
        return (1, side, side) if side * side == shape[0] and side >= SMALLEST_SQUARE else None
    return None


def shown_variable(graphs: Graphs, name: str | None = None) -> Variable:
    """The observed variable a query shows: `name`, else the first picture that p models, else the first it models."""
    modelled = [v for v in graphs.observed if v in graphs.generative]
    if name is not None:
        if name in modelled:
            return graphs.variables[name]
        near = difflib.get_close_matches(name, modelled, n=1)
        raise RunError(
            f"--show {name}: not an observed variable that p models",
            (f"did you mean {near[0]}? " if near else "") + f"there are: {', '.join(modelled) or 'none'}",
        )
    if not modelled:
        raise RunError(
            "p models no observed variable, so there is nothing to show",
            "give an observed variable an entry in `generative`, such as x: {parents: [z]}",
        )
    pictures = [v for v in modelled if picture_shape(graphs.variables[v].of_one) is not None]
    return graphs.variables[(pictures or modelled)[0]]


def parts_of(graphs: Graphs, image: Variable) -> str:
    """A variable whose elements p adds up to a picture, each of them one itself; empty if there is none."""
    if picture_shape(image) is None or image.row_axes:
        return ""
    views = (graphs.views[parent].view for parent in graphs.generative[image.name].parents if parent in graphs.views)
    pooled = (view.base for view in views if view is not None)
    return next((name for name in pooled if graphs.variables[name].of_element == image.shape), "")


def conditioned(graphs: Graphs) -> tuple[str, ...]:
    """Observed variables that p does not model: they have to come from data."""
    return tuple(name for name in graphs.observed if name not in graphs.generative)


def counting(graphs: Graphs) -> tuple[str, ...]:
    """Variables that say how many elements of a plate are there: of a row they are held, unless they are set."""
    return tuple(dict.fromkeys(plate.count for plate in graphs.plates.values() if plate.count is not None))


def counted_by(graphs: Graphs, counts: Iterable[str]) -> frozenset[str]:
    """Variables whose elements some of `counts` count."""
    chosen = set(counts)
    plates = {plate.name for plate in graphs.plates.values() if chosen & {graphs.plates[p].count for p in plate.path}}
    return frozenset(name for name, variable in graphs.spec.variables.items() if variable.plate in plates)


def reaches(graphs: Graphs, cause: str, effect: str) -> bool:
    """There is a directed path from `cause` to `effect` in the generative graph."""
    graph = graphs.graph("generative")
    return cause in graph and effect in graph and nx.has_path(graph, cause, effect)


def below(graphs: Graphs, changed: Iterable[str]) -> frozenset[str]:
    """Variables that depend on any of `changed` in the generative graph, themselves left out."""
    graph = graphs.graph("generative")
    causes = [name for name in changed if name in graph]
    return frozenset(name for cause in causes for name in nx.descendants(graph, cause)) - set(causes)
