"""A family's parameters that fit one column by itself: closed forms, or moments where the likelihood has none.

Every function takes values [N, ...] in double precision, NaN where blank, and gives the family's parameters in its
order, each [...]; what a column does not tell (no value, no spread) comes out as NaN, 0 or infinite.
"""

import torch
from torch import Tensor

from compiler.families.numerics import above_zero

Fitted = tuple[Tensor, ...]

QUARTILE_OF_T4 = 0.7407
"""A quarter of a Student's t with 4 degrees of freedom lies beyond this many scales above the location."""
MOST_DISPERSION = 100.0
"""Times the mean: a negative binomial that is a poisson to a hundredth of the variance."""


def normal_fit(values: Tensor) -> Fitted:
    """Mean and standard deviation, the likeliest."""
    mean = values.nanmean(0)
    return mean, ((values - mean) ** 2).nanmean(0).sqrt()


def lognormal_fit(values: Tensor) -> Fitted:
    """Those of the logarithm; zeros count as the smallest normal number, as in its density."""
    return normal_fit(above_zero(values).log())


def laplace_fit(values: Tensor) -> Fitted:
    """Median and mean distance from it, the likeliest."""
    median = values.nanmedian(0).values
    return median, (values - median).abs().nanmean(0)


def student_t_fit(values: Tensor) -> Fitted:
    """At 4 degrees of freedom by median and quartiles, which no tail moves."""
    median = values.nanmedian(0).values
    return torch.full_like(median, 4.0), median, (values - median).abs().nanmedian(0).values / QUARTILE_OF_T4


def gamma_fit(values: Tensor) -> Fitted:
    """Within 1.5 % of the likeliest (Minka 2002, from the gap between log mean and mean log)."""
    mean = values.nanmean(0)
    gap = (mean.log() - above_zero(values).log().nanmean(0)).clamp_min(torch.finfo(values.dtype).eps)
    concentration = (3 - gap + ((gap - 3) ** 2 + 24 * gap).sqrt()) / (12 * gap)
    return concentration, concentration / mean


def poisson_fit(values: Tensor) -> Fitted:
    """The mean, the likeliest."""
    return (values.nanmean(0),)


def negative_binomial_fit(values: Tensor) -> Fitted:
    """Mean, and the dispersion that gives the variance."""
    mean, spread = normal_fit(values)
    return mean, mean**2 / (spread**2 - mean).maximum(mean / MOST_DISPERSION)


def zero_inflated_poisson_fit(values: Tensor) -> Fitted:
    """As if every zero were an extra one, which is so where counts are large."""
    return (*poisson_fit(values.where(values != 0, torch.nan)), _gate(values))


def zero_inflated_negative_binomial_fit(values: Tensor) -> Fitted:
    """The same."""
    return (*negative_binomial_fit(values.where(values != 0, torch.nan)), _gate(values))


def _gate(values: Tensor) -> Tensor:
    """Log odds of a zero, of which every column counts as having half a one more, and half a number."""
    known = (~values.isnan()).sum(0)
    zeros = (values == 0).sum(0)
    return torch.log((zeros + 0.5) / (known - zeros + 0.5))
