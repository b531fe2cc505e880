"""Numbers between the model's units and the data's: whatever a person types or reads is in the latter.

Only a standardized variable has two. One element is converted as part of a whole value, since a scale may differ by
element.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from runtime.answering.panels import Target, value_name
from runtime.data import Units

Scales = Mapping[str, Units]
"""Of standardized variables, by name."""


def element_in_data_units(target: Target, values: Sequence[float] | Tensor, scales: Scales) -> Tensor:
    """Values [n] that the model gives one element of a variable, as the data have them: [n] float64."""
    units = scales.get(target.variable.name)
    return _numbers(values) if units is None else _converted(target, values, units.to_data)


def element_in_model_units(target: Target, value: float, scales: Scales) -> Tensor:
    """A value of one element as the data have it, as the model takes it: a float64 scalar."""
    units = scales.get(target.variable.name)
    found = _numbers([value]) if units is None else _converted(target, [value], units.from_data)
    return found[0]


def headings(target: Target, settings: Sequence[float] | Tensor, scales: Scales) -> tuple[str, ...]:
    """What each value that a sweep gives `target` is called, numbers in data units."""
    return tuple(value_name(target.variable, float(value)) for value in element_in_data_units(target, settings, scales))


def _converted(target: Target, values: Sequence[float] | Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    numbers, shape = _numbers(values), target.variable.shape
    whole = numbers.reshape(-1, *(1 for _ in shape)).expand(-1, *shape)
    return change(whole)[target.index]


def _numbers(values: Sequence[float] | Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64).reshape(-1)
