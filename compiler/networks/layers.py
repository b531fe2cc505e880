"""What stands between two linear maps: normalization, activation, dropout."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.kernels import FUSED_ACTIVATIONS, library, sum_activate
from compiler.networks.initialization import Initializer
from compiler.networks.interface import ParentInput, add_up, ordered
from compiler.tensors.axes import SAMPLES, AxisTensor, align
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.noise import Noise
from graphspec.language.networks import Activation, Cnn, Deconv, Mlp, Normalization, Resnet

Layered = Mlp | Cnn | Deconv | Resnet

ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "leaky_relu": F.leaky_relu,
    "identity": lambda value: value,
}


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
    """Normalization, activation, dropout, in this order, of units [*axes, B, C] or maps [*axes, B, C, H, W]."""

    def __init__(
        self,
        channels: int,
        start: Initializer,
        *,
        activation: Activation,
        normalization: Normalization = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.name = f"{start.path}/dropout"
        self.activation_name, self.activation = activation, ACTIVATIONS[activation]
        self.rate = dropout
        kinds: dict[str, type[BatchNorm | LayerNorm]] = {"batch": BatchNorm, "layer": LayerNorm}
        self.normalization = kinds[normalization](channels, start) if normalization in kinds else None

    @property
    def adds_up(self) -> bool:
        """Parts cost `after_sum` no pass more than their sum; a bias gets its gradient in the same pass."""
        fused = self.normalization is None and self.activation_name in FUSED_ACTIVATIONS
        return fused and library().functions is not None

    def forward(self, value: AxisTensor, noise: Noise) -> AxisTensor:
        return self.after_sum([value], noise)

    def after_sum(self, parts: Sequence[AxisTensor], noise: Noise) -> AxisTensor:
        """Of parts that the layer before adds up, [*axes, B, C] each: added and activated in one pass."""
        value = self._fused(parts)
        if value is None:
            total = add_up(parts)
            value = AxisTensor(total.axes, self.activation(self._normalized(total)))
        return drop(value, self.rate if self.training else 0.0, noise, self.name)

    def _fused(self, parts: Sequence[AxisTensor]) -> AxisTensor | None:
        if self.normalization is not None or (len(parts) == 1 and not parts[0].data.is_contiguous()):
            return None
        axes, aligned = align(parts)
        event = parts[0].event_shape
        if len(event) > 1:
            aligned = [part.flatten(len(axes) + 1) for part in aligned]
        data = sum_activate(aligned, self.activation_name)
        if data is None or len(event) == 1:
            return None if data is None else AxisTensor(axes, data)
        return AxisTensor(axes, data.reshape(*data.shape[:-1], *event))

    def _normalized(self, value: AxisTensor) -> Tensor:
        data = value.data
        if self.normalization is None:
            return data
        lead = data.shape[: len(value.axes)]
        flat = data.reshape(-1, *value.event_shape)
        normalized: Tensor = self.normalization(flat, lead.numel())
        return normalized.reshape(data.shape)


def between(channels: int, start: Initializer, spec: Layered) -> Between:
    """What the architecture says stands after a layer of this width."""
    return Between(channels, start, activation=spec.activation, normalization=spec.normalization, dropout=spec.dropout)


def drop(value: AxisTensor, rate: float, noise: Noise, name: str) -> AxisTensor:
    """Zeroes a share of the units and scales up the rest. The mask varies over samples and rows, never over the values
    of an enumerated variable: those compare like with like."""
    if rate == 0.0:
        return value
    lead = (value.size(SAMPLES),) if SAMPLES in value.axes else ()
    uniform = noise.uniform(name, lead, value.event_shape, torch.float32).to(value.data.device)
    kept = AxisTensor((SAMPLES,) if lead else (), (uniform >= rate).to(value.data.dtype) / (1 - rate))
    return AxisTensor(value.axes, value.data * kept.on(value.axes))


class Inputs(nn.Module):
    """Parents as a network reads them in training: normal noise on top, then a share of their elements zeroed and the
    rest scaled up. Categories, counts and positive values, which enter by tables and logarithms, and presence flags
    are left as they are. As with dropout, the values of an enumerated variable share what is drawn."""

    def __init__(self, inputs: Mapping[str, ParentInput], start: Initializer, spec: Layered) -> None:
        super().__init__()
        self.parents = {parent.name: parent for parent in ordered(inputs) if _disturbed(parent)}
        self.names = {name: f"{start.path}/{name}" for name in self.parents}
        self.noise, self.rate = spec.input_noise, spec.input_dropout

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> Mapping[str, AxisTensor]:
        """The values by parent, those in `parents` disturbed."""
        if not self.training or not (self.noise or self.rate):
            return values
        changed = {n: self._disturb(values[n], n, noise) for n, p in self.parents.items() if not p.relaxed(values[n])}
        return {**values, **changed}

    def _disturb(self, value: AxisTensor, name: str, noise: Noise) -> AxisTensor:
        value = AxisTensor(value.axes, value.data)
        if self.noise:
            lead = (value.size(SAMPLES),) if SAMPLES in value.axes else ()
            drawn = noise.normal(f"{self.names[name]}/noise", lead, value.event_shape, torch.float32)
            added = AxisTensor((SAMPLES,) if lead else (), self.noise * drawn.to(value.data))
            value = AxisTensor(value.axes, value.data + added.on(value.axes))
        return drop(value, self.rate, noise, f"{self.names[name]}/dropout")


def _disturbed(parent: ParentInput) -> bool:
    return parent.encoding == "identity" and not parent.name.endswith(PRESENCE)


def as_rows(value: AxisTensor) -> Tensor:
    """Leading axes flattened into one batch: [values, *event]."""
    return value.data.reshape(-1, *value.event_shape)


def from_rows(flat: Tensor, like: AxisTensor) -> AxisTensor:
    """The inverse of `as_rows` for a result of another event shape."""
    lead = like.data.shape[: len(like.axes) + 1]
    return AxisTensor(like.axes, flat.reshape(*lead, *flat.shape[1:]))


def call(module: nn.Module, value: AxisTensor, noise: Noise) -> AxisTensor:
    """A layer's result, typed."""
    return cast(AxisTensor, module(value, noise))
