"""What ties the elements of a plate together: values of a variable that are read across them."""

from graphspec.graphs.graph import SIDES, Graphs, Variable


def coupling_reader(graphs: Graphs, name: str) -> str | None:
    """What is read across the elements of a variable's plate and depends on its value: a view, as it is written. Sums
    over the values of one element at a time are exact where there is none."""
    plates = {plate for plate, _ in graphs.variables[name].plates}
    below, pending = {name}, [name]
    while plates and pending:
        current = pending.pop()
        for side in SIDES:
            graph = graphs.graph(side)
            for child in graph.successors(current) if current in graph else ():
                view = graphs.views[child].view if child in graphs.views else None
                if view is not None and plates & set(view.taken):
                    return view.key
                variable = graphs.variables[child]
                carries = variable.role == "deterministic" or (side == "recognition" and _is_drawn(graphs, variable))
                if carries and child not in below:
                    below.add(child)
                    pending.append(child)
    return None


def _is_drawn(graphs: Graphs, variable: Variable) -> bool:
    """A hidden variable has draws, which change with what is above them; all values that are summed do not."""
    asked = graphs.spec.objective.estimators.get(variable.name)
    if not variable.discrete or variable.support is None or (asked is not None and asked.kind != "enumerate"):
        return True
    return coupling_reader(graphs, variable.name) is not None
