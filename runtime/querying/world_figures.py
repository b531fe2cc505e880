"""From worlds and their log weights to what is told of a target: probabilities, mean and deviation, events, and how
sure each drawn number is.

    se = sqrt(sum_s w_s^2 (f_s - f)^2)    w_s: weights of draws, which sum to 1; what is summed is summed within a draw
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.plan.ops.spreading import weighted_quantiles
from runtime.querying.node_factors import in_data_units, noise_name
from runtime.querying.nodes import Node
from runtime.querying.relevance import axis_of
from runtime.querying.spread import Spread, summed_out, together
from runtime.querying.worlds import Worlds, compared

Array = NDArray[Any]
FEW = 64
"""Elements of a target that have quantiles, and fit a page."""


@dataclass
class TargetFigure:
    """One target in R rows. probabilities, se: [R, K] of classes; mean, sd, low, median, high, se: [R, n] of numbers;
    probability, se: [R] of an event. influence: [R, S, ...] what each draw adds to the answer's error."""

    exact: bool
    values: dict[str, Array] = field(default_factory=dict)
    influence: Tensor | None = None
    drawn: bool = False
    """Something of it was, if only its quantiles."""


class WorldFigures:
    """Answers from some worlds. levels: shares below the ends of an interval. draws: of what is drawn in the end."""

    def __init__(self, worlds: Worlds, levels: tuple[float, float], draws: int) -> None:
        self.worlds, self.levels, self.draws = worlds, levels, draws
        self.total = summed_out(worlds.tables, ()).values if worlds.tables else torch.zeros(1, 1, dtype=torch.float64)
        self.total = self.total.expand(worlds.rows, max(self.total.shape[1], 1))
        if worlds.sums.drawn:
            self.total = self.total.expand(worlds.rows, worlds.draws)

    @property
    def log_evidence(self) -> Array:
        """[R] log of the mean weight."""
        found: Array = (self.total.logsumexp(1) - np.log(self.total.shape[1])).numpy()
        return found

    @property
    def effective(self) -> Array:
        """[R] effective draws."""
        found: Array = (2 * self.total.logsumexp(1) - (2 * self.total).logsumexp(1)).exp().nan_to_num().numpy()
        return found

    @property
    def summed(self) -> bool:
        """Nothing was drawn."""
        return self.total.shape[1] == 1

    # --- classes --------------------------------------------------------------------------------------------------

    def classes(self, frame: str, name: str, element: int) -> TargetFigure:
        """Probabilities of the classes of one element."""
        table = self._class_table(frame, name, element)
        draws = table.logsumexp(-1)
        shares = (table - draws.unsqueeze(-1)).exp().nan_to_num()
        mean, influence = averaged(shares, draws)
        values = {"probabilities": mean.numpy(), "se": deviation(influence)}
        return TargetFigure(self.summed, values, influence, not self.summed)

    def event(self, frame: str, name: str, element: int, sign: str, number: float) -> TargetFigure:
        """The probability that one element is less (..) than a number of data units."""
        variable = self.worlds.graphs.variables[name]
        if variable.support is not None:
            table = self._class_table(frame, name, element)
            every = torch.arange(variable.support, dtype=torch.float64) + variable.minimum
            inside, draws = compared(every, sign, number), table.logsumexp(-1)
            shares = ((table - draws.unsqueeze(-1)).exp().nan_to_num() * inside).sum(-1)
            exact = self.summed
        else:
            values, weights = self._draws_of(frame, name)
            flat = values.reshape(*values.shape[: weights.dim()], -1)[..., element]
            draws = weights.logsumexp(tuple(range(2, weights.dim()))) if weights.dim() > 2 else weights
            within = (weights - draws.reshape(*draws.shape, *(1,) * (weights.dim() - 2))).exp().nan_to_num()
            shares = (within * compared(flat, sign, number)).flatten(2).sum(2) if weights.dim() > 2 else (
                within * compared(flat, sign, number)
            )  # fmt: skip
            exact = shares.shape[1] == 1
        mean, influence = averaged(shares, draws)
        return TargetFigure(exact, {"probability": mean.numpy(), "se": deviation(influence)}, influence, not exact)

    def _class_table(self, frame: str, name: str, element: int) -> Tensor:
        """[R, S, K] log weights of one element's classes."""
        variable = self.worlds.graphs.variables[name]
        node, support = self.node(frame, name), variable.support or 1
        if node is not None and node.name in self.worlds.sums.summed and element in self.worlds.told.hidden(node):
            axis = axis_of(node.name, element)
            found = summed_out(self.worlds.tables, (axis,)).values
        else:
            known = node is not None and node.name not in self.worlds.values  # nothing reads the elements beside it
            values = self.worlds.constant(name) if known else self.worlds.read(frame, name)
            weights = summed_out([*self.worlds.tables, _nothing(values)], values.axes)
            flat = values.values.reshape(*values.lead, -1)[..., element]
            every = torch.arange(support, dtype=torch.float64) + variable.minimum
            which = torch.where(flat.unsqueeze(-1) == every, 0.0, -inf).double()
            whole = weights.along(weights.axes).unsqueeze(-1) + Spread(values.axes, which).along(weights.axes)
            found = whole.flatten(2, -2).logsumexp(2) if whole.dim() > 3 else whole
        return found.expand(self.worlds.rows, self.total.shape[1], support)

    def node(self, frame: str, name: str) -> Node | None:
        """A variable as a frame has it, if it is a node there."""
        found = self.worlds.scene.frames[frame].get(name)
        return None if found is None else self.worlds.scene.nodes[found]

    # --- numbers --------------------------------------------------------------------------------------------------

    def numbers(self, frame: str, name: str, elements: Sequence[int]) -> TargetFigure:
        """Mean, deviation and interval of some elements, each [R, n], in data units."""
        shape = self.worlds.graphs.variables[name].shape
        known = self._moments(frame, name)
        values: Tensor | None = None
        if known is None or len(elements) <= FEW:
            values, weights = self._draws_of(frame, name)
            values = values.reshape(*values.shape[: weights.dim()], -1)[..., list(elements)]
        if known is None:
            assert values is not None
            middle, spread, log = values, torch.zeros_like(values), weights
        else:
            mean, variance = known
            log = summed_out([*self.worlds.tables, _nothing(mean), _nothing(variance)], together(known)[0]).values
            axes = together(known)[0]
            log = log.expand(self.worlds.rows, self.total.shape[1], *log.shape[2:])
            middle, spread = (each.along(axes) for each in known)
            middle, spread = (m.reshape(*m.shape[: m.dim() - len(shape)], -1)[..., list(elements)]
                              for m in (middle, spread))  # fmt: skip
        found, influence = self._mixture(middle, spread, log)
        exact = influence.shape[1] == 1
        if values is not None:
            shares = (weights - weights.flatten(1).logsumexp(1).reshape(-1, *(1,) * (weights.dim() - 1))).exp()
            places = tuple(range(1, weights.dim()))
            ends = weighted_quantiles(values, shares.unsqueeze(-1), places, (self.levels[0], 0.5, self.levels[1]))
            found |= {key: end.numpy() for key, end in zip(("low", "median", "high"), ends, strict=True)}
        drawn = not exact or (values is not None and known is not None)
        return TargetFigure(exact, {**found, "se": deviation(influence)}, influence, drawn)

    def _mixture(self, middle: Tensor, spread: Tensor, log: Tensor) -> tuple[dict[str, Array], Tensor]:
        """Mean and deviation of a mixture of parts [R, S, .., n] with log weights [R, S, ..]."""
        draws = log.flatten(2).logsumexp(2) if log.dim() > 2 else log
        within = (log - draws.reshape(*draws.shape, *(1,) * (log.dim() - 2))).exp().nan_to_num().unsqueeze(-1)
        each = (within * middle).flatten(2, -2).sum(2) if log.dim() > 2 else within * middle
        mean, influence = averaged(each, draws)
        away = (middle - mean.reshape(mean.shape[0], *(1,) * (log.dim() - 1), -1)) ** 2 + spread
        squares = (within * away).flatten(2, -2).sum(2) if log.dim() > 2 else within * away
        variance = averaged(squares, draws)[0]
        return {"mean": mean.numpy(), "sd": variance.clamp_min(0).sqrt().numpy()}, influence

    def _moments(self, frame: str, name: str) -> tuple[Spread, Spread] | None:
        """Of a number that nothing reads, where its family tells them; a value that is known varies by nothing."""
        node = self.node(frame, name)
        if node is None or not self.worlds.left_to_figures(node) or node.name in self.worlds.values:
            return None
        return self.worlds.moments(node)

    def _draws_of(self, frame: str, name: str) -> tuple[Tensor, Tensor]:
        """Values in data units [R, S, .., *shape] and their log weights [R, S, ..]: of what has no values yet one a
        draw, from the part of the mixture that the draw falls on."""
        node, shape = self.node(frame, name), self.worlds.graphs.variables[name].shape
        units = self.worlds.units.get(name)
        if node is None or node.name in self.worlds.values:
            known = node is not None and node.name not in self.worlds.values  # nothing reads the elements beside it
            values = self.worlds.constant(name) if known else self.worlds.read(frame, name)
            weights = summed_out([*self.worlds.tables, _nothing(values)], values.axes).values
            shown = in_data_units(values, units, len(shape))
            rows, draws = self.worlds.rows, self.total.shape[1]
            return (
                shown.expand(rows, draws, *shown.shape[2:]),
                weights.expand(rows, draws, *weights.shape[2:]),
            )
        drawn = self._fallen(node)
        shown = in_data_units(Spread((), drawn), units, len(shape))
        weights = self.total.expand(self.worlds.rows, drawn.shape[1])
        return shown, weights

    def _fallen(self, node: Node) -> Tensor:
        """[R, draws, *shape] draws of a node, of each the part of what it reads by their weights."""
        worlds, rows, draws = self.worlds, self.worlds.rows, self.draws
        assert node.factor is not None
        entry, extras, parameters = worlds.parameters(node.factor, node.frame)
        axes, lead = together([*parameters, Spread((), torch.zeros(rows, self.total.shape[1]))])
        log = summed_out([*worlds.tables, Spread(axes, torch.zeros((1, 1, *lead[2:]), dtype=torch.float64))], axes)
        table = log.values.expand(lead).reshape(rows, lead[1], -1)
        shares = (table - table.logsumexp(-1, keepdim=True)).exp().nan_to_num().cumsum(-1)
        uniform = worlds.noise.uniform(f"part of {node.variable.name}", (), (), torch.float64).reshape(rows, -1)
        some = uniform[:, :draws]
        part = (shares < some.unsqueeze(-1)).sum(-1).clamp_max(table.shape[-1] - 1)  # [R, draws]
        cell = part + (torch.arange(draws) % lead[1]) * table.shape[-1]
        flat = [each.flat(axes, lead).reshape(rows, -1, *each.values.shape[each.rank :]) for each in parameters]
        at = torch.arange(rows).unsqueeze(1)
        chosen = tuple(each[at, cell].reshape(rows * draws, *each.shape[2:]) for each in flat)
        eps = entry.noise(worlds.noise, noise_name(node), (), chosen, extras)
        return entry.sampled(eps, chosen, extras).double().reshape(rows, draws, *node.variable.shape)


def _nothing(spread: Spread) -> Spread:
    """A table of zeros over a spread's axes, so that what is left has all of them."""
    sizes = spread.values.shape[2 : spread.rank]
    return Spread(spread.axes, torch.zeros((1, 1, *sizes), dtype=torch.float64))


def averaged(each: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """The mean [R, ..] of [R, S, ..] by log weights [R, S], and w_s (f_s - mean) [R, S, ..]."""
    weights = (draws - draws.logsumexp(1, keepdim=True)).exp().nan_to_num()
    weights = weights.reshape(*weights.shape, *(1,) * (each.dim() - 2))
    mean = (weights * each).sum(1)
    return mean, weights * (each - mean.unsqueeze(1))


def deviation(influence: Tensor) -> Array:
    """The standard error [R, ..] of what draws add up to."""
    if influence.shape[1] == 1:
        return np.zeros(influence.shape[:1] + influence.shape[2:])
    found: Array = (influence**2).sum(1).sqrt().numpy()
    return found
