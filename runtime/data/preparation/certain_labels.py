"""Labels of variables that are computed with certainty: whether their parents have values that give them.

From: all values of a source. To: nothing, or a DataError that names the first row whose label no value gives. Where
two parents are views of one variable they are taken as if they were two, so that a row is never refused in error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.coupling import is_certain
from graphspec.graphs.graph import Factor, Graphs, Variable, View
from graphspec.language import ColumnSpec
from graphspec.language.networks import Identity, Product, SumOf
from graphspec.language.plates import NEIGHBOURS
from runtime.data.preparation.values import Values
from runtime.data.read.cells import BLANK, Place, bad_cell
from runtime.data.stream.column_store import Held

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Possible:
    """Which whole numbers something may be. there: [N, *plates, *shape, R]; the first of the R numbers is `first`."""

    there: Bools
    first: int

    def spread(self, ahead: int, more: int) -> "Possible":
        """With so many more plates, of size 1, behind the first `ahead` dimensions."""
        shape = self.there.shape
        return Possible(self.there.reshape(*shape[:ahead], *(1,) * more, *shape[ahead:]), self.first)


def check_certain_labels(
    graphs: Graphs, values: Mapping[str, Values], columns: Mapping[str, ColumnSpec],
    where: Callable[[int], str] | None = None,
) -> None:  # fmt: skip
    """Raises DataError for a label of a certain variable that disagrees with all values its parents may have.

    where: a row in words, where it has a better name than its number.
    """
    for name, factor in graphs.recognition.items():
        if not is_certain(factor) or name not in values or not all(_known(graphs, p, values) for p in factor.parents):
            continue
        array = values[name].tensor.numpy()
        possible = _computed(graphs, factor, values)
        index = array.astype(np.int64) - possible.first
        inside = (index >= 0) & (index < possible.there.shape[-1])
        there = np.broadcast_to(possible.there, (*array.shape, possible.there.shape[-1]))
        found = np.take_along_axis(there, np.where(inside, index, 0)[..., None], -1)[..., 0] & inside
        wrong = (array != BLANK) & ~found
        if wrong.any():
            what = f"is no value that {_parents(factor)} of this row can give, and {name} is computed from them"
            place = Place(columns[name].names, where=where)
            raise bad_cell(place, array, wrong, what, "correct the label, or those it goes with")


def _known(graphs: Graphs, parent: str, values: Mapping[str, Values]) -> bool:
    """Its values are at hand, and all elements are there that are read."""
    view = _view(graphs, parent)
    held = values.get(parent if view is None else view.base)
    return (held is None or isinstance(held.stored, Held)) and (view is None or graphs.ragged(view.taken) is None)


def _view(graphs: Graphs, parent: str) -> View | None:
    return graphs.views[parent].view if parent in graphs.views else None


def _parents(factor: Factor) -> str:
    return " and ".join(dict.fromkeys(parent.partition("@")[0] for parent in factor.parents))


def _computed(graphs: Graphs, factor: Factor, values: Mapping[str, Values]) -> Possible:
    """What the factor's network may give."""
    network = factor.network
    found: Possible | None = None
    for parent in factor.parents:
        read = _read(graphs, factor, parent, values)
        if isinstance(network, SumOf) and parent in network.minus:
            read = Possible(read.there[..., ::-1], -(read.first + read.there.shape[-1] - 1))
        operation = np.multiply if isinstance(network, Product) else np.add
        found = read if found is None else _combined(found, read, operation)
    assert found is not None and isinstance(network, SumOf | Product | Identity), "other networks are refused"
    low, high = getattr(network, "minimum", None), getattr(network, "maximum", None)
    return found if low is None and high is None else _mapped(found, lambda n: np.clip(n, low, high).astype(np.int64))


def _read(graphs: Graphs, factor: Factor, parent: str, values: Mapping[str, Values]) -> Possible:
    """What a parent may be as the factor reads it, laid on the plates of the factor's variable."""
    view, reader = _view(graphs, parent), graphs.variables[factor.variable]
    if view is not None and view.kind == "place":
        base = graphs.variables[parent]
        places = np.eye(base.support or 1, dtype=np.bool_)[None]
        return Possible(places, 0).spread(2, len(reader.plates) - 1)
    base = graphs.variables[parent if view is None else view.base]
    found = _of_variable(graphs, base, values)
    plates = base.path
    if view is not None and view.kind in NEIGHBOURS:
        return _neighbour(found, len(plates), view.kind).spread(1 + len(plates), len(reader.plates) - len(plates))
    taken = () if view is None else view.taken
    for plate in reversed(plates):
        if view is not None and plate in taken:
            found = _pooled(found, 1 + plates.index(plate), view.kind)
    left = [plate for plate in plates if plate not in taken]
    return found.spread(1 + len(left), len(reader.plates) - len(left))


def _of_variable(graphs: Graphs, variable: Variable, values: Mapping[str, Values]) -> Possible:
    """What a variable may be: its value where a row has one, else any of its domain."""
    above = graphs.recognition.get(variable.name)
    if variable.name not in values:
        if above is not None and is_certain(above):
            return _computed(graphs, above, values)
        shape = (1, *variable.row_shape, variable.support or 1)
        return Possible(np.ones(shape, dtype=np.bool_), variable.minimum)
    array = values[variable.name].tensor.numpy().astype(np.int64)
    last = variable.minimum + variable.support if variable.support is not None else int(array.max(initial=0)) + 1
    numbers = np.arange(variable.minimum, last)
    return Possible((array[..., None] == numbers) | (array == BLANK)[..., None], variable.minimum)


def _combined(left: Possible, right: Possible, operation: Callable[[int, int], int]) -> Possible:
    """What two numbers together may give."""
    pairs = [(a, b) for a in range(left.there.shape[-1]) for b in range(right.there.shape[-1])]
    results = [int(operation(left.first + a, right.first + b)) for a, b in pairs]
    first, shape = min(results), np.broadcast_shapes(left.there.shape[:-1], right.there.shape[:-1])
    there = np.zeros((*shape, max(results) - first + 1), dtype=np.bool_)
    for (a, b), result in zip(pairs, results, strict=True):
        there[..., result - first] |= left.there[..., a] & right.there[..., b]
    return Possible(there, first)


def _mapped(found: Possible, function: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Possible:
    results = function(np.arange(found.first, found.first + found.there.shape[-1]))
    first = int(results.min())
    there = np.zeros((*found.there.shape[:-1], int(results.max()) - first + 1), dtype=np.bool_)
    for place, result in enumerate(results):
        there[..., result - first] |= found.there[..., place]
    return Possible(there, first)


def _pooled(found: Possible, axis: int, kind: str) -> Possible:
    """All elements along an axis as one number."""
    elements = [Possible(there, found.first) for there in np.moveaxis(found.there, axis, 0)]
    if kind in ("first", "last"):
        return elements[0 if kind == "first" else -1]
    whole = elements[0]
    for element in elements[1:]:
        whole = _combined(whole, element, np.add if kind == "sum" else np.maximum)
    return whole


def _neighbour(found: Possible, axis: int, kind: str) -> Possible:
    """The element before or behind along an axis; zero where there is none."""
    first = min(found.first, 0)
    numbers = max(found.first + found.there.shape[-1], 1) - first
    there = np.zeros((*found.there.shape[:-1], numbers), dtype=np.bool_)
    there[..., found.first - first : found.first - first + found.there.shape[-1]] = found.there
    nothing = np.zeros_like(there.take([0], axis))
    nothing[..., -first] = True
    size = there.shape[axis]
    kept = there.take(range(size - 1) if kind == "previous" else range(1, size), axis)
    pieces = [nothing, kept] if kind == "previous" else [kept, nothing]
    return Possible(np.concatenate(pieces, axis), first)
