"""An exponential moving average of the weights, which answers `evaluate` and the pictures in place of the raw ones.

Running batch statistics are averaged like the weights: those of the raw weights do not fit averaged ones.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The running average of a model's trained parameters and running statistics; what is frozen is the model's own.

    With decay d, step t moves the average by 1 - min(d, (1 + t) / (10 + t)) towards the weights: early steps count
    more, so that a short run does not keep its random start. Torch's AveragedModel reads a counter back from the
    device every step; this one does not.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        current: dict[str, Tensor] = {**trained, **_running_statistics(model)}
        self._names, self._current = list(current), list(current.values())
        self._average = [tensor.detach().clone() for tensor in self._current]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights after global step `step` (from 0)."""
        keep = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._average, [tensor.detach() for tensor in self._current], 1 - keep)

    def tensors(self) -> dict[str, Tensor]:
        """The average by name of parameter or buffer."""
        return dict(zip(self._names, self._average, strict=True))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` returned before. ValueError for an average of other weights."""
        for name, average in zip(self._names, self._average, strict=True):
            theirs = tensors.get(name)
            if theirs is None or theirs.shape != average.shape or theirs.dtype != average.dtype:
                raise ValueError(f"the average of {name} is not {list(average.shape)}")
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(tensors[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model holds the average; after it, its own weights again, bit for bit."""
        raw = [tensor.detach().clone() for tensor in self._current]
        self._write(self._average)
        try:
            yield
        finally:
            self._write(raw)

    @torch.no_grad()
    def _write(self, values: list[Tensor]) -> None:
        for tensor, value in zip(self._current, values, strict=True):
            tensor.copy_(value)


def _running_statistics(model: nn.Module) -> dict[str, Tensor]:
    """Buffers that training changes and checkpoints hold."""
    kept = model.state_dict()
    return {name: buffer for name, buffer in model.named_buffers() if name in kept and buffer.is_floating_point()}
