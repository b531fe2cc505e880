"""The distributions of nodes at what they read, by the model's own factors: densities, classes, draws, moments.

Everything is computed in the model's type, some worlds at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf, prod

import torch
from torch import Tensor

from compiler.families.entry import Extras, FamilyEntry
from compiler.model.model import Model
from compiler.tensors import blanks
from compiler.tensors.exact_chains import NEVER
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Factor, Variable
from runtime.data import Units
from runtime.querying.element_model import ElementModel
from runtime.querying.nodes import Node, Scene
from runtime.querying.relevance import Told
from runtime.querying.spread import Spread, together

NUMBERS_AT_ONCE = 2**22
"""Numbers of one parameter that are computed together."""
AnyModel = Model | ElementModel
Work = Callable[[FamilyEntry, Extras, tuple[Tensor, ...], slice], Tensor]


class NodeFactors:
    """given: {node or variable: [R, *shape]} float64, NaN where nothing is known. units: of standardized variables.
    noise: of R * draws rows, the draws of a row side by side. values: of nodes, as they are found."""

    def __init__(
        self, model: AnyModel, scene: Scene, told: Told, given: Mapping[str, Tensor], units: Mapping[str, Units],
        noise: Noise, draws: int,
    ) -> None:  # fmt: skip
        self.model, self.graphs, self.scene, self.told = model, model.graphs, scene, told
        self.given, self.units, self.noise, self.draws = given, units, noise, draws
        self.rows = noise.batch // draws
        self.values: dict[str, Spread] = {}
        self._computed: dict[tuple[str, str], Spread] = {}

    def read(self, frame: str, name: str) -> Spread:
        """A variable as a frame has it, [.., *shape]; NaN for blanks."""
        node = self.scene.frames[frame].get(name)
        if node is not None:
            return self.values[node]
        if self.graphs.variables[name].role != "deterministic":
            return self.constant(name)
        if (frame, name) not in self._computed:
            self._computed[frame, name] = self._compute(frame, self.graphs.function(name))
        return self._computed[frame, name]

    def constant(self, name: str) -> Spread:
        """What rows tell, or nothing."""
        values = self.given.get(name)
        if values is None:
            values = torch.full((1, *self.graphs.variables[name].shape), torch.nan, dtype=torch.float64)
        return Spread((), values.unsqueeze(1))

    def classes(self, node: Node) -> Spread:
        """Log probability of each class of each element, [.., *shape, K]; -inf for what cannot be."""

        def work(entry: FamilyEntry, extras: Extras, parameters: tuple[Tensor, ...], _: slice) -> Tensor:
            found = entry.classes(parameters, extras).double()
            return found.masked_fill(found <= NEVER / 2, -inf)

        return self._at(node, (), work)

    def density(self, node: Node) -> Spread:
        """Log density of what is known of a node, without an event."""
        name, variable = node.name, node.variable
        mask = torch.from_numpy(self.told.weighing[name])
        known = self.constant(name)
        filled = Spread((), torch.where(mask, known.values, blanks.filler(variable)))
        axes = self._axes(node, (filled,))

        def work(entry: FamilyEntry, extras: Extras, parameters: tuple[Tensor, ...], some: slice) -> Tensor:
            value = blanks.as_value(variable, filled.flat(*axes)[some], self.model.dtype)
            each = entry.each(value, parameters, extras).double()
            if not bool(mask.all()):
                each = torch.where(mask, each, 0.0)
            total = each.reshape(each.shape[0], -1).sum(1)
            return total.masked_fill(total <= NEVER / 2, -inf)

        return self._at(node, (filled,), work)

    def drawn(self, node: Node) -> Spread:
        """A draw of a node in every world, [R, S, .., *shape]."""
        every = Spread((), torch.ones(self.rows, self.draws, dtype=torch.float64))
        axes, lead = self._axes(node, (every,))
        eps: list[Tensor] = []

        def work(entry: FamilyEntry, extras: Extras, parameters: tuple[Tensor, ...], some: slice) -> Tensor:
            if not eps:
                found = entry.noise(self.noise, noise_name(node), (), parameters, extras)
                shaped = Spread((), found.reshape(self.rows, self.draws, *found.shape[1:]))
                eps.append(shaped.flat(axes, lead))
            return entry.sampled(eps[0][some], parameters, extras).double()

        return self._at(node, (every,), work)

    def moments(self, node: Node) -> tuple[Spread, Spread] | None:
        """Mean and variance of a node in data units, where its family has them."""
        assert node.factor is not None
        entry, _, parameters = self.parameters(node.factor, node.frame)
        axes, lead = together(parameters)
        flat = tuple(each.flat(axes, lead) for each in parameters)
        found = _moments(entry.name, flat, self.units.get(node.variable.name))
        if found is None:
            return None
        shape = node.variable.shape
        mean, variance = (each.double().expand(prod(lead), *shape).reshape(*lead, *shape) for each in found)
        return Spread(axes, mean), Spread(axes, variance)

    def parameters(self, factor: Factor, frame: str) -> tuple[FamilyEntry, Extras, list[Spread]]:
        """A factor's family and its parameters at what it reads in a frame."""
        parents = {name: self.read(frame, name) for name in factor.parents}
        axes, lead = together(parents.values())
        flat = {name: each.flat(axes, lead) for name, each in parents.items()}
        count, parts = prod(lead), list[tuple[Tensor, ...]]()
        entry, extras = None, None
        for some in self._slices(self.graphs.variables[factor.variable], count):
            entry, extras, found = self._family(factor, flat, some)
            parts.append(found)
        assert entry is not None and extras is not None
        whole = [torch.cat(each) for each in zip(*parts, strict=True)]
        return entry, extras, [Spread(axes, each.reshape(*lead, *each.shape[1:])) for each in whole]

    def _axes(self, node: Node, beside: Sequence[Spread]) -> tuple[tuple[str, ...], torch.Size]:
        assert node.factor is not None
        return together([*(self.read(node.frame, name) for name in node.factor.parents), *beside])

    def _at(self, node: Node, beside: Sequence[Spread], work: Work) -> Spread:
        """What `work` makes of a node's distribution in every world, some of them at a time."""
        assert node.factor is not None
        axes, lead = self._axes(node, beside)
        flat = {name: self.read(node.frame, name).flat(axes, lead) for name in node.factor.parents}
        parts = []
        for some in self._slices(node.variable, prod(lead)):
            entry, extras, parameters = self._family(node.factor, flat, some)
            parts.append(work(entry, extras, parameters, some))
        whole = torch.cat(parts)
        return Spread(axes, whole.reshape(*lead, *whole.shape[1:]))

    def _slices(self, variable: Variable, count: int) -> list[slice]:
        size = max(1, NUMBERS_AT_ONCE // max(256, prod(variable.shape) * (variable.support or 1)))
        return [slice(start, min(start + size, count)) for start in range(0, count, size)]

    def _family(
        self, factor: Factor, flat: Mapping[str, Tensor], some: slice
    ) -> tuple[FamilyEntry, Extras, tuple[Tensor, ...]]:
        count = some.stop - some.start
        values = self._entering({name: each[some] for name, each in flat.items()})
        entry, extras, parameters = self.model.family_at(factor, values, Noise(0, count))
        return entry, extras, tuple(each.expand(count, *each.shape[1:]) for each in parameters)

    def _compute(self, frame: str, factor: Factor) -> Spread:
        parents = {name: self.read(frame, name) for name in factor.parents}
        axes, lead = together(parents.values())
        flat = {name: each.flat(axes, lead) for name, each in parents.items()}
        variable, parts = self.graphs.variables[factor.variable], []
        for some in self._slices(variable, prod(lead)):
            values = self._entering({name: each[some] for name, each in flat.items()})
            found = self.model.compute(factor, values, Noise(0, some.stop - some.start))
            parts.append(found.expand(some.stop - some.start, *found.shape[1:]).double())
        whole = torch.cat(parts)
        return Spread(axes, whole.reshape(*lead, *whole.shape[1:]))

    def _entering(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Parents [n, *shape] as networks take them: blanks empty, with flags beside what may be blank."""
        found: dict[str, Tensor] = {}
        for name, each in values.items():
            variable, dtype = self.graphs.variables[name], self.model.dtype
            if variable.role == "deterministic":
                found[name] = each.to(dtype)
                continue
            mask = blanks.given(self.graphs, name, each)
            found[name] = blanks.as_value(variable, each, dtype)
            if variable.missing and variable.role == "observed":
                found[name] = blanks.entering(variable, found[name], mask, dtype)
            if variable.presence is not None:
                found[name + blanks.PRESENCE] = mask.to(dtype)
        return found


def noise_name(node: Node) -> str:
    """What a node's draws go by: its variable, unless that has draws of its own from before a change."""
    return node.name if node.before else node.variable.name


def in_data_units(spread: Spread, units: Units | None, event: int) -> Tensor:
    """The values of a spread as the data have them."""
    if units is None:
        return spread.values
    shape = spread.values.shape
    flat = spread.values.reshape(-1, *shape[len(shape) - event :])
    return units.to_data(flat).reshape(shape)


def _moments(family: str, parameters: Sequence[Tensor], units: Units | None) -> tuple[Tensor, Tensor] | None:
    """Mean and variance in data units of families that have both in a short form."""
    one = torch.ones((), dtype=torch.float64)
    shift, scale = (0 * one, one) if units is None else (units.mean, units.std)
    logs = units is not None and units.logarithm
    match family:
        case "normal" | "laplace" if not logs:
            loc, width = parameters
            times = 1.0 if family == "normal" else 2.0
            return loc * scale + shift, times * (width * scale) ** 2
        case "lognormal" if units is None or logs:
            loc, width = parameters[0] * scale + shift, parameters[1] * scale
            mean = (loc + width**2 / 2).exp()
            return mean, mean**2 * torch.expm1(width**2)
        case "bernoulli" if units is None:
            share = torch.sigmoid(parameters[0])
            return share, share * (1 - share)
        case "poisson" if units is None:
            return parameters[0], parameters[0]
        case "gamma" if units is None:
            return parameters[0] / parameters[1], parameters[0] / parameters[1] ** 2
    return None
