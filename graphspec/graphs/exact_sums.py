"""What is summed out of p exactly: which variables go together, which factors of p the sum holds, and how large it is.

From: checked `Graphs` with `exact` in recognition. To: an `ExactSum` for each group of exact variables that share
factors. Not here: what a spec may not ask for (`rules/exact_rules.py`), and the sums themselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from graphspec.graphs.graph import Factor, Graphs

Axes = frozenset[str]
"""Names of exact variables, and of the views `c@previous` of those that make a chain."""


@dataclass(frozen=True)
class ExactSum:
    """Exact variables that share factors of p, so that one sum runs over all of their values.

    variables: in the order of recognition as written. factors: variables whose factors of p touch them. own: latents
    drawn anew for each of their values. plates: those left, outermost first: each of their elements has a sum of its
    own. chains: plates along which a sum runs from element to element.
    """

    variables: tuple[str, ...]
    factors: tuple[str, ...]
    own: tuple[str, ...]
    plates: tuple[str, ...]
    chains: frozenset[str]


def varying(graphs: Graphs) -> dict[str, Axes]:
    """What varies over the values of exact variables, and over which: they themselves, what is computed from them, and
    latents that recognition draws for each of their values."""
    found: dict[str, Axes] = {name: frozenset([name]) for name in graphs.exact}
    for side in ("recognition", "generative"):
        for factor in graphs.order(side):
            name = factor.variable
            if name not in found and (factor.deterministic or side == "recognition"):
                found[name] = _read(graphs, factor, found)
    return found


def _read(graphs: Graphs, factor: Factor, found: Mapping[str, Axes]) -> Axes:
    if graphs.summed_neighbour(factor.variable):
        return frozenset([factor.variable])
    return frozenset().union(*(found.get(parent, frozenset()) for parent in factor.parents))


def own_latents(graphs: Graphs) -> tuple[str, ...]:
    """Latents that recognition draws for each value of an exact variable."""
    over = varying(graphs)
    return tuple(f.variable for f in graphs.recognition.values() if not f.deterministic and over.get(f.variable))


def touched(graphs: Graphs) -> dict[str, Axes]:
    """Factors of p that vary over values of exact variables, by variable: over which."""
    over = varying(graphs)
    found = {
        name: frozenset().union(*(over.get(each, frozenset()) for each in (name, *factor.parents)))
        for name, factor in graphs.generative.items()
        if not factor.deterministic
    }
    return {name: axes for name, axes in found.items() if axes}


def exact_sums(graphs: Graphs) -> tuple[ExactSum, ...]:
    """One for each group of exact variables that share factors, in the order of recognition as written."""
    if not graphs.exact:
        return ()
    groups: list[tuple[set[str], set[str]]] = [({name}, set()) for name in graphs.exact]
    for name, axes in touched(graphs).items():
        bases = {base_of(graphs, axis) for axis in axes}
        joined = [group for group in groups if group[0] & bases]
        groups = [group for group in groups if group not in joined]
        groups.append((set().union(*(g[0] for g in joined)), {name}.union(*(g[1] for g in joined))))
    place = {name: at for at, name in enumerate(graphs.exact)}
    groups.sort(key=lambda group: min(place[name] for name in group[0]))
    over, own = varying(graphs), own_latents(graphs)
    return tuple(_sum_of(graphs, names, factors, [n for n in own if _bases(graphs, over[n]) & names])
                 for names, factors in groups)  # fmt: skip


def _sum_of(graphs: Graphs, names: set[str], factors: set[str], own: Iterable[str]) -> ExactSum:
    chains = frozenset(
        factor.view.taken[0]
        for factor in graphs.views.values()
        if factor.view is not None and graphs.summed_neighbour(factor.variable) and factor.view.base in names
    )
    shallowest = min((graphs.variables[n].path for n in names), key=len)
    plates = shallowest[:-1] if shallowest and shallowest[-1] in chains else shallowest
    ordered = tuple(name for name in graphs.exact if name in names)
    return ExactSum(ordered, tuple(n for n in graphs.generative if n in factors), tuple(own), plates, chains)


def base_of(graphs: Graphs, axis: str) -> str:
    """The exact variable that an axis has the values of."""
    view = graphs.views[axis].view if axis in graphs.views else None
    return axis if view is None else view.base


def _bases(graphs: Graphs, axes: Axes) -> set[str]:
    return {base_of(graphs, axis) for axis in axes}


def joint_values(graphs: Graphs, axes: Iterable[str]) -> int:
    """Joint values of exact variables (`c@previous` counts beside c)."""
    variables = (graphs.variables[base_of(graphs, axis)] for axis in axes)
    return prod((variable.support or 1) ** prod(variable.shape) for variable in variables)


def largest_table(graphs: Graphs, found: ExactSum) -> tuple[int, Axes]:
    """Entries of the largest table that the sum over one element's values holds, and over what: variables are summed
    out one after the other, the one whose table is smallest first; what a chain hands on comes in as one table."""
    factors = touched(graphs)
    tables = [factors[name] for name in found.factors]
    before = frozenset(axis for axes in tables for axis in axes if axis in graphs.views)
    carried = frozenset(base_of(graphs, axis) for axis in before)
    tables += [before] if before else []
    largest, over = max((joint_values(graphs, axes), axes) for axes in tables)
    left = frozenset().union(*tables) - carried
    while left:
        joint = {axis: frozenset().union(*(axes for axes in tables if axis in axes)) for axis in left}
        axis = min(joint, key=lambda each: (joint_values(graphs, joint[each]), each))
        largest, over = max((largest, over), (joint_values(graphs, joint[axis]), joint[axis]), key=lambda pair: pair[0])
        tables = [*(axes for axes in tables if axis not in axes), joint[axis] - {axis}]
        left -= {axis}
    whole = frozenset().union(*tables)
    return max((largest, over), (joint_values(graphs, whole), whole), key=lambda pair: pair[0])
