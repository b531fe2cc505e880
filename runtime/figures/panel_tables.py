"""A panel as a table: one line per cell, one field per element of every variable, in data units."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path

from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.panels import Panel, elements, value_name
from runtime.data import Units
from runtime.figures.plate_lines import element_numbers, plates_of

FEW_ELEMENTS = 20


Columns = Mapping[str, Sequence[str]]
"""Names of columns of the source by the variable that is read from them."""


def panel_table(
    panel: Panel, graphs: Graphs, units: Mapping[str, Units] | None = None, columns: Columns | None = None
) -> tuple[list[str], Iterator[list[str]]]:
    """Header and lines. `row` and `column` count from 0; `cell` is the cell's name where rows or columns have one;
    `source` is what the row of data is called that a cell is about, and cells of none are left out.
    Standardized variables are given in data units; a blank is empty. Pixels come last: they would hide all else.
    Columns are called as predictions call them: as in the source, what it has not as in the spec.

    With plates a line is an element that is there: its number in each plate (from 0) in a column of the plate's name,
    and what belongs to the row again on every line. Plates side by side have lines one after the other.
    """
    names = [name for name in panel.values if name != panel.parts]
    variables = sorted((graphs.variables[n] for n in names), key=lambda v: prod(v.of_element) > FEW_ELEMENTS)
    values = {v.name: in_data_units(panel.values[v.name], (units or {}).get(v.name)) for v in variables}
    inside = {v.name: plates_of(graphs, v.name) for v in variables}
    plates = [name for name in graphs.plates if any(name in path for path in inside.values())]
    front = ["row", "column", "cell", *(["source"] if panel.named else []), *(_free(name, graphs) for name in plates)]
    header = [*front, *_names_of_columns(variables, graphs, columns or {}, front)]

    def lines() -> Iterator[list[str]]:
        for row, row_name in enumerate(panel.rows):
            for column, column_name in enumerate(panel.columns):
                called = panel.named[row][column] if panel.named else ""
                if panel.named and not called:
                    continue
                name = " ".join(part for part in (row_name.replace("\n", " "), column_name) if part)
                name = name.replace("\N{MINUS SIGN}", "-")  # of a number, which a program may want to read
                cell = {each: value[row, column] for each, value in values.items()}
                for path, index in element_numbers(cell, variables, inside, graphs):
                    at = dict(zip(path, index, strict=True))
                    fields = [f for v in variables for f in _fields(v, cell[v.name], inside[v.name], at)]
                    numbers = [str(at[plate]) if plate in at else "" for plate in plates]
                    yield [str(row), str(column), name, *([called] if panel.named else []), *numbers, *fields]

    return header, lines()


def _names_of_columns(
    variables: Sequence[Variable], graphs: Graphs, columns: Columns, taken: Sequence[str]
) -> list[str]:
    """One for each element of each variable; those of the spec where the source's are taken already."""
    found: list[str] = []
    for variable in variables:
        own = _element_names(variable, graphs, columns.get(variable.name, ()))
        free = not {*taken, *found}.intersection(own) and len(set(own)) == len(own)
        found += own if free else [str(target) for target in elements(variable.of_one)]
    return found


def _element_names(variable: Variable, graphs: Graphs, columns: Sequence[str]) -> list[str]:
    """By its own column of the source, by its number in the one that all elements are in, or as the spec has it."""
    targets, data = elements(variable.of_one), graphs.spec.data
    spec = None if data is None else data.variables.get(variable.name)
    if spec is None or spec.soft or not columns:
        return [str(target) for target in targets]
    if len(columns) == len(targets) and (spec.columns is not None or not variable.of_element):
        return list(columns)
    if spec.column is None:
        return [str(target) for target in targets]
    return [str(target).replace(variable.name, spec.column, 1) for target in targets]


def _free(plate: str, graphs: Graphs) -> str:
    """The column of a plate; `name number` if a variable is called so too, which no spec allows today."""
    return plate if plate not in graphs.variables else f"{plate} number"


def _fields(variable: Variable, value: Tensor, path: tuple[str, ...], at: Mapping[str, int]) -> list[str]:
    """A variable on the line of an element: empty where it stands in a plate that the element does not."""
    if not set(path) <= at.keys():
        return [""] * prod(variable.of_element)
    own = value[tuple(at[plate] for plate in path)]
    return [_field(variable, number) for number in own.flatten()]


def write_csv(
    panel: Panel,
    graphs: Graphs,
    path: Path,
    units: Mapping[str, Units] | None = None,
    columns: Columns | None = None,
) -> None:
    """`panel_table` as a comma-separated file."""
    header, lines = panel_table(panel, graphs, units, columns)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)


def in_data_units(values: Tensor, units: Units | None) -> Tensor:
    """[..., *shape] with standardization undone."""
    return values if units is None else units.to_data(values)


def _field(variable: Variable, number: Tensor) -> str:
    value = float(number)
    if value != value or (variable.discrete and value == -1):
        return ""
    if variable.discrete and (variable.names or value == round(value)):  # a mean of named classes: the likelier one
        return value_name(variable, round(value))
    return f"{value:.6g}"
