"""Figures of pictures from worlds in which nothing is summed: an axis for each pixel would be too many."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from runtime.querying.node_factors import in_data_units
from runtime.querying.nodes import Node
from runtime.querying.spread import Spread, together
from runtime.querying.world_figures import Array, TargetFigure, WorldFigures, averaged, deviation


def pixel_classes(figures: WorldFigures, frame: str, name: str, elements: Sequence[int]) -> TargetFigure:
    """Probabilities [R, n, K] of the classes of many elements."""
    shares = _shares(figures, frame, name)
    shares = shares.reshape(*shares.shape[:2], -1, shares.shape[-1])[:, :, list(elements)]
    shares = shares.expand(*figures.total.shape, *shares.shape[2:])
    mean, influence = averaged(shares, figures.total)
    values = {"probabilities": mean.numpy(), "se": deviation(influence)}
    return TargetFigure(False, values, influence, True)


def example_means(figures: WorldFigures, frame: str, name: str, count: int) -> Array:
    """[R, count, elements] means of a variable in data units in some worlds, each drawn by its weight; its value where
    it kept its own noise."""
    worlds, variable, node = figures.worlds, figures.worlds.graphs.variables[name], _open(figures, frame, name)
    moments = None if node is None else worlds.moments(node)
    if moments is not None:
        found = moments[0].values
    elif variable.support is not None:
        found = (_shares(figures, frame, name) * _every_value(figures, name)).sum(-1)
    else:
        mean = worlds.read(frame, name) if node is None else _mean(figures, node)
        found = in_data_units(mean, worlds.units.get(name), len(variable.shape))
    rows, draws = figures.total.shape
    flat = found.reshape(*found.shape[:2], -1).expand(rows, draws, -1)
    means: Array = flat[torch.arange(rows).unsqueeze(1), _chosen(figures, count)].numpy()
    return means


def _mean(figures: WorldFigures, node: Node) -> Spread:
    """[R, S, *shape] means of a number in the model's units."""
    assert node.factor is not None
    entry, extras, parameters = figures.worlds.parameters(node.factor, node.frame)
    axes, lead = together(parameters)
    shape = node.variable.shape
    found = entry.mean_of(tuple(each.flat(axes, lead) for each in parameters), extras).double()
    return Spread(axes, found.expand(prod(lead), *shape).reshape(*lead, *shape))


def _open(figures: WorldFigures, frame: str, name: str) -> Node | None:
    """The node of a variable, if it has a distribution in each world and not a value."""
    node = figures.node(frame, name)
    known = node is None or node.factor is None or bool(node.before) or figures.worlds.told.whole(node.name)
    return None if known else node


def _shares(figures: WorldFigures, frame: str, name: str) -> Tensor:
    """[R, S, *shape, K] probabilities in each world; 0 and 1 of what has a value there."""
    node = _open(figures, frame, name)
    if node is not None:
        return figures.worlds.classes(node).values.exp()
    return (figures.worlds.read(frame, name).values.unsqueeze(-1) == _every_value(figures, name)).double()


def _every_value(figures: WorldFigures, name: str) -> Tensor:
    variable = figures.worlds.graphs.variables[name]
    return torch.arange(variable.support or 1, dtype=torch.float64) + variable.minimum


def _chosen(figures: WorldFigures, count: int) -> Tensor:
    """[R, count] numbers of draws, each with a probability proportional to its weight; the first where all weigh the
    same."""
    rows, draws = figures.total.shape
    if bool((figures.total == figures.total[:, :1]).all()):
        return (torch.arange(count) % draws).expand(rows, count)
    noise = figures.worlds.noise.uniform("which draws", (), (), torch.float64).reshape(rows, -1)
    some = noise[:, torch.arange(count) % noise.shape[1]].contiguous()
    shares = (figures.total - figures.total.logsumexp(1, keepdim=True)).exp().cumsum(1)
    return torch.searchsorted(shares, some).clamp_max(draws - 1)
