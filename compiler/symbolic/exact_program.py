"""Exact sums in a program: the axes of their variables, and what is left to vary over once these are summed out."""

from collections.abc import Mapping, Sequence

import networkx as nx

from compiler.symbolic.axis_names import SAMPLES, canonical, is_plate
from compiler.symbolic.program import Axes, Choice, Step, Summed
from graphspec.graphs.exact_sums import ExactSum, exact_sums, joint_values
from graphspec.graphs.graph import Graphs, plate_axis


def exact_sizes(graphs: Graphs) -> dict[str, int]:
    """Joint values of every exact variable, and of the one before it along a chain, by axis."""
    views = (name for name in graphs.views if graphs.summed_neighbour(name))
    return {axis: joint_values(graphs, (axis,)) for axis in (*graphs.exact, *views)}


def with_exact_labels(graphs: Graphs, graph: nx.DiGraph) -> nx.DiGraph:
    """A graph of what q draws, exact variables below all that their sums read: as labels they weigh it."""
    found = nx.DiGraph(graph)
    for each in exact_sums(graphs):
        found.add_nodes_from(each.variables)
        found.add_edges_from((name, exact) for name in _read(graphs, each) for exact in each.variables)
    return found


def _read(graphs: Graphs, each: ExactSum) -> tuple[str, ...]:
    """Hidden variables outside of the sum whose values its factors depend on."""
    factors = [graphs.generative[name] for name in each.factors] + [graphs.recognition[name] for name in each.own]
    names = {*each.factors}.union(*(graphs.stochastic_parents(factor) for factor in factors))
    return tuple(n for n in graphs.recognition if n in names and n not in each.own)


def sums_of(
    graphs: Graphs, recognition: Sequence[Step], generative: Sequence[Step], choices: Mapping[str, Choice]
) -> tuple[Summed, ...]:
    """Every exact sum with its axes: elements that have a sum of their own, values and draws of what is read outside.

    Draws of a sum's own latents are averaged within it; if it varies over samples anyhow, sample by sample.
    """
    values = {step.factor.variable: step.value_axes for step in recognition}
    found = []
    for each in exact_sums(graphs):
        read = _read(graphs, each)
        steps = [s for s in generative if s.factor.variable in each.factors and s.action == "score"]
        steps += [s for s in recognition if s.factor.variable in each.own]
        plates = set(map(plate_axis, each.plates))
        left = {axis for step in steps for axis in step.density_axes if _stays(graphs, each, axis, plates)}
        drawn = any(SAMPLES in values.get(name, ()) for name in read)
        axes = canonical((*plates, *left, *((SAMPLES,) if drawn else ())))
        found.append(Summed(each, axes, tuple(name for name in read if name in choices)))
    return tuple(found)


def _stays(graphs: Graphs, each: ExactSum, axis: str, plates: set[str]) -> bool:
    if is_plate(axis):
        return axis in plates
    return axis != SAMPLES and axis not in each.own and axis not in each.variables and axis not in graphs.views


def largest_density(sums: Sequence[Summed], axes: Mapping[str, Axes], sizes: Mapping[str, int]) -> int:
    """Most joint values that a factor inside of an exact sum is computed for, per element, samples not counted."""
    largest = 1
    for name in (name for each in sums for name in each.over.factors):
        count = 1
        for axis in axes[name]:
            count *= 1 if is_plate(axis) or axis == SAMPLES else sizes[axis]
        largest = max(largest, count)
    return largest
