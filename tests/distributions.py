"""A family at parameters of its own, to be scored, drawn from and summarised: what tests ask of the table of families."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from compiler.families import ENTRIES, Extras, FamilyEntry, divergence, divergence_each, extras_of
from compiler.families.flow_maps import FlowMap
from compiler.families.flows import FlowEntry
from compiler.model.model import Model
from compiler.tensors.noise import Noise
from compiler.tensors.precision import widened
from graphspec.graphs.graph import Factor, Variable
from graphspec.language.families import Family


class Distribution:
    """A batch of conditional distributions of one variable. `lead` below is [*axes, B].

    parameters: {name: [*lead, *shape(, K)]} of the family, constrained and aligned.
    """

    def __init__(self, entry: FamilyEntry, extras: Extras, parameters: Mapping[str, Tensor]) -> None:
        self.entry, self.extras = entry, extras
        spread = entry.spread([parameters[name] for name in entry.names], extras)
        self.stored = dict(zip(entry.names, spread, strict=True))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.extras.shape

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """By name, in single precision at least; `stored` may hold bfloat16 that the family's kernel reads."""
        return {name: widened(value) for name, value in self.stored.items()}

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The parameters as the entry takes them."""
        return tuple(self.stored.values())

    @property
    def finite(self) -> bool:
        return self.entry.log_probs is not None

    @property
    def lead(self) -> torch.Size:
        """[*axes, B], each size 1 where no parameter varies."""
        return self.entry.lead(self.tensors, self.extras)

    @property
    def like(self) -> Tensor:
        """Any parameter: gives dtype and device."""
        return widened(self.tensors[0])

    def rebuilt(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same family with every parameter changed: `change` maps [*lead, *event] to [*other lead, *event]."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.stored = {name: change(value) for name, value in self.stored.items()}
        return other

    def on(self, axes: Sequence[str], onto: Sequence[str]) -> Self:
        """From leading `axes` to `onto` (a superset, both canonical): size 1 where nothing varies."""
        assert set(axes) <= set(onto), f"{tuple(axes)} is not part of {tuple(onto)}"
        places = [tuple(axes).index(axis) if axis in axes else None for axis in onto]

        def place(value: Tensor) -> Tensor:
            sizes = [1 if at is None else value.shape[at] for at in places]
            return value.reshape(*sizes, *value.shape[len(axes) :])

        return self.rebuilt(place)

    def detached(self) -> Self:
        """The same distribution through which no gradient flows."""
        other = self.rebuilt(Tensor.detach)
        other.entry = self.entry.detached()
        return other

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        return self.entry.each(value, self.tensors, self.extras, relaxed=relaxed)

    def log_prob(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        return self.entry.summed(value, self.tensors, self.extras, relaxed=relaxed)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return self.entry.noise(noise, name, lead, self.tensors, self.extras)

    def reparameterize(self, eps: Tensor) -> Tensor:
        return self.entry.pathwise(eps, self.tensors, self.extras)

    def draw(self, eps: Tensor) -> Tensor:
        return self.entry.sampled(eps, self.tensors, self.extras)

    def rsample(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """`reparameterize` of fresh noise. Parameters must then have no axis but the ones in `lead`."""
        return self.reparameterize(self.standard_noise(noise, name, lead))

    def sample(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """`draw` of fresh noise."""
        return self.draw(self.standard_noise(noise, name, lead))

    def relaxed(self, eps: Tensor, temperature: float | Tensor, *, straight_through: bool = False) -> Tensor:
        return self.entry.relax(eps, self.tensors, temperature, self.extras, hard=straight_through)

    @property
    def mean(self) -> Tensor:
        return self.entry.mean_of(self.tensors, self.extras)

    @property
    def mode(self) -> Tensor:
        return self.entry.mode_of(self.tensors, self.extras)

    def carried(self, onto: "Distribution", value: Tensor) -> Tensor | None:
        return self.entry.carry(value, self.tensors, onto.tensors, self.extras)

    def log_probs(self) -> Tensor:
        return self.entry.classes(self.tensors, self.extras)

    @property
    def probabilities(self) -> Tensor:
        return self.log_probs().exp()


class Flow(Distribution):
    """The distribution that a factor's map gives at a context, [*lead, C]."""

    entry: FlowEntry

    def __init__(self, shape: Sequence[int], transform: FlowMap, context: Tensor) -> None:
        super().__init__(FlowEntry(transform=transform), Extras(tuple(shape)), {"context": context})


def build(
    family: Family, options: Mapping[str, Any], parameters: Mapping[str, Tensor], variable: Variable
) -> Distribution:
    """The distribution of `variable`; parameters are constrained (logits as they are), [*axes, B, *shape(, K)]."""
    return Distribution(ENTRIES[family.name], extras_of(family, options, variable), parameters)


def distribution_of(model: Model, factor: Factor, values: Mapping[str, Tensor], noise: Noise) -> Distribution:
    """A stochastic factor's distribution at its parents' values {name: [B, *shape]}."""
    entry, extras, parameters = model.family_at(factor, values, noise)
    return Distribution(entry, extras, dict(zip(entry.names, parameters, strict=True)))


def closed_kl(q: Distribution, p: Distribution) -> Tensor:
    """KL(q || p), [*lead] (both sides' leads broadcast; align their axes first)."""
    return divergence(q.entry, p.entry, q.tensors, p.tensors, q.extras)


def closed_kl_each(q: Distribution, p: Distribution) -> Tensor:
    """KL(q || p) of each element of the event, [*lead, *shape] (multivariate: size 1 along the dependent axis)."""
    assert q.shape == p.shape, f"events differ: {q.shape} and {p.shape}"
    return divergence_each(q.entry, p.entry, q.tensors, p.tensors, q.extras)
