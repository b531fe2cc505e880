"""`order: unknown`: plates whose labels are a set, of which nothing says which element each belongs to."""

from collections.abc import Mapping

from graphspec.graphs.graph import Graphs
from graphspec.language.plate_data import UNKNOWN_ORDER


def sets_of_labels(graphs: Graphs) -> Mapping[str, tuple[str, ...]]:
    """{plate: supervised variables of its elements}, of plates whose data say `order: unknown`."""
    data, variables = graphs.spec.data, graphs.variables
    unknown = () if data is None else (name for name, entry in data.plates.items() if entry.order == UNKNOWN_ORDER)
    found = {plate: tuple(n for n in graphs.supervised if variables[n].path[-1:] == (plate,)) for plate in unknown}
    return {plate: labels for plate, labels in found.items() if labels}
