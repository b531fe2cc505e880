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
    found, sizes = dict[str, Tensor](), rooms(graphs, rows)
    for plate in outermost_first(graphs):
        if plate.count is None or plate.count not in rows:
            continue
        mask = there_by_row(rows[plate.count], sizes[plate.name])
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
    return values if mask is None else torch.where(mask, values, _blank_of(values))


def for_every_place(variable: Variable, values: Tensor) -> Tensor:
    """Answers [B, *plates, ...] as long as the plates, however few elements the rows had room for: blank behind."""
    return resized(variable, values, dict(variable.plates), _blank_of(values))


def _blank_of(values: Tensor) -> float:
    return torch.nan if values.is_floating_point() else -1


def resized(variable: Variable, values: Tensor, sizes: Mapping[str, int], cell: float = 0) -> Tensor:
    """Values [B, *plates, ...] with as many elements of some plates as `sizes` says: some fewer, or more cells."""
    amounts: list[int] = []
    for axis, (name, _) in enumerate(variable.plates[: values.dim() - 1], start=1):
        lacking = sizes[name] - values.shape[axis] if name in sizes else 0
        if lacking < 0:
            values = values.narrow(axis, 0, sizes[name])
        amounts += [max(lacking, 0), 0]  # pairs (behind, ahead), turned around below
    if not any(amounts):
        return values
    amounts += [0, 0] * (values.dim() - 1 - len(amounts) // 2)
    return F.pad(values, amounts[::-1], value=cell)


def outermost_first(graphs: Graphs) -> list[Plate]:
    """All plates, each behind those that it is inside of."""
    return sorted(graphs.plates.values(), key=lambda plate: len(plate.path))


def rooms(graphs: Graphs, rows: Mapping[str, Tensor]) -> dict[str, int]:
    """Of each plate with a count, how many elements the rows hold at most; of one of which they hold no variable, all
    that it has."""
    found: dict[str, int] = {}
    for plate in graphs.plates.values():
        if plate.count is not None:
            inside = [name for name in rows if (v := graphs.variables.get(name)) and plate.name in v.path]
            held = [_width(graphs.variables[name], rows[name], plate) for name in inside]
            found[plate.name] = min((plate.size, *held))
    return found


def _width(variable: Variable, values: Tensor, plate: Plate) -> int:
    axis = 1 + variable.path.index(plate.name)
    return values.shape[axis] if axis < values.dim() else plate.size


FEWEST = 2
"""Elements that rows have room for at least: one alone looks like what is the same for all."""


def needed_rooms(graphs: Graphs, rows: Mapping[str, Tensor]) -> dict[str, int]:
    """Of each plate with a count, how many elements some row has: what is computed of more is thrown away. All that the
    plate has where some row lacks its count; what rows hold where they are on a device that had to be waited for.

    Raises ValueError where the count of an element that is there is larger than what rows hold of a plate.
    """
    held = rooms(graphs, rows)
    rows = {n: resized(graphs.variables[n], values, held) for n, values in rows.items() if n in graphs.variables}
    masks = presence(graphs, rows)
    return {name: _needed(graphs, masks, graphs.plates[name], rows, held[name]) for name in held}


def _needed(graphs: Graphs, masks: Masks, plate: Plate, rows: Mapping[str, Tensor], room: int) -> int:
    count = graphs.variables[plate.count or ""]
    counts = rows.get(count.name)
    if counts is None or (counts.device.type != "cpu" and count.role != "observed"):
        return plate.size
    if counts.device.type != "cpu" or not counts.numel():
        return room
    there = of_variable(graphs, masks, count)
    counts = counts if there is None else torch.where(there, counts, 0)
    most = int(torch.nan_to_num(counts.double(), nan=0.0).max())
    if most > room:
        raise ValueError(f"{plate.count} says that a row has {most} {plate.name}, and there is room for {room}")
    known = bool((counts >= 0).all())  # a blank is NaN or -1
    return max(most, min(FEWEST, plate.size)) if known else plate.size


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
    is not asked: an answer would stop every step."""
    for name in graphs.supervised:
        if name in rows and rows[name].device.type == "cpu" and (found := uncounted(graphs, rows, name)) is not None:
            raise ValueError(f"a row has a label of {name} and none of {found[0]}, which says how many there are")
