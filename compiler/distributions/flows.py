"""Flows: standard normal noise sent through an invertible network, by the library zuko (imported only where used).

Each family is fast one way and slow the other: autoregressive maps run backwards one element at a time, and where no
formula inverts them, by bisection among values within 10 of zero. `masked_autoregressive` is fast to score,
`inverse_autoregressive` fast to draw from. The other families run their fast way from noise to value for a latent of
recognition, which is scored only at its own draws, and from value to noise everywhere else.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor, nn

from compiler.broadcasting import broadcast_shape
from compiler.distributions.base import Distribution, sum_event
from compiler.networks.initialization import Initializer
from compiler.noise import Noise

LAST_GAIN = 0.05
"""Initial weights of the last layer of each transform against the usual ones: a flow starts close to the identity, so
its distribution starts close to the standard normal (not `neural_autoregressive`, whose monotone networks have no such
start)."""

_AVERAGED = 64
"""Draws (in pairs of opposite noise, always the same ones) that the mean of a flow is an average of."""

_ZUKO = {
    "masked_autoregressive": "MAF",
    "inverse_autoregressive": "MAF",
    "neural_spline": "NSF",
    "neural_autoregressive": "NAF",
    "sum_of_squares": "SOSPF",
    "unconstrained_neural_autoregressive": "UNAF",
    "continuous": "CNF",
}


class FlowMap(nn.Module):
    """The invertible map of one factor, on flattened events, and its weights.

    context: numbers that the factor's network gives per row, 0 for a root. from_noise: its fast way leads from noise
    to value. Initial weights depend on `start` alone and are close to the identity. `continuous` integrates with an
    adaptive step that the whole batch shares: a row's density depends on its batch in the sixth digit.
    """

    def __init__(
        self, family: str, options: Mapping[str, Any], features: int, context: int, start: Initializer, *,
        from_noise: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        import zuko.flows

        self.features, self.context, self.from_noise = features, context, from_noise
        self.symmetric = family == "continuous"
        self.integral = family in ("sum_of_squares", "unconstrained_neural_autoregressive")
        sizes = {"hidden_features": tuple(options["hidden"])}
        if "transforms" in options:
            sizes["transforms"] = options["transforms"]
        with torch.random.fork_rng(devices=[]):
            flow = getattr(zuko.flows, _ZUKO[family])(features, context, **sizes)
        self.inner: nn.Module = flow.transform.to(start.dtype)
        _initialize(self.inner, start)
        _leave_out_of_checkpoints(self.inner)

    def train(self, mode: bool = True) -> Self:
        """zuko leaves weights out of some derivatives outside training; nothing else in it depends on the mode."""
        super().train(mode)
        self.inner.train()
        return self

    def forward(self, context: Tensor, given: Tensor, to_value: bool) -> tuple[Tensor, Tensor]:
        """Noise to value or back: [rows, features] each, and log |d noise / d value|, [rows].

        context: [rows, context], left aside where the flow has none.
        """
        with torch.autocast(given.device.type, enabled=False):
            transform = self.inner(context if self.context else None)
            if to_value == self.from_noise:
                found, log_slope = transform.call_and_ladj(given)
            elif self.symmetric:
                found, backwards = transform.inv.call_and_ladj(given)
                log_slope = -backwards
            else:
                found, log_slope = _inverse(transform, given)
        return found, -log_slope if self.from_noise else log_slope


def _inverse(transform: Any, given: Tensor) -> tuple[Tensor, Tensor]:
    """x with transform(x) = given, and log |d given / d x| there.

    Solved without derivatives, then one Newton step through which they flow (implicit function theorem) and which makes
    a bisection exact. The transform itself is taken at a constant: zuko's integrals (1.6) count a weight twice where
    their end depends on it too.
    """
    with torch.no_grad():
        solved: Tensor = transform.inv(given)
    point = solved.detach().requires_grad_(torch.is_grad_enabled())
    reached, log_slope = transform.call_and_ladj(point)
    if not torch.is_grad_enabled():
        return solved, log_slope
    rows = [torch.autograd.grad(column.sum(), point, retain_graph=True)[0] for column in reached.unbind(-1)]
    found = solved - torch.linalg.solve(torch.stack(rows, dim=-2), reached - given)
    if not log_slope.requires_grad:
        return found, log_slope
    (steepening,) = torch.autograd.grad(log_slope.sum(), point, retain_graph=True, allow_unused=True)
    return found, log_slope if steepening is None else log_slope + ((found - solved) * steepening).sum(-1)


@contextmanager
def _constant(module: nn.Module) -> Iterator[None]:
    """Within the block the module's weights count as constants."""
    asked = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in asked:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)


def _initialize(module: nn.Module, start: Initializer) -> None:
    """Every tensor from a generator of its own, keyed by its name; the last layers of networks small."""
    last = {id(parameter) for network in _conditioners(module) for parameter in network.parameters()}
    with torch.no_grad():
        for owner_name, owner in module.named_modules():
            weight = getattr(owner, "weight", None)
            fan_in = weight.shape[-1] if isinstance(weight, Tensor) else 1
            for name, parameter in owner.named_parameters(prefix=owner_name, recurse=False):
                small = id(parameter) in last or not isinstance(weight, Tensor)
                drawn = start.uniform(name, parameter.shape, fan_in, LAST_GAIN if small else 1.0)
                parameter.copy_(drawn)


def _conditioners(module: nn.Module) -> list[nn.Module]:
    """Last layers of the networks whose output zero means the identity (not of a monotone network's own)."""
    from zuko.nn import MonotonicMLP

    networks = [m for m in module.modules() if isinstance(m, nn.Sequential) and not isinstance(m, MonotonicMLP)]
    return [list(network)[-1] for network in networks]


def _leave_out_of_checkpoints(module: nn.Module) -> None:
    """Masks and orders follow from the spec; only weights are kept."""
    for part in module.modules():
        for name, buffer in tuple(part.named_buffers(recurse=False)):
            part.register_buffer(name, buffer, persistent=False)


class Flow(Distribution):
    """A multivariate distribution over all elements of a variable.

    context: [*lead, C], the only parameter; C is 0 for a root. The density of a draw comes with it and is kept, so that
    an inverse autoregressive flow is never run backwards for its own draws.
    """

    reparameterized = True

    def __init__(self, shape: Sequence[int], transform: FlowMap, context: Tensor) -> None:
        self.shape = tuple(shape)
        self.transform = transform
        self.parameters = {"context": context}
        self.apart = False
        self._own = _Remembered()

    @property
    def context(self) -> Tensor:
        """[*lead, C]."""
        return self.parameters["context"]

    @property
    def lead(self) -> torch.Size:
        return self.context.shape[:-1]

    def detached(self) -> Self:
        """Neither the context nor the weights of the map receive a gradient."""
        other = super().detached()
        other.apart = True
        other._own = _Remembered()
        return other

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """One density per event: every event axis has size 1."""
        density = self._own.density_of(value, len(self.shape))
        if density is None:
            bare = self.transform.integral and value.requires_grad
            density = self._density_at_constant(value) if bare else self._density(value)
        return density.reshape(*density.shape, *(1,) * len(self.shape))

    def _density(self, value: Tensor) -> Tensor:
        lead, eps, log_slope = self._send(value, to_value=False)
        return (_log_normal(eps) + log_slope).reshape(lead)

    def _density_at_constant(self, value: Tensor) -> Tensor:
        """The same, also where `value` depends on this flow's weights, which zuko's integrals would count twice."""
        point = value.detach().requires_grad_()
        density = self._density(point)
        (slope,) = torch.autograd.grad(density.sum(), point, retain_graph=True)
        return density + sum_event((value - point.detach()) * slope, len(self.shape))

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        return noise.normal(name, lead, self.shape, self.like.dtype).to(self.like.device)

    def reparameterize(self, eps: Tensor) -> Tensor:
        lead, value, log_slope = self._send(eps, to_value=True)
        value = value.reshape(*lead, *self.shape).clone()
        if not self.apart:
            flat = eps.expand(*lead, *self.shape).reshape(-1, self.transform.features)
            self._own.keep(value, (_log_normal(flat) + log_slope).reshape(lead))
        return value

    def _send(self, given: Tensor, *, to_value: bool) -> tuple[torch.Size, Tensor, Tensor]:
        """Leading dimensions flattened: (lead, result [rows, features], log |d noise / d value| [rows])."""
        rank = len(self.shape)
        lead = broadcast_shape(given.shape[: given.dim() - rank], self.lead)
        rows = given.expand(*lead, *self.shape).reshape(-1, self.transform.features)
        context = self.context.expand(*lead, self.context.shape[-1]).reshape(rows.shape[0], self.context.shape[-1])
        with _constant(self.transform) if self.apart else nullcontext():
            found, log_slope = self.transform(context, rows.to(context.dtype), to_value)
        return lead, found, log_slope

    @property
    def mean(self) -> Tensor:
        """Average of `_AVERAGED` fixed draws: exact where the map is affine, an estimate elsewhere."""
        generator = torch.Generator().manual_seed(0)
        half = torch.randn(_AVERAGED // 2, *self.shape, generator=generator, dtype=self.like.dtype)
        eps = torch.cat([half, -half]).to(self.like.device)
        with_lead = eps.reshape(_AVERAGED, *(1,) * len(self.lead), *self.shape)
        lead, value, _ = self._send(with_lead, to_value=True)
        return value.reshape(*lead, *self.shape).mean(0)

    @property
    def mode(self) -> Tensor:
        """What the likeliest noise becomes: the centre, not always the likeliest value, which has no formula."""
        return self.draw(self.like.new_zeros(*(1,) * len(self.lead), *self.shape))


class _Remembered:
    """The last draw and its log density; found again for the very same numbers (also reshaped), never for others.

    Its derivative is the total one, along the draw and along the parameters: what the sum of both paths would be.
    """

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor, int] | None = None

    def keep(self, value: Tensor, density: Tensor) -> None:
        """density: [*lead] of value [*lead, *shape]."""
        self._kept = value, density, value._version

    def density_of(self, value: Tensor, rank: int) -> Tensor | None:
        """[*lead] of `value`, whose event has `rank` axes; None where it is not that draw, or has lost its gradient."""
        if self._kept is None:
            return None
        kept, density, version = self._kept
        same = value is kept or (value._base is kept and value.is_contiguous() and value.numel() == kept.numel())
        if not same or value._version != version or value.requires_grad != kept.requires_grad:
            return None
        if torch.is_grad_enabled() and not kept.requires_grad:
            return None
        return density.reshape(value.shape[: value.dim() - rank])


def _log_normal(eps: Tensor) -> Tensor:
    """log density of standard normal rows [rows, features]: [rows]."""
    return -0.5 * (eps**2).sum(-1) - 0.5 * eps.shape[-1] * math.log(2 * math.pi)
