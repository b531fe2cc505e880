"""What stands around linear maps: noise on the parents, normalization, activation, dropout."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.kernels import activate_linear, activate_sum, activated, add_up, linear
from compiler.networks.initialization import Initializer
from compiler.networks.interface import Network, ParentInput, Setup
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.call_layout import Layout, Lead


@dataclass(frozen=True)
class Style:
    """What a network puts around its linear maps.

    activation: a function of torch's. normalization: of so many channels, before each activation. dropout: of a value
    under a name, after each. disturbance: of a parent's value, below a path, before the first layer.
    """

    activation: str
    normalization: Callable[[int, Initializer], nn.Module] | None = None
    dropout: Callable[[Tensor, Lead, str], Tensor] | None = None
    disturbance: Callable[[ParentInput, Tensor, Lead, str], Tensor] | None = None


@dataclass(frozen=True)
class Dropout:
    """Zeroes a share of the units and scales up the rest. The mask varies over samples and rows, never over the values
    of an enumerated variable: those compare like with like."""

    rate: float

    def __call__(self, value: Tensor, layout: Lead, name: str) -> Tensor:
        """value [*lead, *event]."""
        assert isinstance(layout, Layout), f"{name} draws, and this call has no noise"
        return value * ((layout.uniform(name, value) >= self.rate).to(value.dtype) / (1 - self.rate))


@dataclass(frozen=True)
class Disturbance:
    """Normal noise on top of a parent, then a share of its elements zeroed and the rest scaled up. Categories, counts
    and positive values, which enter by tables and logarithms, and presence flags are left as they are. As with dropout,
    the values of an enumerated variable share what is drawn."""

    noise: float = 0.0
    rate: float = 0.0

    def __call__(self, parent: ParentInput, value: Tensor, layout: Lead, path: str) -> Tensor:
        """value [*lead, *shape]."""
        assert isinstance(layout, Layout), f"{path} draws, and this call has no noise"
        if parent.encoding != "identity" or PRESENCE in parent.name or parent.relaxed(value, layout):
            return value
        if self.noise:
            value = value + self.noise * layout.normal(f"{path}/{parent.name}/noise", value).to(value.dtype)
        return Dropout(self.rate)(value, layout, f"{path}/{parent.name}/dropout") if self.rate else value


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
            # copies: the next group of rows changes the averages in place, before this one's backward pass reads them
            averages = (self.running_mean.clone(), self.running_var.clone())
            return F.batch_norm(flat, *averages, self.weight, self.bias)
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
        self.normalization = style.normalization(channels, start) if style.normalization else None
        self.activation, self.dropout = style.activation, style.dropout
        self.name = f"{start.path}/dropout"

    def forward(self, value: Tensor, layout: Lead) -> Tensor:
        """Of one layer's result."""
        return self.after_sum([value], layout)

    def after_sum(self, parts: Sequence[Tensor], layout: Lead) -> Tensor:
        """Of what the parts, which broadcast, add up to."""
        if self.normalization is not None:
            return self._normalized(add_up(parts), layout)
        return self._dropped(activate_sum(parts, self.activation), layout)

    def after_linear(self, value: Tensor, weight: Tensor, bias: Tensor, layout: Lead) -> Tensor:
        """Of a linear layer on units [*lead, inputs]."""
        if self.normalization is not None:
            return self._normalized(linear(value, weight, bias), layout)
        return self._dropped(activate_linear(value, weight, bias, self.activation), layout)

    def _normalized(self, value: Tensor, layout: Lead) -> Tensor:
        assert self.normalization is not None
        flat = value.reshape(-1, *value.shape[layout.dims :])
        normalized: Tensor = self.normalization(flat, prod(value.shape[: layout.dims - 1]))
        return self._dropped(activated(normalized.reshape(value.shape), self.activation), layout)

    def _dropped(self, value: Tensor, layout: Lead) -> Tensor:
        return value if self.dropout is None or not self.training else self.dropout(value, layout, self.name)


class LayeredNetwork(Network):
    """A network of layers, which may read its parents disturbed in training.

    path: what draws on the parents are called by.
    """

    def __init__(self, setup: Setup, path: str, style: Style) -> None:
        super().__init__(setup)
        self.path, self.disturbance = path, style.disturbance

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        return self.read(name, self._disturbed(name, value, layout), layout)

    def _disturbed(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        if self.disturbance is None or not self.training:
            return value
        return self.disturbance(self.inputs[name], value, layout, self.path)

    @abstractmethod
    def read(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """One parent's share of the first layer."""

    def shareable(self, name: str) -> bool:
        return self.disturbance is None or not self.training


def draws(module: nn.Module) -> bool:
    """Whether some part of it draws noise in training."""
    parts = list(module.modules())
    return any((isinstance(part, Between) and part.dropout is not None) or disturbed(part) for part in parts)


def disturbed(module: nn.Module) -> bool:
    """Whether it is a network that reads its parents through noise in training."""
    return isinstance(module, LayeredNetwork) and module.disturbance is not None
