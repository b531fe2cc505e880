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


def elements_below(counts: Tensor, size: int, behind: int) -> Tensor:
    """Which of `size` elements are there: the first so many. counts: 1 along the plate's dimension, which has so many
    dimensions `behind` it."""
    places = torch.arange(size, device=counts.device)
    return places.reshape(-1, *(1,) * behind) < counts


def there_by_row(counts: Tensor, size: int) -> Tensor:
    """The same of counts [..] as rows have them, [.., size]; all elements where a count is blank."""
    counts = counts.unsqueeze(-1)
    return (torch.arange(size, device=counts.device) < counts) | ~(counts >= 0)


def there_along(there: Tensor, value: Tensor, places: Sequence[int]) -> Tensor:
    """`there` with as many elements along some dimensions as the value has: without a count all of them are there."""
    sizes = list(there.shape)
    for place in places:
        sizes[place] = value.shape[place]
    return there.expand(sizes)


def mean_there(value: Tensor, there: Tensor, places: Sequence[int]) -> Tensor:
    """The mean over the elements that are there along some dimensions; zero where none is."""
    there = there_along(there, value, places)
    return torch.where(there, value, 0.0).sum(tuple(places)) / there.sum(tuple(places)).clamp_min(1)


def largest_there(value: Tensor, there: Tensor, places: Sequence[int]) -> Tensor:
    """The largest value of the elements that are there along some dimensions; zero where none is."""
    largest = torch.where(there, value, -torch.inf).amax(tuple(places))
    return torch.where(there.any(dim=tuple(places)), largest, 0.0)


def end_there(value: Tensor, there: Tensor, places: Sequence[int], at: int) -> Tensor:
    """The first (0) or last (-1) element that is there along some dimensions, the outermost first; zero where none
    is."""
    there = there_along(there, value, places)
    count = len(places)
    front = tuple(range(count))
    value = torch.where(there, value, 0.0).movedim(tuple(places), front).flatten(0, count - 1)
    there = there.movedim(tuple(places), front).flatten(0, count - 1)
    order = torch.arange(1, len(there) + 1, device=there.device).reshape(-1, *(1,) * (there.dim() - 1))
    order = len(there) + 1 - order if at == 0 else order
    found = (there * order).argmax(0, keepdim=True)  # of none the first, whose value is zero
    return value.gather(0, found.expand(1, *value.shape[1:])).squeeze(0)


def put_together(elements: Sequence[Tensor], place: int) -> Tensor:
    """Values of the elements of a walk along a new dimension; one of size 1 where another is whole is spread."""
    if any(element.shape != elements[0].shape for element in elements):
        elements = torch.broadcast_tensors(*elements)
    return torch.stack([*elements], dim=place)


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


def jointly(value: Tensor, plate: int, own: int, places: Sequence[int]) -> Tensor:
    """What element i has at its own K values, at the joint values of all: dimension `plate` stays, `own` becomes one
    dimension for each element, which stand at `places` of what is left without `plate`."""
    elements = []
    for element, at in enumerate(places):
        ahead = sum(other < at for other in places)
        found = element_at(value, plate, element).movedim(own - (own > plate), at - ahead)
        for other in sorted(places):
            if other != at:
                found = found.unsqueeze(other)
        elements.append(found)
    return torch.stack(torch.broadcast_tensors(*elements), dim=plate)


def element_at(value: Tensor, plate: int, place: int) -> Tensor:
    """One element along a dimension, which has size 1 where all are alike."""
    return value.select(plate, place if value.shape[plate] > 1 else 0)


def one_element(value: Tensor, plate: int, place: int, order: Sequence[int]) -> Tensor:
    """One element along dimension `plate`; the dimensions in front come in this order."""
    found = element_at(value, plate, place)
    return found.permute(*order, *range(len(order), found.dim()))


def side_by_side(at: int, orders: Sequence[Sequence[int]], *values: Tensor) -> Tensor:
    """Elements along a new dimension, each with its first dimensions in its order."""
    pairs = zip(values, orders, strict=True)
    return torch.stack([v.permute(*order, *range(len(order), v.dim())) for v, order in pairs], dim=at)
