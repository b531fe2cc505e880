"""What stands around linear maps: noise on the parents, normalization, activation, dropout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.kernels import ACTIVATIONS, activate_linear, activate_sum, add_up, linear
from compiler.networks.initialization import Initializer
from compiler.networks.interface import ParentInput
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.call_layout import Layout


@dataclass(frozen=True)
class Style:
    """What a network puts around its linear maps. input_noise, input_dropout: see `Disturbance`."""

    activation: str = "relu"
    normalization: str = "none"
    dropout: float = 0.0
    input_noise: float = 0.0
    input_dropout: float = 0.0


class BatchNorm(nn.Module):
    """Batch normalization over rows; running averages (momentum 0.1) in eval mode.

    A row that stands once per value of an enumerated variable counts once: its values' mean enters. All rows have
    equally many values, so that is the plain mean over everything; only the running variance's correction for the
    sample size must count rows (and pixels), not values. A single row has no spread: the running averages serve.
    """

    momentum = 0.1
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, start: Initializer) -> None:
        super().__init__()
        self.weight = start.constant((channels,), 1.0)
        self.bias = start.constant((channels,), 0.0)
        self.register_buffer("running_mean", torch.zeros(channels, dtype=start.dtype))
        self.register_buffer("running_var", torch.ones(channels, dtype=start.dtype))

    def forward(self, flat: Tensor, repeats: int) -> Tensor:
        """flat: [values, C] or [values, C, H, W], where each row stands `repeats` times."""
        observations = flat.numel() // flat.shape[1]
        rows = observations // repeats
        if not self.training or rows < 2:
            return F.batch_norm(flat, self.running_mean, self.running_var, self.weight, self.bias)
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        normalized = F.batch_norm(flat, mean, variance, self.weight, self.bias, training=True, momentum=1.0)
        with torch.no_grad():
            biased = variance * ((observations - 1) / observations)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(biased * (rows / (rows - 1)), self.momentum)
        return normalized


class LayerNorm(nn.Module):
    """Normalization of each row by itself, over all its units (a map: channels and pixels); weights per channel."""

    def __init__(self, channels: int, start: Initializer) -> None:
        super().__init__()
        self.weight = start.constant((channels,), 1.0)
        self.bias = start.constant((channels,), 0.0)

    def forward(self, flat: Tensor, repeats: int) -> Tensor:
        """flat: [values, C] or [values, C, H, W]."""
        return F.group_norm(flat, 1, self.weight, self.bias)


class Between(nn.Module):
    """Normalization, activation, dropout, in this order, of units [*lead, C] or maps [*lead, C, H, W]."""

    def __init__(self, channels: int, start: Initializer, style: Style) -> None:
        super().__init__()
        kinds = {"batch": BatchNorm, "layer": LayerNorm}
        normalization = kinds.get(style.normalization)
        self.normalization = normalization(channels, start) if normalization else None
        self.activation = style.activation
        self.rate = style.dropout
        self.name = f"{start.path}/dropout"

    def forward(self, value: Tensor, layout: Layout) -> Tensor:
        """Of one layer's result."""
        return self.after_sum([value], layout)

    def after_sum(self, parts: Sequence[Tensor], layout: Layout) -> Tensor:
        """Of what the parts, which broadcast, add up to."""
        if self.normalization is not None:
            return self._normalized(add_up(parts), layout)
        return self._dropped(activate_sum(parts, self.activation), layout)

    def after_linear(self, value: Tensor, weight: Tensor, bias: Tensor, layout: Layout) -> Tensor:
        """Of a linear layer on units [*lead, inputs]."""
        if self.normalization is not None:
            return self._normalized(linear(value, weight, bias), layout)
        return self._dropped(activate_linear(value, weight, bias, self.activation), layout)

    def _normalized(self, value: Tensor, layout: Layout) -> Tensor:
        assert self.normalization is not None
        flat = value.reshape(-1, *value.shape[layout.dims :])
        normalized: Tensor = self.normalization(flat, prod(value.shape[: layout.dims - 1]))
        return self._dropped(ACTIVATIONS[self.activation](normalized.reshape(value.shape)), layout)

    def _dropped(self, value: Tensor, layout: Layout) -> Tensor:
        return drop(value, self.rate, layout, self.name) if self.rate and self.training else value


def drop(value: Tensor, rate: float, layout: Layout, name: str) -> Tensor:
    """Zeroes a share of the units and scales up the rest. The mask varies over samples and rows, never over the values
    of an enumerated variable: those compare like with like."""
    return value * ((layout.uniform(name, value) >= rate).to(value.dtype) / (1 - rate))


class Disturbance(nn.Module):
    """Parents as a network reads them in training: normal noise on top, then a share of their elements zeroed and the
    rest scaled up. Categories, counts and positive values, which enter by tables and logarithms, and presence flags
    are left as they are. As with dropout, the values of an enumerated variable share what is drawn."""

    def __init__(self, inputs: Mapping[str, ParentInput], start: Initializer, style: Style) -> None:
        super().__init__()
        self.noise, self.rate, self.path = style.input_noise, style.input_dropout, start.path
        self.parents = {name: p for name, p in inputs.items() if p.encoding == "identity" and PRESENCE not in name}

    def changes(self, name: str) -> bool:
        """Whether this parent's values are disturbed now."""
        return self.training and (self.noise > 0 or self.rate > 0) and name in self.parents

    def forward(self, name: str, value: Tensor, layout: Layout) -> Tensor:
        """The value of one parent [*lead, *shape], disturbed in training."""
        if not self.changes(name) or self.parents[name].relaxed(value, layout):
            return value
        if self.noise:
            value = value + self.noise * layout.normal(f"{self.path}/{name}/noise", value).to(value.dtype)
        return drop(value, self.rate, layout, f"{self.path}/{name}/dropout") if self.rate else value
