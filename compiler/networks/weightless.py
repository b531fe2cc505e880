"""Networks without weights: their result is the parameter itself (or a deterministic variable's value).

Parents enter as they are, in their own units; only a category or relaxed value comes as class weights. Events of
different ranks meet from the right, as in numpy.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.interface import VALUE, Network, Setup
from compiler.tensors.broadcasting import broadcast_shape
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import AffineRead, AffineWrite, Dot, Identity, Product, SumOf

Shape = tuple[int, ...]


class ElementaryNetwork(Network):
    """identity, product, sum, dot: one arithmetic operation over the parents, perhaps kept between two numbers. minus:
    parents that are subtracted."""

    def __init__(
        self, setup: Setup, operation: str, minimum: float | None = None, maximum: float | None = None,
        minus: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(setup)
        self.minus, self.dtype = minus, setup.start.dtype
        self.output = next(iter(self.shapes), VALUE)
        self.shape = self.shapes.get(self.output)
        self.operation, self.minimum, self.maximum = operation, minimum, maximum

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        if self.inputs[name].encoding == "table":
            value = value.to(self.dtype)  # a class counts by its index
        return -value if name in self.minus else value

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        values = [entered[name] for name in self.inputs]
        rank = max(value.dim() for value in values) - layout.dims
        result = self._dot(values, rank, layout) if self.operation == "dot" else self._elementwise(values, rank, layout)
        if (self.minimum, self.maximum) != (None, None):
            result = result.clamp(self.minimum, self.maximum)
        if self.shape is None or result.shape[layout.dims :] == self.shape:
            return {self.output: result}
        spread = padded(result, layout.dims, len(self.shape), layout)
        return {self.output: spread.expand(*spread.shape[: layout.dims], *self.shape)}

    def _elementwise(self, values: list[Tensor], rank: int, layout: Lead) -> Tensor:
        result, *others = (padded(value, layout.dims, rank, layout) for value in values)
        for other in others:
            result = result + other if self.operation == "sum" else result * other
        return result

    def _dot(self, values: list[Tensor], rank: int, layout: Lead) -> Tensor:
        """Sum along the first axis of both events; their other axes meet from the right."""
        first, second = (padded(value, layout.dims + 1, rank, layout) for value in values)
        return (first * second).sum(-rank, keepdim=True)


def padded(value: Tensor, place: int, rank: int, layout: Lead) -> Tensor:
    """[*lead, *event] with dimensions of size 1 from `place` on, so that its event has `rank` of them."""
    missing = layout.dims + rank - value.dim()
    return value.reshape(*value.shape[:place], *(1,) * missing, *value.shape[place:]) if missing else value


class AffineNetwork(Network):
    """affine_read and affine_write: bilinear sampling at a pose (log-scale, x, y), with zeros outside.

    Coordinates run from -1 to 1 over the image that is looked at (read) or painted on (write). Reading looks at the
    window of relative size exp(log-scale) centred at (x, y); writing is its inverse: it places the image there.
    Source: spatial transformers (Jaderberg et al. 2015) as used in attend, infer, repeat (Eslami et al. 2016).
    """

    def __init__(self, setup: Setup, image: str, pose: str, inverse: bool) -> None:
        super().__init__(setup)
        self.image, self.pose, self.inverse = image, pose, inverse
        self.output, self.shape = next(iter(self.shapes.items()))

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        image, pose = entered[self.image], entered[self.pose]
        lead = broadcast_shape(image.shape[:-3], pose.shape[:-1])
        flat = image.expand(*lead, *image.shape[-3:]).reshape(-1, *image.shape[-3:])
        transform = self._transform(pose.to(image.dtype).expand(*lead, 3).reshape(-1, 3))
        grid = F.affine_grid(transform, [flat.shape[0], *self.shape], align_corners=False)
        sampled = F.grid_sample(flat, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return {self.output: sampled.reshape(*lead, *self.shape)}

    def _transform(self, pose: Tensor) -> Tensor:
        """[N, 2, 3]: from coordinates of the result to coordinates of the image."""
        scale, shift = pose[:, :1].exp(), pose[:, 1:]
        if self.inverse:
            scale, shift = 1 / scale, -shift / scale
        turn = torch.eye(2, dtype=pose.dtype, device=pose.device) * scale[..., None]
        return torch.cat([turn, shift[..., None]], dim=-1)


def _elementary(spec: Identity | Product | SumOf | Dot, setup: Setup) -> Blueprint:
    limits = {side: getattr(spec, side, None) for side in ("minimum", "maximum")}
    given: dict[str, object] = {side: limit for side, limit in limits.items() if limit is not None}
    if minus := tuple(getattr(spec, "minus", ())):
        given["minus"] = minus
    return Blueprint(ElementaryNetwork, {"operation": spec.kind, **given})


def _affine(spec: AffineRead | AffineWrite, setup: Setup) -> Blueprint:
    inverse = spec.kind == "affine_write"
    return Blueprint(AffineNetwork, {"image": spec.image, "pose": spec.pose, "inverse": inverse})


for _kind in ("identity", "product", "sum", "dot"):
    network_kind(_kind)(_elementary)
for _kind in ("affine_read", "affine_write"):
    network_kind(_kind)(_affine)
