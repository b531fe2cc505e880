"""Which parents a factor's networks read: a constant or learned parameter depends on none, whatever is named."""

from collections.abc import Iterator

from graphspec.graphs.graph import Factor, Graphs
from graphspec.graphs.parameter_values import heads_of
from graphspec.language import DEFAULT_NETWORK, NetworkParameter, NetworkSpec
from graphspec.language.networks import Gru, PythonNetwork


def read_parents(graphs: Graphs, factor: Factor) -> tuple[str, ...]:
    """Parents that some network of the factor reads, in the order in which they are written."""
    read = {name for _, names in _networks(graphs, factor) for name in names}
    return tuple(name for name in factor.parents if name in read)


def flagged_parents(graphs: Graphs, factor: Factor) -> tuple[str, ...]:
    """Parents that may be blank, or find no neighbour: networks read a flag beside each value, for a blank is no zero.
    Those that read values as they are have no flags."""
    read = {name for network, names in _networks(graphs, factor) if not network.own_units for name in names}
    read.discard(state_of(graphs, factor) or "")
    return tuple(name for name in factor.parents if name in read and graphs.variables[name].presence is not None)


def state_of(graphs: Graphs, factor: Factor) -> str | None:
    """The parent of a `gru` that is its own neighbour. It has no flag: the first state is zero."""
    if not isinstance(factor.network, Gru):
        return None
    views = ((name, graphs.views[name].view) for name in factor.parents if name in graphs.views)
    return next(name for name, view in views if view is not None and view.base == factor.variable)


def varies_by_itself(graphs: Graphs, factor: Factor) -> bool:
    """Whether each row has masks or noise of its own in training, so that rows differ though their parents do not."""
    return any(network.draws for network, _ in _networks(graphs, factor))


def has_users_own(graphs: Graphs, factor: Factor) -> bool:
    """Whether a network of the factor is a user's own module."""
    return any(isinstance(network, PythonNetwork) for network, _ in _networks(graphs, factor))


def _networks(graphs: Graphs, factor: Factor) -> Iterator[tuple[NetworkSpec, tuple[str, ...]]]:
    """Every network of a factor with what it reads: the factor's own, and those of single parameters."""
    family = factor.family
    if factor.network is not None and (family is None or family.flow or heads_of(family, factor.parameters)):
        yield factor.network, factor.parents
    for given in factor.parameters.values():
        if isinstance(given, NetworkParameter):
            yield resolved_network(graphs, given), given.parents


def resolved_network(graphs: Graphs, spec: NetworkParameter) -> NetworkSpec:
    """The architecture itself; a name or an omission is looked up."""
    networks = graphs.spec.networks
    if isinstance(spec.network, str):
        return networks[spec.network]
    return networks.get("default", DEFAULT_NETWORK) if spec.network is None else spec.network
