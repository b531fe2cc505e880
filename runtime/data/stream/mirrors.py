"""What goes along to the other side when a picture is mirrored: `augment: {flip: true, mirrors: ...}`."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from graphspec.graphs.graph import Variable
from graphspec.language import ColumnSpec
from graphspec.reading.suggestions import did_you_mean, few
from runtime.data.stream.units import Units
from runtime.errors import DataError


@dataclass(frozen=True)
class OtherSide:
    """A variable's values on the other side. factor, offset: of numbers in the model's units, per element [*shape];
    classes: [K] of class indices, the class that each becomes."""

    factor: Tensor | None = None
    offset: Tensor | None = None
    classes: Tensor | None = None

    def of(self, values: Tensor, mirrored: Tensor) -> Tensor:
        """values: [B, *plates, *shape]; mirrored: [B, *plates], which of the pictures are. Blanks stay blank."""
        mask = mirrored.reshape(*mirrored.shape, *(1,) * (values.dim() - mirrored.dim()))
        if self.classes is not None:
            other = torch.where(values < 0, values, self.classes.to(values)[values.clamp_min(0)])
        else:
            assert self.factor is not None and self.offset is not None
            other = values * self.factor.to(values) + self.offset.to(values)
        return torch.where(mask, other, values)


def other_sides(
    variables: Mapping[str, Variable], columns: Mapping[str, ColumnSpec], units: Mapping[str, Units]
) -> dict[str, dict[str, OtherSide]]:
    """By picture, then by what goes along with it. variables: with the names of their classes.

    Raises DataError for a class that only the data could tell is not there.
    """
    found: dict[str, dict[str, OtherSide]] = {}
    for picture, spec in columns.items():
        if spec.augment is not None and spec.augment.mirrors:
            found[picture] = {
                name: _swapped(variables[name], wanted)
                if isinstance(wanted, dict)
                else _turned(variables[name], wanted, units.get(name))
                for name, wanted in spec.augment.mirrors.items()
            }
    return found


def _swapped(variable: Variable, wanted: Mapping[str, str]) -> OtherSide:
    known = variable.value_names
    other = list(range(len(known)))
    for pair in wanted.items():
        for name in pair:
            if name not in known:
                hint = did_you_mean(name, known, f"classes: {few(known)}")
                raise DataError(f"augment.mirrors: {variable.name} has no class {name}", hint)
        one, two = map(known.index, pair)
        other[one], other[two] = two, one
    return OtherSide(classes=torch.tensor(other))


def _turned(variable: Variable, elements: tuple[int, ...], units: Units | None) -> OtherSide:
    """In data units v becomes -v (of a unit 1 - v); in those of a standardized variable, u = (v - mean) / std, that is
    -u - 2 mean / std."""
    shape = variable.of_element
    chosen = torch.zeros(shape, dtype=torch.float64)
    chosen[list(elements) if shape else ...] = 1.0
    beyond = torch.tensor(1.0 if variable.domain == "unit" else 0.0, dtype=torch.float64)
    if units is not None:
        first = (0,) * (units.mean.dim() - len(shape))
        beyond = -2 * (units.mean / units.std)[first]
    return OtherSide(factor=1 - 2 * chosen, offset=chosen * beyond)
