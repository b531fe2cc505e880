"""An exponential moving average of the weights, which answers `evaluate` and the pictures in place of the raw ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The running average of a model's trained parameters; buffers and frozen parameters are the model's own.

    With decay d, step t moves the average by 1 - min(d, (1 + t) / (10 + t)) towards the weights: early steps count
    more, so that a short run does not keep its random start. Torch's AveragedModel reads a counter back from the
    device every step; this one does not.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        self._current = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._average = [parameter.detach().clone() for parameter in self._current]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights after global step `step` (from 0)."""
        keep = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._average, [p.detach() for p in self._current], 1 - keep)

    def tensors(self) -> dict[str, Tensor]:
        """The average by parameter name."""
        return dict(zip(self._names, self._average, strict=True))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` returned before."""
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(tensors[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model holds the average; after it, its own weights again, bit for bit."""
        raw = [parameter.detach().clone() for parameter in self._current]
        self._write(self._average)
        try:
            yield
        finally:
            self._write(raw)

    @torch.no_grad()
    def _write(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._current, values, strict=True):
            parameter.copy_(value)
