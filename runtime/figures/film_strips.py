"""Pictures of elements side by side: a line for each row of data, its elements to the right as far as they go.

A picture that is made up of elements has each element's part beside the whole.
"""

from dataclasses import replace

import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.panels import Panel, picture_shape, value_name
from runtime.figures.plate_lines import aligned, in_order, lines_of, plates_of, states_beside

MOST_PICTURES = 16
"""Pictures side by side; more do not fit a page."""


def has_strips(panel: Panel, graphs: Graphs) -> bool:
    """Its elements are pictures, or the parts of one."""
    variable = graphs.variables[panel.shown]
    return bool(panel.parts) or (variable.row_axes > 0 and picture_shape(variable.of_one) is not None)


def film_strips(panel: Panel, graphs: Graphs) -> tuple[Panel, Variable]:
    """A panel with a line for each cell and a column for each element, and the variable that its cells show."""
    whole = graphs.variables[panel.shown]
    part = graphs.variables[panel.parts] if panel.parts else whole
    plates = plates_of(graphs, part.name)
    lines = lines_of(panel)
    strips, words = [], []
    state = states_beside(panel, graphs, plates)
    for line in lines:
        value = panel.values[part.name][line.row, line.column]
        pictures = in_order(value, part)[:MOST_PICTURES]
        said = [] if state is None else _said(panel, state, (line.row, line.column), value, part)[:MOST_PICTURES]
        if panel.parts:
            pictures = torch.cat([panel.values[whole.name][line.row, line.column][None], pictures])
            said = ["", *said]
        strips.append(pictures)
        words.append(said)
    columns = max(len(strip) for strip in strips)
    cells = torch.stack([_blank_to(strip, columns) for strip in strips])
    captions = tuple((*said, *[""] * (columns - len(said))) for said in words) if state is not None else ()
    first = {line.group: place for place, line in reversed(list(enumerate(lines)))}
    wrong = frozenset(
        (place, column)
        for place, line in enumerate(lines)
        for column, text in enumerate(captions[place] if captions and panel.band else ())
        if text and captions[first[line.group]][column] not in (text, "?", "")
    )
    names = [str(place) for place in range(columns)]
    if panel.parts:
        names = ["whole", *(f"{part.name}[{place}]" for place in range(columns - 1))]
    band = max(sum(line.group == other.group for other in lines) for line in lines)
    told = f"; to the right the elements of {' and '.join(plates)}" + (f", {state.name} above" if state else "")
    title, rows = panel.title.split("; small print")[0] + told, tuple(line.name for line in lines)
    made = Panel(title, whole.name, {whole.name: cells}, rows, tuple(names), captions, wrong)
    made = replace(made, inputs=1 if panel.parts else 0, band=band if band > 1 else 0)
    return made, whole.of_one


def _said(panel: Panel, state: Variable, cell: tuple[int, int], value: Tensor, part: Variable) -> list[str]:
    return [
        value_name(state, number) if number >= 0 else "?"
        for number in aligned(panel.values[state.name][cell], value, part)
    ]


def _blank_to(strip: Tensor, columns: int) -> Tensor:
    rest = strip.new_full((columns - len(strip), *strip.shape[1:]), float("nan"))
    return torch.cat([strip, rest])
