"""A panel as a table: one line per cell, one field per element of every variable, in data units."""

import csv
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.panels import Panel, elements, value_name
from runtime.data import Units

FEW_ELEMENTS = 20


def panel_table(
    panel: Panel, graphs: Graphs, units: Mapping[str, Units] | None = None
) -> tuple[list[str], Iterator[list[str]]]:
    """Header and lines. `row` and `column` count from 0; `cell` is the cell's name where rows or columns have one.
    Standardized variables are given in data units; a blank is empty. Pixels come last: they would hide all else."""
    variables = sorted((graphs.variables[name] for name in panel.values), key=lambda v: prod(v.shape) > FEW_ELEMENTS)
    values = {v.name: in_data_units(panel.values[v.name], (units or {}).get(v.name)) for v in variables}
    header = ["row", "column", "cell", *(str(target) for v in variables for target in elements(v))]

    def lines() -> Iterator[list[str]]:
        for row, row_name in enumerate(panel.rows):
            for column, column_name in enumerate(panel.columns):
                name = " ".join(part for part in (row_name.replace("\n", " "), column_name) if part)
                name = name.replace("\N{MINUS SIGN}", "-")  # of a number, which a program may want to read
                cells = [_field(v, number) for v in variables for number in values[v.name][row, column].flatten()]
                yield [str(row), str(column), name, *cells]

    return header, lines()


def write_csv(panel: Panel, graphs: Graphs, path: Path, units: Mapping[str, Units] | None = None) -> None:
    """`panel_table` as a comma-separated file."""
    header, lines = panel_table(panel, graphs, units)
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
    whole = variable.discrete and value == round(value)
    return value_name(variable, value) if whole else f"{value:.6g}"
