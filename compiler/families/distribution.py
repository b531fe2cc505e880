"""What every family of distributions can do, whatever its parameters.

Parameters arrive constrained (bernoulli and categorical: logits) and aligned: each is [*axes, B, *shape] ([*shape, K]
where there is one value per class), with size 1 where a leading dimension does not vary. `lead` below is [*axes, B].
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import ClassVar, Self

import torch
from torch import Tensor

from compiler.kernels import fused_density
from compiler.tensors.broadcasting import broadcast_shape
from compiler.tensors.noise import Noise
from compiler.tensors.precision import Widened, widened


class Distribution(ABC):
    """A batch of conditional distributions of one variable.

    shape: the event shape of a value.
    reparameterized: `reparameterize` is differentiable in the parameters and exact (no relaxation).
    finite: values can be enumerated, so `log_probs` and `probabilities` exist.
    """

    reparameterized: ClassVar[bool] = False
    finite: ClassVar[bool] = False
    trailing: ClassVar[dict[str, int]] = {}
    """Dimensions that a parameter has after the event's (1 for one value per class)."""
    fused: ClassVar[tuple[str, ...]] = ()
    """Name of the family's density in `compiler.kernels`, then its parameters in the order expected there."""

    def __init__(self, shape: Sequence[int], **parameters: Tensor) -> None:
        self.shape = tuple(shape)
        rank, in_kernel = len(self.shape), self.fused[1:]
        kept = {name: value if name in in_kernel else widened(value) for name, value in parameters.items()}
        self.stored = {name: self._spread_event(name, value, rank) for name, value in kept.items()}

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """By name, in single precision at least; `stored` may hold bfloat16 that the family's kernel reads."""
        return Widened(self.stored)

    def _spread_event(self, name: str, value: Tensor, rank: int) -> Tensor:
        """One value for a whole axis of the event stands for each element: sums over the event must count them."""
        extra = self.trailing.get(name, 0)
        lead = value.dim() - rank - extra
        assert lead >= 1, f"{type(self).__name__}.{name}: {tuple(value.shape)} has no batch before event {self.shape}"
        spread = (*value.shape[:lead], *self.shape, *value.shape[value.dim() - extra :])
        return value if value.shape == spread else value.expand(spread)

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
        return self.rebuilt(Tensor.detach)

    @property
    def lead(self) -> torch.Size:
        """[*axes, B], each size 1 where no parameter varies."""
        rank = len(self.shape)
        shapes = [v.shape[: v.dim() - rank - self.trailing.get(n, 0)] for n, v in self.stored.items()]
        return broadcast_shape(*shapes)

    @property
    def like(self) -> Tensor:
        """Any parameter: gives dtype and device."""
        return next(iter(self.parameters.values()))

    @abstractmethod
    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """Log density of each element, nats, [*lead, *shape]; with `relaxed`, of a vector of class weights."""

    def log_prob(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """Log density of `value` [*lead, *shape] (broadcast against the parameters), summed over the event: [*lead].

        relaxed: `value` holds weights of the classes instead ([*lead, *shape, K]; for a bernoulli the probability of
        one, [*lead, *shape]) and is scored linearly, sum_k v_k log p_k: at a vertex that is the log probability, and
        its expectation keeps the gradient of the entropy, which a density on the simplex or an argmax would lose.
        """
        summed = self._fused_log_prob(value) if self.fused else None
        return sum_event(self.log_prob_each(value, relaxed=relaxed), len(self.shape)) if summed is None else summed

    def _fused_log_prob(self, value: Tensor) -> Tensor | None:
        """The same by one kernel, for families that score relaxed values as any other; None where there is none."""
        name, *order = self.fused
        return fused_density(name, [*(self.stored[p] for p in order), value], len(self.shape))

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """Parameter-free noise [*lead, B, ...] that `reparameterize`, `draw` and `relaxed` turn into a value.

        It never depends on the parameters, so one draw serves every value of an enumerated variable upstream.
        """
        return noise.uniform(name, lead, self.shape, self.like.dtype).to(self.like.device)

    def reparameterize(self, eps: Tensor) -> Tensor:
        """The draw that `eps` stands for, as a differentiable function of the parameters: [*lead, *shape]."""
        raise NotImplementedError(f"{type(self).__name__} has no pathwise derivative")

    def draw(self, eps: Tensor) -> Tensor:
        """The draw that `eps` stands for, without gradient; classes as index, counts as the count: [*lead, *shape]."""
        with torch.no_grad():
            return self.reparameterize(eps)

    def rsample(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """`reparameterize` of fresh noise. Parameters must then have no axis but the ones in `lead`."""
        return self.reparameterize(self.standard_noise(noise, name, lead))

    def sample(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """`draw` of fresh noise: ancestral sampling."""
        return self.draw(self.standard_noise(noise, name, lead))

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Mean [*lead, *shape]; of a category, which has none, the likeliest class."""

    @property
    @abstractmethod
    def mode(self) -> Tensor:
        """Likeliest value [*lead, *shape]."""

    def log_probs(self) -> Tensor:
        """Log probability of each class of each element, [*lead, *shape, K]."""
        raise NotImplementedError(f"{type(self).__name__} has no finite support")

    def support_log_prob(self) -> Tensor:
        """Log probability of each value of a scalar variable, [*lead, K]; shaped ones are scored by `log_prob`."""
        assert not self.shape, "a shaped variable has a joint support: score its values by log_prob"
        return self.log_probs()

    @property
    def probabilities(self) -> Tensor:
        """Probability of each class of each element, [*lead, *shape, K]."""
        return self.log_probs().exp()

    def relaxed(self, eps: Tensor, temperature: float | Tensor, *, straight_through: bool = False) -> Tensor:
        """A Concrete draw: class weights [*lead, *shape, K] (bernoulli: [*lead, *shape]).

        straight_through: one-hot in value, relaxed in gradient.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be relaxed")


def sum_event(value: Tensor, rank: int) -> Tensor:
    """Sum over the last `rank` dimensions."""
    return value.flatten(-rank).sum(-1) if rank else value


def event_size(shape: Sequence[int]) -> int:
    """Elements of an event."""
    return prod(shape)


def inside_unit(value: Tensor) -> Tensor:
    """Into the open unit interval by half a float eps at both ends, where densities of legal data may be infinite."""
    half = torch.finfo(value.dtype).eps / 2
    return value.clamp(half, 1 - half)


def above_zero(value: Tensor) -> Tensor:
    """Away from zero by the smallest normal number."""
    return value.clamp_min(torch.finfo(value.dtype).tiny)
