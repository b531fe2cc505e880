"""Distribution parameters: from a network's unconstrained output, from given values, and free (learned) ones.

A head of zeros gives the parameter's standard value (normal: loc 0, scale 1; cutpoints: equally likely classes): a
network whose heads start small starts near the domain's standard prior.
"""

from collections.abc import Sequence
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.factors.links import direction, inside, inverse_softplus, logits_of, positive, rising
from compiler.kernels import softplus_above
from compiler.tensors.expression import applied
from compiler.tensors.precision import widened
from graphspec.language import LearnedParameter
from graphspec.language.families import SCALE_FLOOR, ParameterInfo

PROBABILITY_MARGIN = 1e-6
"""A probability that a weightless network gives is kept this far from 0 and 1: a pixel painted with certainty costs at
most 14 nats when it is wrong, instead of infinitely many."""


BORDER_START = 0.1
"""Where a parameter starts whose standard value is the border of its range, which no softplus reaches: a concentration
of 0.1 is within 0.003 nats of the uniform direction."""


def start_value(info: ParameterInfo) -> float:
    """Where heads of zeros and learned parameters start: the standard value, moved off the border of its range."""
    on_border = info.link == "softplus" and info.standard <= info.floor
    return info.floor + BORDER_START if on_border else info.standard


def constrain(info: ParameterInfo, raw: Tensor, axis: int = -1) -> Tensor:
    """The parameter from a network's output; a softplus link stays above `info.floor`.

    axis: along which a normalised parameter has length 1; zeros give its first unit vector. Single precision at least,
    but for an output that is the parameter: the distribution knows whether its kernel reads bfloat16.
    """
    if info.link == "identity" and not info.standard:
        return raw
    if info.link == "softplus":
        fused = softplus_above(raw, inverse_softplus(start_value(info) - info.floor), info.floor)
        return applied(positive, widened(raw), start_value(info), info.floor) if fused is None else fused
    raw = widened(raw)
    match info.link:
        case "identity":
            return raw + info.standard
        case "sigmoid":
            return torch.sigmoid(raw)
        case "ordered":
            return applied(rising, raw, SCALE_FLOOR)
        case _:
            return applied(direction, raw, axis)


def from_alternative(info: ParameterInfo, name: str, value: Tensor, margin: float) -> Tensor:
    """A value given under `name` (probabilities for logits) as the family's own parameter.

    margin: probabilities are moved this far from 0 and, where there are two classes, from 1.
    """
    if name == info.name:
        return value
    return value.clamp_min(margin).log() if info.extent == "class" else applied(logits_of, value, margin)


def legal(info: ParameterInfo, value: Tensor, axis: int = -1) -> Tensor:
    """What a weightless network computes, moved inside the parameter's open range by one float eps.

    axis: along which a normalised parameter has length 1 (a vector of zeros cannot have it and stays as it is).
    """
    if info.link == "normalize":
        return F.normalize(value, dim=axis)
    open_ended = info.minimum is None and info.maximum is None
    return value if open_ended else applied(inside, value, info.minimum, info.maximum)


class Learned(nn.Module):
    """A free parameter, shared within `spec.learned` (element, channel, variable), kept in the range the spec gives.

    Its transform: softplus above a minimum or below a maximum, sigmoid between two, else none. Classes always have a
    value each. Starts at `initial`, else at the standard value, moved inside the range.
    """

    raw: nn.Parameter

    def __init__(
        self, spec: LearnedParameter, info: ParameterInfo, name: str, shape: Sequence[int], dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.info, self.name = info, name
        self.shape = tuple(shape)
        self.minimum, self.maximum = self._range(spec)
        trailing = 1 if info.extent in ("class", "between_classes") else 0
        self.stored = _shared(self.shape, spec.learned, trailing)
        start = torch.full(self.stored, self._start(spec), dtype=torch.float64)
        self.raw = nn.Parameter(self._inverse(start).to(dtype))

    @property
    def _probability(self) -> bool:
        return self.name != self.info.name

    def _range(self, spec: LearnedParameter) -> tuple[float | None, float | None]:
        low = self.info.floor if self.info.minimum is not None else None
        if self._probability and (spec.minimum is not None or spec.maximum is not None):
            return max(0.0, spec.minimum or 0.0), 1.0 if spec.maximum is None else min(1.0, spec.maximum)
        if spec.minimum is not None:
            low = spec.minimum if low is None else max(low, spec.minimum)
        return low, spec.maximum

    def _start(self, spec: LearnedParameter) -> float:
        """Constrained value before training; probabilities without a range are stored as logits."""
        value = spec.initial
        if self._probability and self.minimum is None:
            return 0.0 if value is None or self.info.extent == "class" else _logit(value)
        if value is None:
            classes = self.shape[-1] if self.info.extent == "class" else 2
            value = 1 / classes if self._probability else start_value(self.info)
        low, high = self.minimum, self.maximum
        if low is not None and high is not None:
            margin = 0.01 * (high - low)
            return min(max(value, low + margin), high - margin)
        if low is not None:
            return max(value, low + SCALE_FLOOR)
        return value if high is None else min(value, high - SCALE_FLOOR)

    def _inverse(self, value: Tensor) -> Tensor:
        low, high = self.minimum, self.maximum
        if self.info.link in ("ordered", "normalize"):
            return torch.zeros_like(value)
        if low is not None and high is not None:
            return torch.logit((value - low) / (high - low))
        if low is not None:
            return _inverse_softplus_of(value - low)
        return value if high is None else _inverse_softplus_of(high - value)

    def forward(self) -> Tensor:
        """[1, *shape] (the batch axis has size 1), constrained."""
        return self.made_of(self.raw)

    def made_of(self, value: Tensor) -> Tensor:
        """The same from the unconstrained numbers `value`."""
        low, high = self.minimum, self.maximum
        if self.info.link == "ordered":
            value = constrain(self.info, value)
        elif self.info.link == "normalize":
            value = constrain(self.info, value.expand(self.shape), -len(self.shape))
        elif low is not None and high is not None:
            value = low + (high - low) * torch.sigmoid(value)
        elif low is not None:
            value = low + F.softplus(value)
        elif high is not None:
            value = high - F.softplus(value)
        if self._probability and low is not None:
            value = from_alternative(self.info, self.name, value, torch.finfo(self.raw.dtype).tiny)
        return value.expand(self.shape).unsqueeze(0)


def _shared(shape: tuple[int, ...], extent: str, trailing: int) -> tuple[int, ...]:
    """Stored shape, broadcastable over `shape`: the first axis is the channel, `trailing` axes are never shared."""
    event = len(shape) - trailing
    kept = {"element": event, "channel": min(1, event), "variable": 0}[extent]
    return (*shape[:kept], *(1,) * (event - kept), *shape[event:])


def _logit(value: float) -> float:
    inside = min(max(value, 1e-7), 1 - 1e-7)
    return log(inside) - log(1 - inside)


def _inverse_softplus_of(value: Tensor) -> Tensor:
    return torch.where(value > 30, value, torch.log(torch.expm1(value.clamp(max=30))))
