"""Sums over discrete variables that are exact: labels held, and a chain from element to element. Emitted files hold a
copy.

A chain's message is log of the sum over all that came before, for each value of its states. It walks along the elements
in log space, as the forward recursion of a hidden Markov model does (Rabiner 1989, section III.A).
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

NEVER = -1e9
"""log of a probability of zero: finite, so that no gradient is NaN and 0 times it is 0; its exponential is 0 in any
precision."""


def held(values: Tensor, label: Tensor, given: Tensor | None, rank: int) -> Tensor:
    """0 for values [K, 1, *shape] that agree with what is given of a label [*plates, B, *shape], `NEVER` for others:
    [*plates, K, B]. given: [*plates, B, *shape] which elements are; None: all. rank: dimensions of the shape."""
    spread = values.reshape(len(values), *(1,) * (label.dim() - rank), *values.shape[2:])
    agrees = spread == label
    agrees = agrees if given is None else agrees | ~given
    agrees = agrees.flatten(agrees.dim() - rank).all(-1) if rank else agrees
    return torch.where(agrees, 0.0, NEVER).movedim(0, -2)


def even_log_probs(values: Tensor, like: Tensor) -> Tensor:
    """The same log probability for each of some values [K, 1, *shape]: [K, 1], typed as `like`."""
    return torch.full((len(values), 1), -math.log(len(values)), dtype=like.dtype, device=like.device)


def states_before(values: Tensor, there: Tensor) -> Tensor:
    """Every value [K, 1, *event] as the one before an element, zero where `there` [n, 1] says that there is none:
    [n, K, 1, *event]."""
    return values * there.reshape(len(there), 1, 1, *(1,) * (values.dim() - 2))


def kept_log_sum(value: Tensor, dim: int) -> Tensor:
    """log of the sum of exp along a dimension, which stays with size 1."""
    return torch.logsumexp(value, dim=dim, keepdim=True)


def chain_log_sum(
    along: int, states: Sequence[tuple[int, int]], read: Sequence[tuple[int, ...]], *factors: Tensor,
    there: Tensor | None = None, log_sum: Callable[[Tensor, int], Tensor] = kept_log_sum,
) -> Tensor:  # fmt: skip
    """log of the sum over all paths of a chain, on what is left of the factors' common dimensions.

    along: the dimension of the elements, of which the first has none before it. states: dimensions of each state, and
    of the one before. read: of each factor the places among `states` of those that it reads of the element before.
    factors: logarithms, of size 1 along dimensions over which they do not vary. there: which elements are, the first
    ones of each row; None: all. log_sum: over one dimension, which stays.
    """
    steps = max(factor.shape[along] for factor in factors)
    present = None if there is None else elements_of(there, along, steps)
    moves = [(factor, places) for factor, places in zip(factors, read, strict=True) if places]
    stays = [factor for factor, places in zip(factors, read, strict=True) if not places]
    each_move = [(elements_of(factor, along, steps), places) for factor, places in moves]
    each_stay = [elements_of(factor, along, steps) for factor in stays]
    message = each_stay[0][0] if each_stay else None
    for part in each_stay[1:]:
        message = part[0] if message is None else message + part[0]
    for parts, places in each_move:
        first = parts[0]
        for state in places:
            first = first.narrow(states[state][1], 0, 1)  # nothing is before it: all of these are the same
        message = first if message is None else message + first
    assert message is not None, "a chain has factors"
    if present is not None:  # of no element at all the sum is 1
        message = torch.where(present[0], message, -math.log(math.prod(message.shape[now] for now, _ in states)))
    for step in range(1, steps):
        until_here = message
        for now, before in states:
            message = message.transpose(now, before)
        left = list(range(len(each_move)))
        for place, (_, before) in enumerate(states):
            for move in [m for m in left if place in each_move[m][1]]:
                message = message + each_move[move][0][step]
                left.remove(move)
            message = log_sum(message, before)
        for parts in each_stay:
            message = message + parts[step]
        if present is not None:
            message = torch.where(present[step], message, until_here)
    for now, _ in states:
        message = log_sum(message, now)
    for dim in sorted([along, *(dim for pair in states for dim in pair)], reverse=True):
        message = message.squeeze(dim)
    return message


def elements_of(factor: Tensor, along: int, steps: int) -> Sequence[Tensor]:
    """A factor at each element, the dimension of the elements kept with size 1."""
    if factor.shape[along] == 1:
        return (factor,) * steps
    return tuple(part.unsqueeze(along) for part in factor.unbind(along))
