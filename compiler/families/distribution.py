"""A family at parameters of its own: what factors give, for whoever wants to score, draw or summarise a variable."""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import torch
from torch import Tensor

from compiler.families.entry import Extras, FamilyEntry
from compiler.tensors.noise import Noise
from compiler.tensors.precision import Widened


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
        """The event."""
        return self.extras.shape

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """By name, in single precision at least; `stored` may hold bfloat16 that the family's kernel reads."""
        return Widened(self.stored)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The parameters as the entry takes them."""
        return tuple(self.stored.values())

    @property
    def finite(self) -> bool:
        """Values can be enumerated, so `log_probs` and `probabilities` exist."""
        return self.entry.log_probs is not None

    @property
    def lead(self) -> torch.Size:
        """[*axes, B], each size 1 where no parameter varies."""
        return self.entry.lead(self.tensors, self.extras)

    @property
    def like(self) -> Tensor:
        """Any parameter: gives dtype and device."""
        return next(iter(self.parameters.values()))

    def rebuilt(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same family with every parameter changed: `change` maps [*lead, *event] to [*other lead, *event]."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.stored = {name: change(value) for name, value in self.stored.items()}
        return other

    def on(self, axes: Sequence[str], onto: Sequence[str]) -> Self:
        """From leading `axes` to `onto` (a superset, both canonical): size 1 where nothing varies."""
        if tuple(axes) == tuple(onto):
            return self
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
        """Log density of each element, nats, [*lead, *shape]; with `relaxed`, of a vector of class weights."""
        return self.entry.each(value, self.tensors, self.extras, relaxed=relaxed)

    def log_prob(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """Log density of `value` [*lead, *shape] (broadcast against the parameters), summed over the event: [*lead].

        relaxed: `value` holds weights of the classes instead, [*lead, *shape, K] (`FamilyEntry.each`).
        """
        return self.entry.summed(value, self.tensors, self.extras, relaxed=relaxed)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """Parameter-free noise [*lead, B, ...] that `reparameterize`, `draw` and `relaxed` turn into a value."""
        return self.entry.noise(noise, name, lead, self.tensors, self.extras)

    def reparameterize(self, eps: Tensor) -> Tensor:
        """The draw that `eps` stands for, as a differentiable function of the parameters: [*lead, *shape]."""
        return self.entry.pathwise(eps, self.tensors, self.extras)

    def draw(self, eps: Tensor) -> Tensor:
        """The draw that `eps` stands for, without gradient; classes as index, counts as the count: [*lead, *shape]."""
        return self.entry.sampled(eps, self.tensors, self.extras)

    def rsample(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """`reparameterize` of fresh noise. Parameters must then have no axis but the ones in `lead`."""
        return self.reparameterize(self.standard_noise(noise, name, lead))

    def sample(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """`draw` of fresh noise: ancestral sampling."""
        return self.draw(self.standard_noise(noise, name, lead))

    def relaxed(self, eps: Tensor, temperature: float | Tensor, *, straight_through: bool = False) -> Tensor:
        """A Concrete draw: class weights [*lead, *shape, K] (bernoulli: [*lead, *shape]).

        straight_through: one-hot in value, relaxed in gradient.
        """
        return self.entry.relax(eps, self.tensors, temperature, self.extras, hard=straight_through)

    @property
    def mean(self) -> Tensor:
        """Mean [*lead, *shape]; of a category, which has none, the likeliest class."""
        return self.entry.mean_of(self.tensors, self.extras)

    @property
    def mode(self) -> Tensor:
        """Likeliest value [*lead, *shape]."""
        return self.entry.mode_of(self.tensors, self.extras)

    def carried(self, onto: "Distribution", value: Tensor) -> Tensor | None:
        """The value of `onto`, of the same family, that is made of the noise `value` [*lead, *shape] has here.

        None where the family's noise cannot be read off a value.
        """
        return self.entry.carry(value, self.tensors, onto.tensors, self.extras)

    def log_probs(self) -> Tensor:
        """Log probability of each class of each element, [*lead, *shape, K]."""
        return self.entry.classes(self.tensors, self.extras)

    def support_log_prob(self) -> Tensor:
        """Log probability of each value of a scalar variable, [*lead, K]; shaped ones are scored by `log_prob`."""
        assert not self.shape, "a shaped variable has a joint support: score its values by log_prob"
        return self.log_probs()

    @property
    def probabilities(self) -> Tensor:
        """Probability of each class of each element, [*lead, *shape, K]."""
        return self.log_probs().exp()
