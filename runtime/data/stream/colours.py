"""Random changes of an image's colours: brightness, contrast, saturation, hue; a few operations per batch."""

import math

import torch
from torch import Tensor

from graphspec.language import Augment
from runtime.data.randomness import Portion, draw_rows

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the grey of a pixel (ITU-R BT.601)."""
_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def recolour(images: Tensor, changes: Augment, generator: torch.Generator, portion: Portion | None = None) -> Tensor:
    """Each image with brightness, contrast, saturation and hue changed at random, in this order.

    images: [B, C, H, W], C = 3 for saturation and hue. With f uniform in [1 - bound, 1 + bound] and one of each an
    image: brightness f x; contrast f x + (1 - f) (mean grey of the image); saturation f x + (1 - f) (its grey);
    hue: chroma turned by at most `hue` of a full circle, luma unchanged (in YIQ, where that is linear; torchvision's
    ColorJitter turns HSV). Nothing is clamped here; blank pixels (NaN) stay blank. portion: as for `augment_images`.
    """

    def uniform(bound: float) -> Tensor:
        options = {"generator": generator, "device": images.device, "dtype": images.dtype}
        drawn = draw_rows(torch.rand, (len(images),), 0, portion, **options)
        return ((2 * drawn - 1) * bound)[:, None, None, None]

    if changes.brightness:
        images = images * (1 + uniform(changes.brightness))
    if changes.contrast:
        factor = 1 + uniform(changes.contrast)
        images = torch.lerp(_grey(images).nanmean(dim=(1, 2, 3), keepdim=True), images, factor)
    if changes.saturation:
        images = torch.lerp(_grey(images), images, 1 + uniform(changes.saturation))
    if changes.hue:
        images = _turned(images, uniform(changes.hue).flatten() * (2 * math.pi))
    return images


def _grey(images: Tensor) -> Tensor:
    """[B, 1, H, W]: luma of a colour image, the mean over channels of any other."""
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    shares = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * shares[:, None, None]).sum(dim=1, keepdim=True)


def _turned(images: Tensor, angle: Tensor) -> Tensor:
    """Chroma turned by `angle` [B] radians."""
    yiq = torch.tensor(_TO_YIQ, dtype=torch.float64)
    cosine, sine, one, zero = (f(angle.double()) for f in (torch.cos, torch.sin, torch.ones_like, torch.zeros_like))
    rows = ((one, zero, zero), (zero, cosine, -sine), (zero, sine, cosine))
    turn = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    matrix = torch.linalg.inv(yiq).to(turn) @ turn @ yiq.to(turn)
    return torch.einsum("bij,bjhw->bihw", matrix.to(images.dtype), images)
