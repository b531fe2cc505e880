"""One row of the table of families: functions on plain tensors, and how the rest of the compiler calls them.

A family's functions take tensors first (a value or noise, then the parameters in the family's order) and after them
constants, which are found by the names of their last arguments (`Extras`). They use torch alone, so that an emitted
file can have them word for word.

Parameters here are a tuple in the family's order, constrained (bernoulli and categorical: logits) and aligned: each
[*lead, *event] ([*lead, *event, K] where there is one number per class), lead = [*axes, B], 1 where nothing varies.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from compiler.families.noise_kinds import NoiseKind
from compiler.kernels import fused_density
from compiler.tensors.broadcasting import broadcast_shape
from compiler.tensors.expression import applied, in_place
from compiler.tensors.noise import Noise
from compiler.tensors.precision import widened
from graphspec.language.families import FAMILIES, Family, ParameterInfo

Parameters = Sequence[Tensor]
Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Extras:
    """A variable's constants, which functions take under the names of their arguments.

    shape: of the event; `axis` is its first dimension counted from the end. classes: K, where values can be enumerated.
    minimum: number of the first class. ordered: classes are numbers, so they have a mean. options: the family's own
    (`levels`).
    """

    shape: tuple[int, ...] = ()
    classes: int | None = None
    minimum: int = 0
    ordered: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def named(self) -> Mapping[str, Any]:
        """Every constant by name."""
        own = {"axis": -len(self.shape), "classes": self.classes, "minimum": self.minimum, "ordered": self.ordered}
        return {**own, **self.options}

    def of(self, function: Function, tensors: int) -> list[Any]:
        """Constants that `function` takes after so many tensors."""
        return [self.named[name] for name in argument_names(function)[tensors:]]


@cache
def argument_names(function: Function) -> tuple[str, ...]:
    """In order."""
    return tuple(inspect.signature(function).parameters)


@dataclass(frozen=True)
class FamilyEntry:
    """What is computed of a family; what is legal, the parameters and their links are a row of graphspec's table.

    log_prob(value, *parameters): log density of each element, nats.
    noise_kind: the noise of which draws are made.
    mean, mode(*parameters): of each element; the mean of a category, which has none, is its likeliest class.
    draw(eps, *parameters): differentiable in the parameters; None where draws have no such derivative.
    sample(eps, *parameters): a draw without gradient; None where it is `draw`.
    log_probs(*parameters): of every class, [..., K]; None where values cannot be enumerated.
    by_class: values are classes, and every other function takes their log probabilities [..., K] as only parameter.
    relaxed(eps, *parameters, temperature): a Concrete draw; hardened(soft): its nearest value, with its gradient.
    divergences: KL(this || p) of each element by the name of p's family, a function (*q's, *p's parameters).
    standard_log_prob(value), standard_divergence(*parameters): p's parameters at their standard values.
    standard_uniform: those make every class equally likely.
    carried(value, *before, *after): the value at other parameters that is made of the same noise.
    fit(values): parameters that fit columns [N, ...] of data by themselves; see `compiler.families.fits`.
    kernel: a density of `compiler.kernels`, which takes the parameters in the family's order.
    """

    name: str
    log_prob: Function
    noise_kind: NoiseKind
    mean: Function
    mode: Function
    draw: Function | None = None
    sample: Function | None = None
    log_probs: Function | None = None
    by_class: bool = False
    relaxed: Function | None = None
    hardened: Function | None = None
    divergences: Mapping[str, Function] = field(default_factory=dict)
    standard_log_prob: Function | None = None
    standard_divergence: Function | None = None
    standard_uniform: bool = False
    carried: Function | None = None
    fit: Callable[[Tensor], tuple[Tensor, ...]] | None = None
    kernel: str | None = None

    @property
    def family(self) -> Family:
        """The row of graphspec's table."""
        return FAMILIES[self.name]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters, in order."""
        return tuple(info.name for info in self.family.parameters)

    def detached(self) -> "FamilyEntry":
        """The same without gradients for weights of its own, which only flows have."""
        return self

    def functions(self) -> tuple[Function, ...]:
        """All that an emitted file may have a copy of."""
        given = (*(getattr(self, name) for name in self.__dataclass_fields__), *self.divergences.values())
        return tuple(function for function in given if inspect.isfunction(function))

    def inputs(self, parameters: Parameters, extras: Extras) -> tuple[Tensor, ...]:
        """What the family's functions take: the parameters in single precision at least, or the classes' logs."""
        return (self.classes(parameters, extras),) if self.by_class else tuple(map(widened, parameters))

    def each(self, value: Tensor, parameters: Parameters, extras: Extras, *, relaxed: bool = False) -> Tensor:
        """Log density of each element, nats, [*lead, *event]; multivariate: size 1 along the axis of dependence.

        parameters: none of them stand for the standard values of a family that has a shorter form there.
        relaxed: `value` holds weights of the classes ([*lead, *event, K]; for a bernoulli the probability of one,
        [*lead, *event]) and is scored linearly, sum_k v_k log p_k: at a vertex that is the log probability, and its
        expectation keeps the gradient of the entropy, which a density on the simplex or an argmax would lose.
        """
        if not parameters and self.standard_log_prob is not None:
            return call(self.standard_log_prob, (value,), extras)
        inputs = self.inputs(parameters, extras)
        if self.by_class and not relaxed:
            return applied(picked, inputs[0], value - extras.minimum if extras.minimum else value)
        return call(self.log_prob, (value, *inputs), extras)

    def joint_axes(self, extras: Extras) -> int:
        """How many axes of the event, from the first, one density stands for."""
        return int(self.family.multivariate)

    def summed(self, value: Tensor, parameters: Parameters, extras: Extras, *, relaxed: bool = False) -> Tensor:
        """The same summed over the event, [*lead]; in one pass where the family has a kernel."""
        rank, found = len(extras.shape), None
        if self.kernel is not None and parameters:
            found = fused_density(self.kernel, [*parameters, value], rank)
        return sum_last(self.each(value, parameters, extras, relaxed=relaxed), rank) if found is None else found

    def classes(self, parameters: Parameters, extras: Extras) -> Tensor:
        """Log probability of each class of each element, [*lead, *event, K]."""
        return self._asked(self.log_probs, "has no finite support", tuple(map(widened, parameters)), extras)

    def noise(self, noise: Noise, name: str, lead: Sequence[int], parameters: Parameters, extras: Extras) -> Tensor:
        """Noise [*lead, B, *event, ...] for draws of variable `name`; of the parameters it takes sizes and dtype only.

        One draw serves every value of an enumerated variable upstream.
        """
        count = [extras.classes or self._count(parameters)] if self.by_class else []
        sizes = (*extras.shape, *self.noise_kind.sizes, *count)
        return applied(self.noise_kind.drawn, noise, name, tuple(lead), sizes, widened(parameters[0]))

    def pathwise(self, eps: Tensor, parameters: Parameters, extras: Extras) -> Tensor:
        """The draw that `eps` stands for, as a differentiable function of the parameters: [*lead, *event]."""
        return self._asked(self.draw, "has no pathwise derivative", (eps, *self.inputs(parameters, extras)), extras)

    def sampled(self, eps: Tensor, parameters: Parameters, extras: Extras) -> Tensor:
        """The draw that `eps` stands for, without gradient; classes as numbers from `minimum`: [*lead, *event]."""
        with torch.no_grad():
            inputs = self.inputs(parameters, extras)
            drawn = self._asked(self.sample or self.draw, "has no draws", (eps, *inputs), extras)
            return drawn if self.by_class else drawn.detach()  # a class comes from argmax, which has no gradient

    def relax(
        self, eps: Tensor, parameters: Parameters, temperature: float | Tensor, extras: Extras, *, hard: bool = False
    ) -> Tensor:
        """A Concrete draw: class weights [*lead, *event, K] (bernoulli: [*lead, *event]).

        hard: straight through, a vertex in value and relaxed in gradient.
        """
        tensors = (eps, *self.inputs(parameters, extras), temperature) if self.relaxed is not None else ()
        soft = self._asked(self.relaxed, "cannot be relaxed", tensors, extras)
        return call(self.hardened, (soft,), extras) if hard and self.hardened is not None else soft

    def carry(self, value: Tensor, before: Parameters, after: Parameters, extras: Extras) -> Tensor | None:
        """The value that `value`'s noise makes at other parameters; None where it cannot be read off a value."""
        if self.carried is None:
            return None
        return call(self.carried, (value, *map(widened, before), *map(widened, after)), extras)

    def mean_of(self, parameters: Parameters, extras: Extras) -> Tensor:
        """Mean [*lead, *event]; of a category, which has none, the likeliest class."""
        return self._whole(self.mean_at(parameters, extras), parameters, extras)

    def mean_at(self, parameters: Parameters, extras: Extras) -> Tensor:
        """The same of parameters that are given for the whole event."""
        return call(self.mean, self.inputs(parameters, extras), extras)

    def mode_of(self, parameters: Parameters, extras: Extras) -> Tensor:
        """Likeliest value [*lead, *event]."""
        return self._whole(call(self.mode, self.inputs(parameters, extras), extras), parameters, extras)

    def spread(self, parameters: Parameters, extras: Extras) -> tuple[Tensor, ...]:
        """Each parameter over the whole event: sums over the event must count every element.

        In single precision at least, unless the family's kernel reads fewer bits. One number per vector stays as it
        is: what is computed from it alone is computed once.
        """
        kept = parameters if self.kernel is not None else map(widened, parameters)
        return tuple(self._over_event(info, value, extras) for info, value in self._pairs(kept))

    def _over_event(self, info: ParameterInfo, value: Tensor, extras: Extras) -> Tensor:
        end = value.dim() - _trailing(info)
        lead = end - len(extras.shape)
        assert lead >= 1, f"{self.name}.{info.name}: {tuple(value.shape)} has no batch before event {extras.shape}"
        whole = (*value.shape[:lead], *extras.shape, *value.shape[end:])
        return value if info.extent == "vector" or value.shape == whole else value.expand(whole)

    def lead(self, parameters: Parameters, extras: Extras) -> torch.Size:
        """[*axes, B], each size 1 where no parameter varies."""
        pairs, rank = self._pairs(parameters), len(extras.shape)
        return broadcast_shape(*(value.shape[: value.dim() - rank - _trailing(info)] for info, value in pairs))

    def _whole(self, value: Tensor, parameters: Parameters, extras: Extras) -> Tensor:
        return value.expand(*self.lead(parameters, extras), *extras.shape)

    def _count(self, parameters: Parameters) -> int:
        """K, from a parameter with one number for each class or for each gap between two."""
        ((info, value),) = [pair for pair in self._pairs(parameters) if _trailing(pair[0])]
        return value.shape[-1] + (info.extent == "between_classes")

    def _pairs(self, parameters: Iterable[Tensor]) -> Iterable[tuple[ParameterInfo, Tensor]]:
        return zip(self.family.parameters, parameters, strict=True)

    def _asked(self, function: Function | None, lacking: str, tensors: Sequence[Any], extras: Extras) -> Tensor:
        if function is None:
            raise NotImplementedError(f"{self.name} {lacking}")
        return in_place(function, *tensors, *extras.of(function, len(tensors)))


def call(function: Function, tensors: Sequence[Any], extras: Extras) -> Tensor:
    """The function of these tensors, and of the constants that it asks for."""
    return applied(function, *tensors, *extras.of(function, len(tensors)))


def sum_last(value: Tensor, rank: int) -> Tensor:
    """Over the last `rank` dimensions."""
    return value.sum(tuple(range(-rank, 0))) if rank else value


def _trailing(info: ParameterInfo) -> int:
    """Dimensions that a parameter has after the event's."""
    return int(info.extent in ("class", "between_classes"))


def picked(log_probs: Tensor, index: Tensor) -> Tensor:
    """log_probs [..., K] at an index [...]; both broadcast."""
    at, lead = index.long(), log_probs.shape[:-1]
    if at.shape != lead:
        lead = broadcast_shape(at.shape, lead)
        at, log_probs = at.expand(lead), log_probs.expand(*lead, log_probs.shape[-1])
    return log_probs.gather(-1, at.unsqueeze(-1)).squeeze(-1)
