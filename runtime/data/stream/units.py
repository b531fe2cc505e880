"""The scale of a standardized variable: from the data's units to the model's and back."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Units:
    """A standardized variable's scale in the data: value in data units = value * std + mean.

    mean, std: float64, broadcast against [N, *shape]; per element, for images per channel. logarithm: of positive
    values, all of this is said of their logarithms: value in data units = exp(mean) * value ** std.
    """

    mean: Tensor
    std: Tensor
    logarithm: bool = False

    def to_data(self, values: Tensor) -> Tensor:
        """From the model's units to the data's."""
        if self.logarithm:
            return (positive_log(values) * self.std.to(values) + self.mean.to(values)).exp()
        return values * self.std.to(values) + self.mean.to(values)

    def from_data(self, values: Tensor) -> Tensor:
        """From the data's units to the model's; floats keep their type."""
        if self.logarithm:
            return ((positive_log(values.double()) - self.mean) / self.std).exp().to(values.dtype)
        return ((values.double() - self.mean) / self.std).to(values.dtype)

    def log_slope(self, values: Tensor) -> Tensor:
        """log |d model's units / d data units| at values in the model's units, by which densities differ."""
        slope = -self.std.to(values).log().expand_as(values)
        if self.logarithm:
            slope = slope + positive_log(values) * (1 - self.std.to(values)) - self.mean.to(values)
        return slope


def positive_log(values: Tensor) -> Tensor:
    """The logarithm of positive values, zeros far down; blanks stay blank."""
    return values.clamp_min(1e-30).log()
