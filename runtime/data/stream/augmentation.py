"""Random changes of training images, on the batch's device: one warp per image by one `grid_sample` per batch, and
brightness, contrast, saturation and hue by a few operations per batch."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from graphspec.language import Augment
from runtime.data.randomness import Portion, draw_rows

_Uniform = Callable[[float], Tensor]
_SMOOTHNESS = 7
"""An elastic warp's bumps are about 1/7 of the image wide (4 pixels of 28, as Simard et al. 2003 use)."""
LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the grey of a pixel (ITU-R BT.601)."""
_TO_YIQ = (LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def augment_images(
    images: Tensor,
    changes: Augment,
    generator: torch.Generator,
    *,
    may_be_blank: bool = False,
    portion: Portion | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Each image shifted, turned, scaled, sheared, warped and mirrored at random, bilinear; edges are continued. Then
    its colours are changed (`recolour`).

    images: [B, C, H, W] floats. Every parameter is uniform within its bounds, except the elastic warp, whose
    displacement is a smooth normal field of standard deviation `elastic` pixels. A whole number of `shift` draws
    whole pixels, which keeps pixel values as they are. generator: on the images' device.
    may_be_blank: pixels may be NaN. A pixel of the result is blank where the nearest pixel it comes from is, and is
    else the mean of those around its place that are not.
    portion: which rows of a whole batch these are, where several processes share it out.
    Returns the images, and which are mirrored, [B]; None where none can be.
    """
    if not len(images):
        return images, None
    mirrored = None
    if changes.moves:
        images, mirrored = _moved(images, changes, generator, may_be_blank, portion)
    return recolour(images, changes, generator, portion) if changes.recolours else images, mirrored


def _moved(
    images: Tensor, changes: Augment, generator: torch.Generator, may_be_blank: bool, portion: Portion | None
) -> tuple[Tensor, Tensor | None]:
    sides = (images.shape[2], images.shape[3])
    theta, mirrored = _affine(sides, changes, generator, images, portion)
    knots = _knots(sides, changes.elastic, generator, images, portion) if changes.elastic else None
    grid = _grid(theta, knots, sides)
    if not may_be_blank:
        return _sampled(images, grid), mirrored
    # Two samplings, of the pixels there are and of where they are: their ratio never mixes a filler into a value. Where
    # the nearest pixel is there, it has a quarter of the weight at least.
    there = (~images.isnan()).to(images)
    near = _sampled(there, grid, "nearest") > 0
    return torch.where(near, _sampled(images.nan_to_num(0.0), grid) / _sampled(there, grid), torch.nan), mirrored


def _sampled(images: Tensor, grid: Tensor, mode: str = "bilinear") -> Tensor:
    return functional.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)


def _grid(theta: Tensor, knots: Tensor | None, sides: tuple[int, int]) -> Tensor:
    """[B, H, W, 2] input places, x then y, from the affine maps and the knots of a warp [2, B, down, across].

    Places are sums of products of a function of the row and one of the column (1 and y of the affine part, one bump per
    knot), so that one product with a small matrix makes them all.
    """
    y, x = (_places(side, theta) for side in sides)
    one, other, shift = theta.transpose(0, 1).unbind(-1)
    along = [
        torch.stack([one.unsqueeze(-1) * x + shift.unsqueeze(-1), other.unsqueeze(-1).expand(*other.shape, len(x))])
    ]
    down = [torch.stack([torch.ones_like(y), y], dim=1)]
    if knots is not None:
        along.append(knots.permute(2, 0, 1, 3) @ _smoothing(sides[1], theta).t())
        down.append(_smoothing(sides[0], theta))
    grid = torch.cat(down, dim=1) @ torch.cat(along).flatten(1)
    return grid.reshape(len(y), 2, len(theta), len(x)).permute(2, 0, 3, 1)


def _places(side: int, like: Tensor) -> Tensor:
    """[side] middles of the pixels of an image that spans -1 to 1."""
    return (2 * torch.arange(side).to(like) + 1) / side - 1


def _affine(
    sides: tuple[int, int], changes: Augment, generator: torch.Generator, like: Tensor, portion: Portion | None
) -> tuple[Tensor, Tensor | None]:
    """[B, 2, 3] maps from output to input places, in units in which the image spans -1 to 1; which of them mirror."""
    height, width = sides

    def uniform(bound: float) -> Tensor:
        options = {"generator": generator, "device": like.device, "dtype": like.dtype}
        drawn = draw_rows(torch.rand, (len(like),), 0, portion, **options)
        return (2 * drawn - 1) * bound

    angle = uniform(math.radians(changes.rotate))
    slant = torch.tan(uniform(math.radians(changes.shear)))
    size = 1 + uniform(changes.scale)
    mirror, mirrored = torch.ones_like(size), None
    if changes.flip:
        mirrored = uniform(1.0) < 0
        mirror = 1 - 2 * mirrored.to(like.dtype)
    across, down = (_shift(changes.shift, uniform) for _ in range(2))
    cosine, sine = torch.cos(angle) / size, torch.sin(angle) / size
    # Rotation after shear, in pixels; the ratio of sides keeps a turned picture undistorted where it is not square.
    rows = (
        (cosine * mirror, (cosine * slant - sine) * height / width, 2 * across / width),
        (sine * mirror * width / height, sine * slant + cosine, 2 * down / height),
    )
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1), mirrored


def _shift(bound: float, uniform: _Uniform) -> Tensor:
    """Pixels: whole ones, all equally likely, where the bound is whole."""
    if float(bound).is_integer() and bound:
        return torch.round(uniform(bound + 0.5)).clamp(-bound, bound)
    return uniform(bound)


def _knots(
    sides: tuple[int, int], strength: float, generator: torch.Generator, like: Tensor, portion: Portion | None
) -> Tensor:
    """[2, B, down, across] of a smooth field of standard deviation `strength` pixels at every pixel, x then y."""
    height, width = sides
    shape = (2, len(like), *(_smoothing(side, like).shape[1] for side in sides))
    options = {"generator": generator, "device": like.device, "dtype": like.dtype}
    knots = draw_rows(torch.randn, shape, 1, portion, **options)
    units = 2 * strength / torch.tensor([width, height], device=like.device, dtype=like.dtype)
    return knots * units[:, None, None, None]


def _smoothing(side: int, like: Tensor) -> Tensor:
    """[side, knots] Gaussian weights of evenly spaced knots; rows of length 1 keep the knots' unit variance."""
    length = max(side / _SMOOTHNESS, 1.0)
    knots = torch.arange(-2 * length, side + 2 * length, length, device=like.device, dtype=like.dtype)
    pixels = torch.arange(side, device=like.device, dtype=like.dtype) + 0.5
    weights = torch.exp(-((pixels[:, None] - knots) ** 2) / (2 * length**2))
    lengths: Tensor = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
    return weights / lengths


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
