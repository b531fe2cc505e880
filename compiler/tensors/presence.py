"""Which elements rows have of plates with a count, as rows hold them: [B, *plates, ...].

From: a row's counts. To: masks, rows in which cells of absent elements hold something legal that counts nowhere, and
answers that have none of them. What plans do with masks is in `plan.ops.across_elements`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.tensors.blanks import filler, given
from compiler.tensors.views import there_by_row
from graphspec.graphs.graph import Graphs, Plate, Variable

Masks = Mapping[str, Tensor]
"""Of each plate with a count: bool [B, sizes of the plates it is inside of, its own size]."""


def presence(graphs: Graphs, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The masks of rows, of plates whose count they have (or may have)."""
    found: dict[str, Tensor] = {}
    for plate in sorted(graphs.plates.values(), key=lambda plate: len(plate.path)):
        if plate.count is None or plate.count not in rows:
            continue
        mask = there_by_row(rows[plate.count], plate.size)
        outer = graphs.ragged(plate.path[:-1])
        if outer is not None and outer.name in found:
            mask = mask & over(found[outer.name], len(plate.path) - len(outer.path))
        found[plate.name] = mask
    return found


def over(mask: Tensor, more: int) -> Tensor:
    """The mask with so many more axes behind it."""
    for _ in range(more):
        mask = mask.unsqueeze(-1)
    return mask


def of_variable(graphs: Graphs, masks: Masks, variable: Variable, behind: int | None = None) -> Tensor | None:
    """The mask of a variable's elements, to be laid on its values [B, *plates, *event]; None where all are there.

    behind: dimensions of the event, where they are not those of the variable's shape.
    """
    plate = graphs.ragged(variable.path)
    if plate is None or plate.name not in masks:
        return None
    inner = len(variable.plates) - len(plate.path)
    return over(masks[plate.name], inner + (len(variable.shape) if behind is None else behind))


def legal_where_absent(graphs: Graphs, masks: Masks, name: str, values: Tensor) -> Tensor:
    """Values [B, *plates, *shape] with something legal in the cells of absent elements, whatever they held."""
    variable = graphs.variables[name]
    mask = of_variable(graphs, masks, variable)
    return values if mask is None else torch.where(mask, values, filler(variable))


def blank_where_absent(graphs: Graphs, masks: Masks, name: str, values: Tensor) -> Tensor:
    """Answers [B, *plates, ...] of a variable without those of absent elements: NaN, or -1 of class indices."""
    variable = graphs.variables[name]
    mask = of_variable(graphs, masks, variable, values.dim() - 1 - len(variable.plates))
    return values if mask is None else torch.where(mask, values, torch.nan if values.is_floating_point() else -1)


def padded(graphs: Graphs, variable: Variable, values: Tensor) -> Tensor:
    """Values [B, n, *shape] of n elements, fewer than a plate with a count has room for, with room for all."""
    amounts: list[int] = []
    for axis, (name, size) in enumerate(variable.plates, start=1):
        lacking = size - values.shape[axis] if axis < values.dim() else 0
        ragged = graphs.plates[name].count is not None
        amounts += [lacking if ragged and lacking > 0 else 0, 0]  # pairs (behind, ahead), turned around below
    if not any(amounts):
        return values
    amounts += [0, 0] * (values.dim() - 1 - len(variable.plates))
    return F.pad(values, amounts[::-1])


def check_counts(graphs: Graphs, masks: Masks, rows: Mapping[str, Tensor]) -> None:
    """Raises ValueError where the count of an element that is there is larger than what rows hold of a plate.

    Of rows on another device it is not asked: an answer would stop every step, and data are checked when they are read.
    """
    for plate in graphs.plates.values():
        counts = rows.get(plate.count or "")
        if counts is None or counts.device.type != "cpu" or not counts.numel():
            continue
        room, count = _room(graphs, plate, rows), graphs.variables[plate.count or ""]
        counts = torch.nan_to_num(padded(graphs, count, counts).double(), nan=0.0)
        there = of_variable(graphs, masks, count)
        most = int((counts if there is None else torch.where(there, counts, 0.0)).max())
        if most > room:
            raise ValueError(f"{plate.count} says that a row has {most} {plate.name}, and there is room for {room}")


def uncounted(graphs: Graphs, rows: Mapping[str, Tensor], name: str) -> tuple[str, Tensor] | None:
    """A label's elements that have a value, and no count that says that they are there: bool as its values, and the
    count. None where there are none."""
    values = rows[name]
    for plate in (graphs.plates[own] for own in graphs.variables[name].path):
        count = plate.count
        if count is None or count not in rows or graphs.variables[count].role == "observed":
            continue
        unknown = ~given(graphs, count, rows[count])
        wrong = given(graphs, name, values) & over(unknown, values.dim() - unknown.dim())
        if bool(wrong.any()):
            return count, wrong
    return None


def check_labels(graphs: Graphs, rows: Mapping[str, Tensor]) -> None:
    """Raises ValueError where an element has a label and no count says that it is there. Of rows on another device it
    is not asked, as in `check_counts`."""
    for name in graphs.supervised:
        if name in rows and rows[name].device.type == "cpu" and (found := uncounted(graphs, rows, name)) is not None:
            raise ValueError(f"a row has a label of {name} and none of {found[0]}, which says how many there are")


def _room(graphs: Graphs, plate: Plate, rows: Mapping[str, Tensor]) -> int:
    """How many elements of a plate the rows hold at most."""
    room = plate.size
    for name, values in rows.items():
        variable = graphs.variables.get(name)
        plates = () if variable is None else variable.path
        if plate.name in plates and values.dim() > 1 + plates.index(plate.name):
            room = min(room, values.shape[1 + plates.index(plate.name)])
    return room
