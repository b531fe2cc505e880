"""Numbers along a sequence: a line for each, time to the right, a band of colours for the state below.

A row of data and its reconstruction share a picture, the data solid and the reconstruction dashed. Many numbers an
element (the notes of a chord) are an image instead, bright where a number is large. Every sequence ends where it ends.
"""

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.panels import Panel, value_name
from runtime.data import Units
from runtime.figures.panel_tables import in_data_units
from runtime.figures.plate_lines import Line, aligned, in_order, lines_of, plates_of, states_beside, there

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CURVES = 6
"""Numbers of an element that are drawn as curves; more are an image."""
MOST_AXES = 10
MOST_KEYS = 12
"""States that a legend explains; more are read from their band."""
MOST_WORDS = 40
"""States of a sequence that are written into their band."""
LETTERS = 140
"""Of the names of states, along the whole width."""
WIDTH, HEIGHT, BAND = 9.0, 1.25, 0.16
"""Inches: of the picture, of a sequence, of a band of states."""


def has_curves(panel: Panel, graphs: Graphs) -> bool:
    """Numbers in an ordered plate."""
    variable, plates = graphs.variables[panel.shown], plates_of(graphs, panel.shown)
    ordered = bool(plates) and graphs.plates[plates[-1]].ordered
    return ordered and variable.domain != "category" and len(variable.of_element) <= 1


def draw_curves_of(panel: Panel, graphs: Graphs, units: Units | None = None) -> Image.Image:
    """The picture, the first MOST_AXES sequences of the panel."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    variable, plates = graphs.variables[panel.shown], plates_of(graphs, panel.shown)
    state = states_beside(panel, graphs, plates)
    together = bool(panel.band) and int(np.prod(variable.of_element)) <= MOST_CURVES
    sheets: list[list[Line]] = []
    for line in lines_of(panel):
        if together and sheets and sheets[-1][0].group == line.group:
            sheets[-1].append(line)
        else:
            sheets.append([line])
    sheets = sheets[:MOST_AXES]
    figure = Figure(figsize=(WIDTH, 0.9 + len(sheets) * (HEIGHT + 0.35)), layout="constrained")
    title = panel.title.split("; small print")[0]
    title = title.replace(" above its reconstruction", " with its reconstruction") if together else title
    figure.suptitle(title, fontsize=10, x=0.01, ha="left", wrap=True)
    all_axes = figure.subplots(len(sheets), 1, squeeze=False, sharex=True)[:, 0]
    longest = max(int(there(panel.values[panel.shown][r.row, r.column], variable).sum()) for s in sheets for r in s)
    letters = max(1, LETTERS // longest)
    for axes, lines in zip(all_axes, sheets, strict=True):
        _sequence(axes, panel, variable, state, lines, units, letters)
    all_axes[-1].set_xlabel(f"{plates[-1]}, from 0", fontsize=8)
    all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, variable, state, together)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return Image.open(file).convert("RGB")


def _sequence(
    axes: "Axes",
    panel: Panel,
    variable: Variable,
    state: Variable | None,
    lines: list[Line],
    units: Units | None,
    letters: int,
) -> None:
    for place, line in enumerate(lines):
        cell = panel.values[panel.shown][line.row, line.column]
        numbers = in_order(in_data_units(cell, units), variable).flatten(1) if variable.of_element else None
        curves = (in_order(in_data_units(cell, units), variable)[:, None] if numbers is None else numbers).numpy()
        if curves.shape[1] > MOST_CURVES:
            axes.imshow(curves.T, aspect="auto", origin="lower", cmap="Greys", interpolation="nearest")
        else:
            for number, curve in enumerate(curves.T):
                mark = "." if len(curve) < MOST_WORDS else ""
                look = "--" if place else "-"
                axes.plot(curve, color=f"C{number}", linestyle=look, linewidth=1.0, marker=mark, markersize=3)
        if state is not None:
            told = list(aligned(panel.values[state.name][line.row, line.column], cell, variable))
            bottom = -0.05 - BAND * (place + 1)
            _band(axes, state, told, bottom, letters)
            said = state.name if panel.rows[line.row] != "reconstruction" else f"{state.name}, inferred"
            axes.text(-0.012, bottom + BAND / 2, said, fontsize=6, ha="right", va="center", transform=axes.transAxes)
    axes.set_ylabel(lines[0].name if len(lines) == 1 else "", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.margins(x=0.01)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if state is not None:
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="x", pad=4 + 16 * len(lines))


def _band(axes: "Axes", state: Variable, told: list[float], bottom: float, letters: int) -> None:
    """A strip of colours below the axes, nothing where a state is not known, with so many letters of its name."""
    from matplotlib.patches import Rectangle

    for at, number in enumerate(told):
        if number == number and number >= 0:
            where = axes.get_xaxis_transform()
            patch = Rectangle((at - 0.5, bottom), 1.0, BAND * 0.85, transform=where, clip_on=False, linewidth=0)
            patch.set_facecolor(_colour(round(number) - state.minimum, state))
            axes.add_patch(patch)
            if len(told) <= MOST_WORDS:
                word = value_name(state, number)[:letters]
                axes.text(at, bottom + 0.42 * BAND, word, fontsize=6, ha="center", va="center", transform=where)


def _colour(number: int, state: Variable) -> str:
    """Light, so that a word can be read on it, and none of the curves' own; hues as far apart as they can be."""
    from colorsys import hls_to_rgb

    from matplotlib.colors import to_hex

    return str(to_hex(hls_to_rgb((0.12 + number / max(state.support or 1, 1)) % 1.0, 0.72 + 0.1 * (number % 2), 0.55)))


def _legend(figure: "Figure", variable: Variable, state: Variable | None, together: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: list[object] = []
    if state is not None and (state.support or 0) <= MOST_KEYS:
        values = range(state.minimum, state.minimum + (state.support or 0))
        keys += [
            Patch(color=_colour(v - state.minimum, state), label=f"{state.name} = {value_name(state, v)}")
            for v in values
        ]
    count = int(np.prod(variable.of_element))
    if 1 < count <= MOST_CURVES:
        keys += [Line2D([], [], color=f"C{i}", label=f"{variable.name}[{i}]") for i in range(count)]
    if together:
        keys += [
            Line2D([], [], color="grey", linestyle=s, label=t) for s, t in (("-", "data"), ("--", "reconstruction"))
        ]
    if keys:
        figure.legend(handles=keys, loc="outside lower center", ncols=min(len(keys), 7), fontsize=7, frameon=False)
