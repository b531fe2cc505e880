"""Where a factor comes from if it is not written out: what is summed out has p's own posterior."""

from collections.abc import Iterable

from graphspec.graphs.exact_sums import base_of, exact_sums, own_latents, touched, varying
from graphspec.graphs.graph import Graphs


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
