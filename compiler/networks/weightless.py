"""Networks without weights: their result is the parameter itself (or a deterministic variable's value).

Parents enter as they are, in their own units; only a category or relaxed value comes as class weights. Events of
different ranks meet from the right, as in numpy.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.networks.interface import Network, ParentInput, ordered
from compiler.tensors.axes import AxisTensor, union
from compiler.tensors.broadcasting import broadcast_shape
from compiler.tensors.noise import Noise
from graphspec.language.networks import AffineRead, AffineWrite, Dot, Identity, Product, SumOf

Elementary = Identity | Product | SumOf | Dot


class ElementaryNetwork(Network):
    """identity, product, sum, dot: one arithmetic operation over the parents."""

    def __init__(
        self, spec: Elementary, inputs: Mapping[str, ParentInput], output: str, shape: tuple[int, ...] | None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.inputs = ordered(inputs)
        self.output = output
        self.shape = shape

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        given = [values[parent.name] for parent in self.inputs]
        result = _dot(*given) if isinstance(self.spec, Dot) else self._elementwise(given)
        if isinstance(self.spec, (SumOf, Dot)) and (self.spec.minimum, self.spec.maximum) != (None, None):
            result = result.clamp(self.spec.minimum, self.spec.maximum)
        return {self.output: spread(AxisTensor(union(given), result), self.shape)}

    def _elementwise(self, given: list[AxisTensor]) -> Tensor:
        result, *parts = events_aligned(given)
        for part in parts:
            result = result + part if isinstance(self.spec, SumOf) else result * part
        return result


def events_aligned(values: list[AxisTensor]) -> list[Tensor]:
    """All on the union of axes, with size-1 dimensions in front of shorter events."""
    axes = union(values)
    rank = max(len(value.event_shape) for value in values)
    return [_padded(value, rank).on(axes) for value in values]


def _padded(value: AxisTensor, rank: int) -> AxisTensor:
    lead = value.data.shape[: len(value.axes) + 1]
    return AxisTensor(
        value.axes, value.data.reshape(*lead, *(1,) * (rank - len(value.event_shape)), *value.event_shape)
    )


def _dot(first: AxisTensor, second: AxisTensor) -> Tensor:
    """Sum along the first axis of both events; their other axes meet from the right."""
    axes = union([first, second])
    rank = max(len(first.event_shape), len(second.event_shape))
    return (_first_kept(first, rank).on(axes) * _first_kept(second, rank).on(axes)).sum(-rank, keepdim=True)


def _first_kept(value: AxisTensor, rank: int) -> AxisTensor:
    lead, event = value.data.shape[: len(value.axes) + 1], value.event_shape
    return AxisTensor(value.axes, value.data.reshape(*lead, event[0], *(1,) * (rank - len(event)), *event[1:]))


def spread(value: AxisTensor, shape: tuple[int, ...] | None) -> AxisTensor:
    """The event spread over `shape` (None: as it is)."""
    if shape is None or value.event_shape == shape:
        return value
    lead = value.data.shape[: len(value.axes) + 1]
    return AxisTensor(value.axes, _padded(value, len(shape)).data.expand(*lead, *shape))


class AffineNetwork(Network):
    """affine_read and affine_write: bilinear sampling at a pose (log-scale, x, y), with zeros outside.

    Coordinates run from -1 to 1 over the image that is looked at (read) or painted on (write). Reading looks at the
    window of relative size exp(log-scale) centred at (x, y); writing is its inverse: it places the image there.
    Source: spatial transformers (Jaderberg et al. 2015) as used in attend, infer, repeat (Eslami et al. 2016).
    """

    def __init__(self, spec: AffineRead | AffineWrite, output: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.image, self.pose = spec.image, spec.pose
        self.inverse = isinstance(spec, AffineWrite)
        self.output = output
        self.shape = shape

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        image, pose = values[self.image], values[self.pose]
        axes = union([image, pose])
        pictures, poses = image.on(axes), pose.on(axes).to(image.data.dtype)
        lead = broadcast_shape(pictures.shape[: len(axes) + 1], poses.shape[: len(axes) + 1])
        flat = pictures.expand(*lead, *image.event_shape).reshape(-1, *image.event_shape)
        transform = self._transform(poses.expand(*lead, 3).reshape(-1, 3))
        grid = F.affine_grid(transform, [flat.shape[0], *self.shape], align_corners=False)
        sampled = F.grid_sample(flat, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return {self.output: AxisTensor(axes, sampled.reshape(*lead, *self.shape))}

    def _transform(self, pose: Tensor) -> Tensor:
        """[N, 2, 3]: from coordinates of the result to coordinates of the image."""
        scale, shift = pose[:, :1].exp(), pose[:, 1:]
        if self.inverse:
            scale, shift = 1 / scale, -shift / scale
        turn = torch.eye(2, dtype=pose.dtype, device=pose.device) * scale[..., None]
        return torch.cat([turn, shift[..., None]], dim=-1)
