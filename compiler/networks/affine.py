"""affine_read and affine_write: pictures sampled at a pose, without aliasing and without weights."""

from collections.abc import Mapping
from math import log

import torch
from torch import Tensor

from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.interface import Network, Setup
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import AffineRead, AffineWrite

LARGEST_LOG_SCALE = 12.0
"""A window grows and shrinks by a factor of at most e^12, so that no pose gives infinities."""


class AffineNetwork(Network):
    """affine_read and affine_write: a window of a larger picture at a pose (log-scale, x, y), with zeros outside.

    Reading samples the larger picture where the window's pixels lie, writing samples the smaller one where the canvas's
    pixels lie. The window is centred at the picture's middle plus (x, y) times `reach`, in pixels (by default half of
    the picture's sides); its longer side is s0 (s1 / s0)^log-scale pixels for `side` (s0, s1), by default it is
    exp(log-scale) times as high and as wide as the picture. Source: spatial transformers (Jaderberg et al. 2015) as
    used in attend, infer, repeat (Eslami et al. 2016).
    """

    def __init__(
        self, setup: Setup, image: str, pose: str, inverse: bool, side: tuple[float, float] | None = None,
        reach: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(setup)
        self.image, self.pose, self.inverse = image, pose, inverse
        self.side, self.reach = side, reach
        self.output, self.shape = next(iter(self.shapes.items()))

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        image, pose = entered[self.image], entered[self.pose]
        pose = pose.to(torch.promote_types(pose.dtype, torch.float32))
        down, across = (self._weights(pose, image.shape, axis).to(image.dtype) for axis in (0, 1))
        return {self.output: down.unsqueeze(-3) @ image @ across.unsqueeze(-3).mT}

    def _weights(self, pose: Tensor, image: tuple[int, ...], axis: int) -> Tensor:
        """[*lead, pixels of the result, pixels of the image] along an axis (0 down, 1 across)."""
        larger, smaller = (self.shape, image) if self.inverse else (image, self.shape)
        sides, whole = smaller[-2:], larger[-2:][axis]
        window = self._window(pose[..., :1], whole, sides[axis] / max(sides))
        middle = whole / 2 + pose[..., 2 - axis, None] * (self.reach or whole / 2)
        pixels = torch.arange(self.shape[-2:][axis], dtype=pose.dtype, device=pose.device) + 0.5
        if self.inverse:
            step = sides[axis] / window
            return sampling_weights(sides[axis] / 2 + (pixels - middle) * step, step, image[-2:][axis])
        step = window / sides[axis]
        return sampling_weights(middle + (pixels - sides[axis] / 2) * step, step, image[-2:][axis])

    def _window(self, log_scale: Tensor, whole: int, proportion: float) -> Tensor:
        """[*lead, 1]: pixels of the larger picture along one side of the window. whole: the picture's own side.
        proportion: this side of the smaller picture to its longer one."""
        if self.side is None:
            return whole * log_scale.clamp(-LARGEST_LOG_SCALE, LARGEST_LOG_SCALE).exp()
        at_zero, at_one = self.side
        return (
            at_zero
            * proportion
            * (log_scale * log(at_one / at_zero)).clamp(-LARGEST_LOG_SCALE, LARGEST_LOG_SCALE).exp()
        )


def sampling_weights(places: Tensor, step: Tensor, pixels: int) -> Tensor:
    """[*lead, n, pixels]: how much of each pixel of a picture a sample is.

    places: [*lead, n], positions along the picture in pixels, which fill [0, 1], [1, 2], ... step: [*lead, 1], distance
    of the samples. Where they are further apart than pixels, a sample is the mean over what it covers, each pixel a
    constant square; else it is bilinear interpolation, as torch's grid_sample does it (align_corners=False). Both are
    one formula: a box as wide as the step, at least a pixel, over a box of one pixel.
    """
    width = step.clamp(min=1).unsqueeze(-1)
    centres = torch.arange(pixels, dtype=places.dtype, device=places.device) + 0.5
    return ((width + 1) / 2 - (places.unsqueeze(-1) - centres).abs()).clamp(0, 1) * (1 / width)


def _affine(spec: AffineRead | AffineWrite, setup: Setup) -> Blueprint:
    options: dict[str, object] = {"image": spec.image, "pose": spec.pose, "inverse": spec.kind == "affine_write"}
    options |= {name: value for name in ("side", "reach") if (value := getattr(spec, name)) is not None}
    return Blueprint(AffineNetwork, options)


for _kind in ("affine_read", "affine_write"):
    network_kind(_kind)(_affine)
