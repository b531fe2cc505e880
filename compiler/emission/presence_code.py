"""Code for rows whose plates have a count: which elements are there, before rows are grouped."""

from typing import Any

import torch

from compiler.emission.emission_plan import EmissionPlan
from compiler.tensors import presence, views
from compiler.tensors.blanks import filler
from compiler.tensors.expression import Expression, applied


def mask_lines(plan: EmissionPlan) -> list[str]:
    """`visits_there = there_by_row(rows["n"], 60)`, a line a plate with a count, outer plates first."""
    lines, graphs = list[str](), plan.graphs
    for plate in sorted(graphs.plates.values(), key=lambda plate: len(plate.path)):
        if plate.name not in plan.masks:
            continue
        counts: Any = Expression(f'rows["{plate.count}"]')
        code: Any = applied(views.there_by_row, counts, plate.size)
        outer = graphs.ragged(plate.path[:-1])
        if outer is not None and outer.name in plan.masks:
            known: Any = Expression(plan.masks[outer.name])
            code = code & presence.over(known, len(plate.path) - len(outer.path))
        lines.append(f"{plan.masks[plate.name]} = {code}")
    return lines


def mask_of(plan: EmissionPlan, name: str) -> Any:
    """Which elements of a variable are there, to be laid on its values as rows have them; None where all are."""
    masks: Any = {plate: Expression(own) for plate, own in plan.masks.items()}
    return presence.of_variable(plan.graphs, masks, plan.graphs.variables[name])


def as_given(plan: EmissionPlan, name: str) -> Any:
    """`rows["x"]`, with something legal in the cells of elements that are not there."""
    values: Any = Expression(f'rows["{name}"]')
    there = mask_of(plan, name)
    return values if there is None else torch.where(there, values, filler(plan.graphs.variables[name]))
