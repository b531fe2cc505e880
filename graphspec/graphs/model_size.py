"""How many weights a model has, before anything is built."""

from graphspec.graphs.graph import SIDES, Factor, Graphs
from graphspec.graphs.parameter_shape import parameter_shape
from graphspec.language.networks import Asked, LayeredKind, Reading
from graphspec.language.shapes import size_of


def weights_by_factor(graphs: Graphs) -> dict[str, int]:
    """{factor: weights in products}: biases, tables of classes and modules of the user's own are not counted."""
    return {
        factor.key: weights_of(graphs, factor)
        for side in SIDES
        for factor in graphs.factors(side).values()
        if factor.side == side
    }


def weights_of(graphs: Graphs, factor: Factor) -> int:
    """Of the network of one factor."""
    if factor.network is None or not factor.parents:
        return 0
    parents = {name: _read(graphs, name) for name in factor.parents}
    target = graphs.variables[factor.variable]
    return factor.network.work(parents, Asked(target.shape, numbers_asked(graphs, factor), 1)).weights


def numbers_asked(graphs: Graphs, factor: Factor) -> int:
    """What the network gives to the heads; none where the value is its last hidden layer."""
    feature = graphs.variables[factor.variable].domain is None and isinstance(factor.network, LayeredKind)
    return 0 if feature else sum(head_sizes(graphs, factor).values())


def _read(graphs: Graphs, name: str) -> Reading:
    variable = graphs.variables[name]
    return Reading(variable.shape, variable.info.encoding == "table", 1)


def head_sizes(graphs: Graphs, factor: Factor) -> dict[str, int]:
    """Numbers that the network gives per parameter it is responsible for; for a function, the value itself."""
    variable = graphs.variables[factor.variable]
    if factor.family is None:
        return {"value": size_of(variable.shape)}
    given = set(factor.parameters)
    return {
        info.name: size_of(parameter_shape(variable, info))
        for info in factor.family.parameters
        if not given & {info.name, *info.alternatives}
    }
