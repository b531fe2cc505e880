"""What the twins in other libraries share: the case's noise in place of theirs, a plain loop, the networks by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor


@contextmanager
def given_normal(eps: Tensor) -> Iterator[None]:
    """Within the block every normal distribution draws loc + scale * eps, eps [rows, size], whatever leads."""

    def standard(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
        return eps.to(dtype).expand(shape)

    with patch("torch.distributions.normal._standard_normal", standard):
        yield


def no_validation() -> None:
    """Distributions check no values: grey pixels are no Bernoulli values, and checking costs these libraries time."""
    distributions: Any = torch.distributions.Distribution
    distributions.set_default_validate_args(False)
