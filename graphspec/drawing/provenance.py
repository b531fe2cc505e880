"""Where a factor comes from if it is not written out: p's own posterior, or the weights of a run."""

from collections.abc import Iterable
from dataclasses import dataclass

from graphspec.graphs.exact_sums import base_of, exact_sums, own_latents, touched, varying
from graphspec.graphs.graph import Graphs, Side


@dataclass(frozen=True)
class Provenance:
    """The run that a factor's weights are taken from, and whether they stay as they are."""

    run: str
    frozen: bool

    @property
    def words(self) -> str:
        """`frozen, weights of runs/m2`."""
        return f"frozen, weights of {self.run}" if self.frozen else f"starts from weights of {self.run}"


def weights_of(graphs: Graphs, side: Side) -> dict[str, Provenance]:
    """Variables whose factor in a graph has weights of a run: included ones, and those of `training.initialize`."""
    return {
        start.here(name): Provenance(start.run, start.freeze)
        for start in graphs.spec.training.initialize
        for there, _, name in (key.partition(".") for key in start.factors)
        if there == side
    }


def sources_of_sums(graphs: Graphs) -> dict[str, tuple[str, ...]]:
    """What is summed out exactly, with what its posterior depends on: all that p's factors that hold it read or score,
    but for what is summed out itself or computed from that."""
    if not graphs.exact:
        return {}
    over, factors, own = varying(graphs), touched(graphs), own_latents(graphs)
    found = {}
    for name in graphs.exact:
        near = [n for n, axes in factors.items() if any(base_of(graphs, axis) == name for axis in axes)]
        read = (u for n in near for u in (n, *_parents(graphs, n)))
        found[name] = tuple(dict.fromkeys(u for u in read if not over.get(u) and u not in own))
    return found


def summed_words(graphs: Graphs, name: str) -> str:
    """`exact: what p says of it, given these; summed along time, together with b`."""
    words = ["exact: what p says of it, given these"]
    for each in exact_sums(graphs):
        if name in each.variables:
            others = [other for other in each.variables if other != name]
            along = f"along {', '.join(sorted(each.chains))}" if each.chains else ""
            together = f"together with {', '.join(others)}" if others else ""
            words += [f"summed {text}" for text in [", ".join(filter(None, (along, together)))] if text]
    return "; ".join(words)


def _parents(graphs: Graphs, name: str) -> Iterable[str]:
    """Variables that a factor of p reads; views and what is computed from exact variables stand for what they read."""
    over = varying(graphs)
    for parent in graphs.generative[name].parents:
        view = graphs.views[parent].view if parent in graphs.views else None
        if view is not None:
            yield from () if view.kind == "place" else (view.base,)
        elif over.get(parent) and parent not in graphs.exact and parent in graphs.generative:
            yield from _parents(graphs, parent)
        else:
            yield parent
