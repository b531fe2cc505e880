"""The nodes of a question, evaluated in order: values and log weights of all worlds.

Worlds are drawn in order, or written out on an axis for each element that is summed; a draw serves every value of
what is summed above it.
"""

from collections.abc import Mapping, Sequence
from math import inf, prod

import torch
from torch import Tensor

from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Factor
from runtime.data import Units
from runtime.querying.node_factors import AnyModel, NodeFactors, in_data_units
from runtime.querying.nodes import Node, Scene
from runtime.querying.relevance import Sums, Told, axis_of
from runtime.querying.spread import Spread, together, union

Range = tuple[int, str, float]
"""Flat element, sign, number in data units."""


class Worlds(NodeFactors):
    """sums: what is evaluated, and how. ranges: by node. asked: elements of targets. tables: log weights of worlds.
    anew: variables that were drawn anew after the change."""

    def __init__(
        self, model: AnyModel, scene: Scene, told: Told, sums: Sums, given: Mapping[str, Tensor],
        ranges: Mapping[str, Sequence[Range]], units: Mapping[str, Units], asked: Mapping[str, Sequence[int]],
        noise: Noise, draws: int,
    ) -> None:  # fmt: skip
        super().__init__(model, scene, told, given, units, noise, draws)
        self.sums, self.ranges, self.asked = sums, ranges, asked
        self.tables: list[Spread] = []
        self.anew: list[str] = []
        self.values.update({name: self.constant(name) for name in scene.nodes if told.whole(name)})
        for name in sums.nodes:
            self._take(scene.nodes[name])

    def _take(self, node: Node) -> None:
        if node.factor is None:
            self.values[node.name] = self._set(node)
        elif node.before:
            self._keep(node)
        else:
            self._own(node)
        for element, sign, number in self.ranges.get(node.name, ()):
            self._restrict(node, element, sign, number)

    def _own(self, node: Node) -> None:
        """A node of one graph: what is known of it weighs, what is hidden is written out or drawn."""
        name = node.name
        if name in self.sums.weighed and name in self.told.weighing:
            self.tables.append(self.density(node))
        if self.told.whole(name):
            return
        if name in self.sums.summed:
            self._write_out(node, self.classes(node))
        elif name in self.sums.inner or name in self.told.ranged or not self.left_to_figures(node):
            self.values[name] = self._or_given(name, self.drawn(node))

    def left_to_figures(self, node: Node) -> bool:
        """A number that nothing reads: its distribution is enough."""
        numbers = node.variable.support is None
        return numbers and node.name in self.asked and node.name not in self.sums.inner and not self.sampling

    @property
    def sampling(self) -> bool:
        """Nothing is summed: each draw is one world."""
        return self.sums.drawn and not self.sums.summed and self.sums.entries == 1

    def _write_out(self, node: Node, classes: Spread) -> None:
        """An axis for each hidden element; classes: log weights [.., *shape, K]."""
        variable, name = node.variable, node.name
        hidden, count = self.told.hidden(node), prod(variable.shape)
        inner = name in self.sums.inner
        alone = {*self.asked.get(name, ()), *self.told.ranged.get(name, ())}
        flat = classes.values.reshape(*classes.lead, count, -1)
        for element in hidden:
            if inner or element in alone:
                axis = axis_of(name, element)
                axes = union((classes.axes, (axis,)))
                whole = Spread((*classes.axes, axis), flat[..., element, :])
                self.tables.append(_sorted(whole, axes))
        if inner:
            self.values[name] = self._or_given(name, self._every_value(node, hidden))

    def _every_value(self, node: Node, hidden: Sequence[int]) -> Spread:
        variable = node.variable
        axes = tuple(sorted(axis_of(node.name, element) for element in hidden))
        sizes = [variable.support or 1] * len(axes)
        values = torch.full((1, 1, *sizes, prod(variable.shape)), torch.nan, dtype=torch.float64)
        every = torch.arange(variable.support or 1, dtype=torch.float64) + variable.minimum
        for element in hidden:
            place = axes.index(axis_of(node.name, element))
            values[..., element] = every.reshape([-1 if each == place else 1 for each in range(len(axes))])
        return Spread(axes, values.reshape(1, 1, *sizes, *variable.shape))

    def _or_given(self, name: str, found: Spread) -> Spread:
        """What is known in the place of what was made."""
        if name not in self.told.given or not self.told.given[name].any():
            return found
        known = Spread((), self.given[name].unsqueeze(1)).along(found.axes)
        mask = torch.from_numpy(self.told.given[name])
        return Spread(found.axes, torch.where(mask, known, found.values))

    def _set(self, node: Node) -> Spread:
        """What is set, all else as it was."""
        known = self.constant(node.name)
        if not node.before:
            return known
        before = self.values[node.before]
        mask = torch.from_numpy(self.told.given[node.name])
        return Spread(before.axes, torch.where(mask, known.along(before.axes), before.values))

    def _keep(self, node: Node) -> None:
        """After the change: as it was where all that it reads is as it was, else with its own noise."""
        assert node.factor is not None
        before = self.read("p", node.variable.name)
        same = self._unchanged(node.factor)
        if node.name in self.sums.summed:
            self._write_out(node, self._kept_classes(node, before, same))
            return
        found = self._carried(node, before)
        if found is None:
            self.anew.append(node.variable.name)
            found = self.drawn(node)
        axes = union((before.axes, same.axes, found.axes))
        event = (1,) * len(node.variable.shape)
        still = same.along(axes).reshape(*same.along(axes).shape, *event)
        self.values[node.name] = Spread(axes, torch.where(still, before.along(axes), found.along(axes)))

    def _unchanged(self, factor: Factor) -> Spread:
        """Whether all that a factor reads is as it was, without an event."""
        found = Spread((), torch.ones(1, 1, dtype=torch.bool))
        for parent in self.graphs.stochastic_parents(factor):
            was, now = self.read("p", parent), self.read("now", parent)
            if was is now:
                continue
            axes = union((was.axes, now.axes, found.axes))
            a, b = was.along(axes), now.along(axes)
            equal = (a == b) | (a.isnan() & b.isnan())
            found = Spread(axes, found.along(axes) & equal.flatten(2 + len(axes)).all(-1) if equal.dim() > 2 + len(axes)
                           else found.along(axes) & equal)  # fmt: skip
        return found

    def _kept_classes(self, node: Node, before: Spread, same: Spread) -> Spread:
        """log weights [.., *shape, K]: the value that it had, or p's after the change."""
        variable = node.variable
        anew = self.classes(node)
        axes = union((before.axes, same.axes, anew.axes))
        numbers = torch.arange(variable.support or 1, dtype=torch.float64) + variable.minimum
        had = torch.where(before.along(axes).unsqueeze(-1) == numbers, 0.0, -inf)
        still = same.along(axes)
        still = still.reshape(*still.shape, *(1,) * (len(variable.shape) + 1))
        return Spread(axes, torch.where(still, had, anew.along(axes)))

    def _carried(self, node: Node, before: Spread) -> Spread | None:
        """Its value with the noise that it had; None where its family lets none be read off."""
        assert node.factor is not None
        entry, extras, was = self.parameters(node.factor, "p")
        if entry.carried is None:
            return None
        _, _, now = self.parameters(node.factor, "now")
        axes, lead = together([before, *was, *now])
        flat = [each.flat(axes, lead) for each in (before, *was, *now)]
        found = entry.carry(flat[0], flat[1 : 1 + len(was)], flat[1 + len(was) :], extras)
        assert found is not None
        return Spread(axes, found.double().reshape(*lead, *node.variable.shape))

    def _restrict(self, node: Node, element: int, sign: str, number: float) -> None:
        """A table of 0 where a value lies in a range, -inf where it does not."""
        axis = axis_of(node.name, element)
        if node.name in self.sums.summed and element in self.told.hidden(node):
            every = torch.arange(node.variable.support or 1, dtype=torch.float64) + node.variable.minimum
            inside = compared(every, sign, number).reshape(1, 1, -1)
            self.tables.append(Spread((axis,), torch.where(inside, 0.0, -inf).double()))
            return
        values = self.values[node.name]
        shown = in_data_units(values, self.units.get(node.variable.name), len(node.variable.shape))
        flat = shown.reshape(*values.lead, -1)[..., element]
        self.tables.append(Spread(values.axes, torch.where(compared(flat, sign, number), 0.0, -inf).double()))


def compared(values: Tensor, sign: str, number: float) -> Tensor:
    """Which values are less (..) than a number."""
    match sign:
        case "<":
            return values < number
        case ">":
            return values > number
        case "<=":
            return values <= number
        case ">=":
            return values >= number
        case _:
            return values == number


def _sorted(spread: Spread, axes: Sequence[str]) -> Spread:
    """The same with its axes in order."""
    places = [2 + spread.axes.index(axis) for axis in axes]
    return Spread(tuple(axes), spread.values.permute(0, 1, *places))
