"""What ties the elements of a plate together: values of a variable that are read across them."""

from math import prod

from graphspec.graphs.exact_sums import exact_sums
from graphspec.graphs.graph import SIDES, Factor, Graphs, Variable
from graphspec.language.families import CERTAIN
from graphspec.language.plates import NEIGHBOURS
from graphspec.reading.suggestions import listed

MOST_JOINT = 128
"""Largest number of joint values that any one term of the objective is computed for."""


def coupling_reader(graphs: Graphs, name: str) -> str | None:
    """What is read across the elements of a variable's plate and depends on its value: a view, as it is written. Sums
    over the values of one element at a time are exact where there is none."""
    readers = coupling_readers(graphs, name)
    return readers[0] if readers else None


def coupling_readers(graphs: Graphs, name: str) -> tuple[str, ...]:
    """All of them."""
    plates = set(graphs.variables[name].path)
    below, pending, found = {name}, [name], dict[str, None]()
    joint = _summed_across(graphs, name, plates)
    while plates and pending:
        current = pending.pop()
        if current in joint:
            found[f"the exact sum over {listed(list(joint[current]))}"] = None
        for side in SIDES:
            graph = graphs.graph(side)
            for child in graph.successors(current) if current in graph else ():
                view = graphs.views[child].view if child in graphs.views else None
                if view is not None and plates & set(view.taken):
                    found[child] = None
                elif child not in below and _carries(graphs, side == "recognition", child):
                    below.add(child)
                    pending.append(child)
    return tuple(found)


def _carries(graphs: Graphs, recognised: bool, child: str) -> bool:
    """The child has another value for each value of what it reads."""
    variable = graphs.variables[child]
    return variable.role == "deterministic" or is_certain(graphs.recognition.get(child)) or (
        recognised and _is_drawn(graphs, variable)
    )  # fmt: skip


def _is_drawn(graphs: Graphs, variable: Variable) -> bool:
    """A hidden variable has draws, which change with what is above them; all values that are summed do not."""
    asked = graphs.spec.objective.estimators.get(variable.name)
    if not variable.discrete or variable.support is None or (asked is not None and asked.kind != "enumerate"):
        return True
    return coupling_reader(graphs, variable.name) is not None and not summed_jointly(graphs, variable.name)


def is_certain(factor: Factor | None) -> bool:
    """All mass is on one value, a function of the parents."""
    return factor is not None and factor.family is not None and factor.family.name == CERTAIN


def joint_values(graphs: Graphs, name: str) -> int:
    """Joint values of all that a row has of a discrete variable with a finite support."""
    variable = graphs.variables[name]
    values: int = (variable.support or 1) ** prod(variable.row_shape)
    return values


def summed_jointly(graphs: Graphs, name: str) -> bool:
    """All elements of a variable can be summed together: it stands in one plate, which has no count; views pool what
    depends on its value and show no neighbour; and the joint values are few."""
    variable = graphs.variables[name]
    plates = variable.path
    if len(plates) != 1 or variable.support is None or graphs.ragged(plates) is not None:
        return False
    if joint_values(graphs, name) > MOST_JOINT:
        return False
    readers = (graphs.views.get(reader) for reader in coupling_readers(graphs, name))
    views = (None if reader is None else reader.view for reader in readers)
    return all(view is not None and view.kind not in NEIGHBOURS for view in views)


def _summed_across(graphs: Graphs, name: str, plates: set[str]) -> dict[str, tuple[str, ...]]:
    """Of everything that exact sums over several of a variable's elements read: which variables are summed."""
    found: dict[str, tuple[str, ...]] = {}
    for each in exact_sums(graphs):
        if name in each.own or plates <= set(each.plates):
            continue
        for factor in (graphs.generative[other] for other in each.factors):
            found |= dict.fromkeys((factor.variable, *factor.parents), each.variables)
        for own in each.own:
            found |= dict.fromkeys(graphs.recognition[own].parents, each.variables)
    return found
