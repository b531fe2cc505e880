"""Invertible maps between standard normal noise and values, by the library zuko: the arithmetic of a flow.

Everything here stands on torch alone, so that an emitted file can have it word for word.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn


class FlowMap(nn.Module):
    """An invertible map on flattened events, and its weights.

    inner: a transform of zuko's that depends on a context. from_noise: its fast way leads from noise to value.
    symmetric: both ways are equally fast. integral: it integrates a network, with weights that zuko counts twice where
    an end depends on them too.
    """

    def __init__(self, inner: nn.Module, *, from_noise: bool, symmetric: bool = False, integral: bool = False) -> None:
        super().__init__()
        self.inner = inner
        self.from_noise, self.symmetric, self.integral = from_noise, symmetric, integral
        # masks and orders follow from the spec: only weights are kept in checkpoints
        for part in inner.modules():
            for name, buffer in tuple(part.named_buffers(recurse=False)):
                part.register_buffer(name, buffer, persistent=False)

    def train(self, mode: bool = True) -> "FlowMap":
        """zuko leaves weights out of some derivatives outside training; nothing else in it depends on the mode."""
        super().train(mode)
        self.inner.train()
        return self

    def forward(self, context: Tensor, given: Tensor, to_value: bool) -> tuple[Tensor, Tensor]:
        """Noise to value or back: [rows, features] each, and log |d noise / d value|, [rows].

        context: [rows, C]; C is 0 where the flow has none.
        """
        with torch.autocast(given.device.type, enabled=False):
            transform = self.inner(context if context.shape[-1] else None)
            if to_value == self.from_noise:
                found, log_slope = transform.call_and_ladj(given)
            elif self.symmetric:
                found, backwards = transform.inv.call_and_ladj(given)
                log_slope = -backwards
            else:
                found, log_slope = solved_inverse(transform, given)
        return found, -log_slope if self.from_noise else log_slope


def last_layers(module: nn.Module) -> list[nn.Module]:
    """Last layers of the networks whose output zero means the identity (not of a monotone network's own)."""
    from zuko.nn import MonotonicMLP

    networks = [m for m in module.modules() if isinstance(m, nn.Sequential) and not isinstance(m, MonotonicMLP)]
    return [list(network)[-1] for network in networks]


def solved_inverse(transform: Any, given: Tensor) -> tuple[Tensor, Tensor]:
    """x with transform(x) = given, and log |d given / d x| there.

    Solved without derivatives, then one Newton step through which they flow (implicit function theorem). The transform
    itself is taken at a constant: zuko's integrals (1.6) count a weight twice where their end depends on it too.
    """
    with torch.no_grad():
        solved = undone(transform, given)
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


NEWTON_STEPS, SOLVED = 50, 1e-6
"""Steps of Newton's method at most; an element is solved when the next step moves it by less than this."""


def undone(transform: Any, given: Tensor) -> Tensor:
    """x with transform(x) = given, [rows, features], without derivatives: one part after the other, the last first.

    zuko undoes an autoregressive map in as many passes as there are elements. Here passes end with the first that
    changes nothing, since every further one would do the same; where no formula inverts an element, which zuko bisects
    in every pass, Newton's method on all elements at once comes first, and passes only where it does not arrive.
    """
    for part in reversed(getattr(transform, "transforms", (transform,))):
        if not hasattr(part, "meta"):
            given = part.inv(given)
            continue
        found, solved = newton(part, given)
        for _ in range(0 if solved.all() else part.passes):
            before, found = found, torch.where(solved, found, part.meta(found).inv(given))
            if torch.equal(before, found):
                break
        given = found
    return given


def newton(part: Any, given: Tensor) -> tuple[Tensor, Tensor]:
    """x with part(x) = given within the bound that zuko bisects in, zeros where a formula inverts each element; and
    whether it is, [rows, 1]. A row's answer does not depend on the others."""
    from zuko.transforms import MonotonicTransform

    found, moves = torch.zeros_like(given), given.new_full((len(given), 1), math.inf)
    layer = part.meta(found).base
    bounds = [m.bound for m in getattr(layer, "transforms", (layer,)) if isinstance(m, MonotonicTransform)]
    for _ in range(NEWTON_STEPS if bounds else 0):
        reached, log_slope = part.meta(found).base.call_and_ladj(found)
        nearer = (found + (given - reached) * torch.exp(-log_slope)).clamp(-bounds[0], bounds[0])
        nearer = torch.where(moves < SOLVED, found, nearer)
        moves, found = (nearer - found).abs().amax(-1, keepdim=True), nearer
        if not (moves >= SOLVED).any():
            break
    return found, ~(moves >= SOLVED)  # what is no number is not looked for


@contextmanager
def held_constant(module: nn.Module) -> Iterator[None]:
    """Within the block the module's weights count as constants."""
    asked = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in asked:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)


def flow_pass(
    flow: FlowMap, context: Tensor, given: Tensor, event: Sequence[int], *, to_value: bool, constant: bool = False
) -> tuple[torch.Size, Tensor, Tensor]:
    """Leading dimensions flattened: (lead, result [rows, features], log |d noise / d value| [rows]).

    context [*lead, C], given [*lead, *event]; constant: the weights of the map receive no gradient.
    """
    rank = len(event)
    lead = torch.broadcast_shapes(given.shape[: given.dim() - rank], context.shape[:-1])
    rows = given.expand(*lead, *event).reshape(math.prod(lead), math.prod(event))
    spread = context.expand(*lead, context.shape[-1]).reshape(len(rows), context.shape[-1])
    with held_constant(flow) if constant else nullcontext():
        found, log_slope = flow(spread, rows.to(context.dtype), to_value)
    return lead, found, log_slope


def flow_draw(
    flow: FlowMap, context: Tensor, noise: Tensor, event: Sequence[int], *, constant: bool = False
) -> tuple[Tensor, Tensor]:
    """The value [*lead, *event] that standard normal noise becomes, and its log density [*lead] nats."""
    lead, value, log_slope = flow_pass(flow, context, noise, event, to_value=True, constant=constant)
    flat = noise.expand(*lead, *event).reshape(math.prod(lead), math.prod(event))
    return value.reshape(*lead, *event).clone(), (standard_normal_sum(flat) + log_slope).reshape(lead)


def flow_log_prob(
    flow: FlowMap, context: Tensor, value: Tensor, event: Sequence[int], *, constant: bool = False
) -> Tensor:
    """Log density of `value` [*lead, *event]: [*lead] nats."""
    point = value
    if flow.integral and value.requires_grad:
        point = value.detach().requires_grad_()
    lead, noise, log_slope = flow_pass(flow, context, point, event, to_value=False, constant=constant)
    density = (standard_normal_sum(noise) + log_slope).reshape(lead)
    if point is value:
        return density
    # where `value` depends on this flow's weights, zuko's integrals would count them twice: its slope is added alone
    (slope,) = torch.autograd.grad(density.sum(), point, retain_graph=True)
    change = (value - point.detach()) * slope
    return density + (change.flatten(-len(event)).sum(-1) if event else change)


def standard_normal_sum(noise: Tensor) -> Tensor:
    """log density of standard normal rows [rows, features]: [rows]."""
    return -0.5 * (noise**2).sum(-1) - 0.5 * noise.shape[-1] * math.log(2 * math.pi)
