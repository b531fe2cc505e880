"""A spec with plates as it is for a few elements of each: every element a node of its own, `z[1]`."""

from collections.abc import Iterator, Mapping
from itertools import product

import networkx as nx

from graphspec.graphs.graph import Graphs, Side, View
from graphspec.language.plates import NEIGHBOURS

FEW, WITH_NEIGHBOURS = 2, 3
"""Elements of a plate that tell how they depend on each other, and where neighbours are read."""

Place = dict[str, int]
"""An element's number in each of its plates."""


def looked_along(graphs: Graphs) -> set[str]:
    """Plates in which some factor reads a neighbour."""
    views = (factor.view for factor in graphs.views.values() if factor.view is not None)
    return {view.taken[0] for view in views if view.kind in NEIGHBOURS}


def few_of_each(graphs: Graphs) -> dict[str, int]:
    """How many elements of each plate are enough to see who depends on whom."""
    along = looked_along(graphs)
    return {name: min(plate.size, WITH_NEIGHBOURS if name in along else FEW) for name, plate in graphs.plates.items()}


def node(name: str, place: Mapping[str, int]) -> str:
    """What an element of a variable is called: `w[1, 0]`; a variable of the row by its name."""
    return f"{name}[{', '.join(map(str, place.values()))}]" if place else name


def elements(graphs: Graphs, name: str, sizes: Mapping[str, int]) -> Iterator[Place]:
    """Every place of a variable in its plates, in order."""
    plates = graphs.variables[name].path
    for numbers in product(*(range(sizes[plate]) for plate in plates)):
        yield dict(zip(plates, numbers, strict=True))


def written_out(graphs: Graphs, side: Side, sizes: Mapping[str, int]) -> nx.DiGraph:
    """The graph of one side with a node for each element, deterministic ones included; node attributes `variable` and
    `place`. Counts are no parents of what is read across elements: which are there is the same in both graphs."""
    graph: nx.DiGraph = nx.DiGraph()
    for name in graphs.graph(side):
        view = graphs.views[name].view if name in graphs.views else None
        for place in elements(graphs, name, sizes):
            here = node(name, place)
            graph.add_node(here, variable=name, place=place)
            if view is not None:
                graph.add_edges_from((above, here) for above in _looked_at(graphs, view, place, sizes))
            elif name in graphs.factors(side) or graphs.variables[name].role == "deterministic":
                for parent in graphs.factor(side, name).parents:
                    own = {plate: place[plate] for plate in graphs.variables[parent].path}
                    graph.add_edge(node(parent, own), here)
    return graph


def _looked_at(graphs: Graphs, view: View, place: Place, sizes: Mapping[str, int]) -> Iterator[str]:
    """The elements that a view has from one place; of a plate's place none."""
    if view.kind == "place":
        return
    plates = graphs.variables[view.base].path
    if view.kind in NEIGHBOURS:
        along = view.taken[0]
        there = {plate: place[plate] for plate in plates}
        there[along] += 1 if view.kind == "next" else -1
        if 0 <= there[along] < sizes[along]:
            yield node(view.base, there)
        return
    found = [
        node(view.base, there)
        for there in elements(graphs, view.base, sizes)
        if all(there[plate] == place[plate] for plate in plates if plate not in view.taken)
    ]
    yield from found[:1] if view.kind == "first" else found[-1:] if view.kind == "last" else found
