"""What p reads of an element, against what q draws after that element: by places along the element's plate (no torch).

Places count from the element itself: -1 is the one before. Beyond `FAR` they are one: all farther elements that way.
None stands for what has no place along the plate, and is read by every element or reads all.
"""

from collections.abc import Callable, Iterator

from graphspec.graphs.graph import Factor, Graphs, Side

FAR = 2
EVERYWHERE = tuple(range(-FAR, FAR + 1))
Place = int | None
Node = tuple[str, Place]


def read_and_drawn_after(graphs: Graphs, name: str) -> set[str]:
    """Variables of which p(name of an element | ..) reads elements that q draws only after it, or from it."""
    plates = graphs.variables[name].plates
    plate = plates[-1][0] if plates else ""
    below = _reached({(name, 0)}, lambda node: _readers(graphs, plate, node))
    above: set[Node] = set()
    pending = list(_parents(graphs, plate, graphs.generative[name], 0))
    while pending:
        node = pending.pop()
        if node in above:
            continue
        above.add(node)
        if graphs.variables[node[0]].role == "deterministic":
            pending += _parents(graphs, plate, graphs.function(node[0]), node[1])
    return {found for found, _ in above & below if graphs.variables[found].role != "deterministic"}


def _reached(start: set[Node], following: Callable[[Node], Iterator[Node]]) -> set[Node]:
    found, pending = set[Node](), list(start)
    while pending:
        for node in following(pending.pop()):
            if node not in found:
                found.add(node)
                pending.append(node)
    return found


def _parents(graphs: Graphs, plate: str, factor: Factor, place: Place) -> Iterator[Node]:
    """What a factor reads where its variable stands at a place."""
    step = _step(factor, plate)
    for parent in factor.parents:
        yield from ((parent, seen) for seen in _seen(graphs, plate, parent, place, -step))


def _readers(graphs: Graphs, plate: str, node: Node) -> Iterator[Node]:
    """Who reads a variable at a place, in recognition."""
    name, place = node
    side: Side = "recognition"
    graph = graphs.graph(side)
    for child in graph.successors(name) if name in graph else ():
        step = _step(graphs.factor(side, child), plate)
        yield from ((child, seen) for seen in _seen(graphs, plate, child, place, step))


def _step(factor: Factor, plate: str) -> int:
    """How far behind the base a view of a neighbour along the plate stands."""
    view = factor.view
    if view is None or view.taken != (plate,):
        return 0
    return {"previous": 1, "next": -1}.get(view.kind, 0)


def _seen(graphs: Graphs, plate: str, other: str, place: Place, step: int) -> tuple[Place, ...]:
    """Places at which another variable stands that is `step` from one at a place."""
    if plate not in graphs.variables[other].path:
        return (None,)
    if place is None:
        return EVERYWHERE
    moved = place + step
    if abs(moved) > FAR:
        return (place,)
    return (moved, place) if abs(place) == FAR and step and abs(moved) < FAR else (moved,)
