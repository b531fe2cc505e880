"""Which labels the bound can answer: those whose values can be held one after the other, and compared."""

from graphspec.graphs.graph import Graphs


def why_bound_cannot_tell(graphs: Graphs, name: str) -> str:
    """Why `answers: bound` does not exist for a label, as a clause; empty where it does."""
    variable = graphs.variables[name]
    if variable.support is None:
        return f"its values cannot be listed ({variable.domain}), and the bound is compared value by value"
    if name in graphs.exact:
        return "it is summed out of p (`exact`), so that its answer is p's own posterior already"
    for plate in (graphs.plates[own] for own in variable.path):
        if plate.count is not None and graphs.variables[plate.count].role != "observed":
            return f"which elements there are may be hidden ({plate.count}), and their bounds do not compare"
    return ""
