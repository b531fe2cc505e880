"""What is read across the elements of a plate: of a neighbour, of the ends, of all. Emitted files hold a copy."""

from collections.abc import Sequence

import torch
from torch import Tensor


def previous_elements(value: Tensor, place: int) -> Tensor:
    """Each element has the one before it along a dimension; the first has zeros."""
    start = torch.zeros_like(value.narrow(place, 0, 1))
    return torch.cat([start, value.narrow(place, 0, value.shape[place] - 1)], dim=place)


def next_elements(value: Tensor, place: int) -> Tensor:
    """Each element has the one behind it along a dimension; the last has zeros."""
    end = torch.zeros_like(value.narrow(place, 0, 1))
    return torch.cat([value.narrow(place, 1, value.shape[place] - 1), end], dim=place)


def end_elements(value: Tensor, places: Sequence[int], at: int) -> Tensor:
    """The first (0) or last (-1) element along each of some dimensions."""
    for place in sorted(places, reverse=True):
        value = value.select(place, at)
    return value


def weighed_numbers(weights: Tensor, minimum: int, *, logarithms: bool) -> Tensor:
    """Class weights [..., K] of a count as the mean of its values, or of log(1 + value): [...]."""
    steps = torch.arange(weights.shape[-1], dtype=weights.dtype, device=weights.device) + minimum
    return weights @ (steps.log1p() if logarithms else steps)


def signed_log1p(value: Tensor) -> Tensor:
    """log(1 + value), odd below zero: as counts and positive values enter networks."""
    return value.sign() * value.abs().log1p()


def places_of(size: int, device: torch.device) -> Tensor:
    """The places in a plate as classes, [n, 1]."""
    return torch.arange(size, device=device).unsqueeze(-1)


def has_neighbour(size: int, step: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """1 where an element has another `step` places on, [n, 1]."""
    places = places_of(size, device) + step
    return ((places >= 0) & (places < size)).to(dtype)
