"""affine_read and affine_write: torch's bilinear sampling where they enlarge, the mean of areas where they shrink."""

from math import ceil, floor, log

import pytest
import torch
import torch.nn.functional as F
from test_networks import DOUBLE, network, random, run
from torch import Tensor

from compiler.networks import VALUE, Network, ParentInput
from graphspec.loading import load

CANVAS, CROP = (2, 18, 25), (2, 8, 6)


def affine(kind: str, image: tuple[int, ...], shape: tuple[int, ...], **options: object) -> Network:
    spec = {"kind": kind, "image": "x", "pose": "a", **options}
    parents = ParentInput("x", "identity", image), ParentInput("a", "identity", (3,))
    return network(spec, *parents, outputs={VALUE: shape})


def read(picture: Tensor, pose: Tensor, **options: object) -> Tensor:
    return run(affine("affine_read", CANVAS, CROP, **options), len(picture), x=picture, a=pose)[VALUE].data


def write(picture: Tensor, pose: Tensor, **options: object) -> Tensor:
    return run(affine("affine_write", CROP, CANVAS, **options), len(picture), x=picture, a=pose)[VALUE].data


def windows(pose: Tensor) -> list[tuple[float, float, float, float]]:
    """(top, left, height, width) in pixels of the canvas, without side and reach."""
    _, height, width = CANVAS
    scale, x, y = pose[:, 0].exp(), pose[:, 1], pose[:, 2]
    middles = torch.stack([(1 + y) * height / 2, (1 + x) * width / 2], -1)
    sides = torch.stack([scale * height, scale * width], -1)
    return [(*corner.tolist(), *side.tolist()) for corner, side in zip(middles - sides / 2, sides, strict=True)]


def mean_of_area(picture: Tensor, top: float, left: float, height: float, width: float) -> Tensor:
    """Mean of a picture [C, H, W] of square pixels, zero outside, over a rectangle: one overlap after the other."""
    total = torch.zeros(len(picture), dtype=picture.dtype)
    for row in range(max(0, floor(top)), min(picture.shape[1], ceil(top + height))):
        for column in range(max(0, floor(left)), min(picture.shape[2], ceil(left + width))):
            down = min(top + height, row + 1) - max(top, row)
            across = min(left + width, column + 1) - max(left, column)
            total += picture[:, row, column] * down * across
    return total / (height * width)


def test_where_nothing_shrinks_it_is_the_sampling_of_torch() -> None:
    pose = random(5, 3) * torch.tensor([0.2, 0.7, 0.7], dtype=DOUBLE)
    inwards, outwards = pose - torch.tensor([2, 0, 0]), pose + torch.tensor([0.5, 0, 0])  # of 18 pixels less than 8
    inwards, outwards = inwards.requires_grad_(), outwards.requires_grad_()
    canvas, crop = random(5, *CANVAS), random(5, *CROP)
    for found, pose, picture in [(read(canvas, inwards), inwards, canvas), (write(crop, outwards), outwards, crop)]:
        scale, shift = pose[:, :1].exp(), pose[:, 1:]
        scale, shift = (scale, shift) if pose is inwards else (1 / scale, -shift / scale)
        theta = torch.cat([scale[..., None] * torch.eye(2), shift[..., None]], -1)
        grid = F.affine_grid(theta, list(found.shape), align_corners=False)
        expected = F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        weights = random(*found.shape, seed=1)
        slopes = [torch.autograd.grad((value * weights).sum(), pose)[0] for value in (found, expected)]
        torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-10)


def test_where_it_shrinks_a_pixel_is_the_mean_of_what_it_covers() -> None:
    pose = random(4, 3, seed=2) * torch.tensor([0.3, 0.6, 0.6], dtype=DOUBLE)
    wide, small = pose + torch.tensor([0.4, 0, 0]), pose - torch.tensor([2.2, 0, 0])
    canvas, crop = random(4, *CANVAS), random(4, *CROP)
    seen, painted = read(canvas, wide), write(crop, small)
    for row, (top, left, height, width) in enumerate(windows(wide)):  # also beyond the picture's edge
        down, across = height / CROP[1], width / CROP[2]
        assert down > 1 and across > 1
        for i, j in [(0, 0), (3, 2), (7, 5), (4, 0)]:
            expected = mean_of_area(canvas[row], top + i * down, left + j * across, down, across)
            torch.testing.assert_close(seen[row, :, i, j], expected, rtol=0, atol=1e-12)
    for row, (top, left, height, width) in enumerate(windows(small)):
        down, across = CROP[1] / height, CROP[2] / width  # of the crop, by a pixel of the canvas
        assert down > 1 and across > 1
        for i in range(max(0, floor(top)), min(CANVAS[1], ceil(top + height))):
            for j in range(max(0, floor(left)), min(CANVAS[2], ceil(left + width))):
                expected = mean_of_area(crop[row], (i - top) * down, (j - left) * across, down, across)
                torch.testing.assert_close(painted[row, :, i, j], expected, rtol=0, atol=1e-12)


def test_a_thin_line_is_never_stepped_over() -> None:
    """What bilinear interpolation does where it shrinks by more than two: the line is seen or not, as it falls."""
    lines = torch.zeros(12, *CANVAS, dtype=DOUBLE)
    for place in range(12):
        lines[place, :, :, 6 + place] = 1
    seen = read(lines, torch.zeros(12, 3, dtype=DOUBLE)).sum((1, 2, 3))
    torch.testing.assert_close(seen, torch.full((12,), CROP[0] * CROP[1] * CROP[2] / CANVAS[2], dtype=DOUBLE))


def test_gradients() -> None:
    canvas, crop = random(3, *CANVAS).requires_grad_(), random(3, *CROP).requires_grad_()
    for log_scale in (-2.5, -0.9, 0.3):  # enlarging, and shrinking on both axes
        pose = (random(3, 3, seed=4) * 0.2 + torch.tensor([log_scale, 0, 0])).requires_grad_()
        for function, picture in ((read, canvas), (write, crop)):
            assert torch.autograd.gradcheck(function, (picture, pose), fast_mode=True)
            weights = random(*function(picture, pose).shape, seed=5)
            assert torch.autograd.gradcheck(lambda p, f=function, x=picture, w=weights: (f(x, p) * w).sum(), pose)
        assert torch.autograd.gradcheck(lambda p: write(crop, p, side=[5, 9], reach=4.5).sum((1, 2)), pose)


def test_side_and_reach_say_what_zeros_and_ones_mean() -> None:
    full = torch.ones(2, 2, 8, 8, dtype=DOUBLE)
    net = affine("affine_write", (2, 8, 8), (2, 20, 24), side=[4, 8], reach=5)
    canvas = run(net, 2, x=full, a=torch.tensor([[0.0, 0, 0], [1, 1, -1]], dtype=DOUBLE))[VALUE].data
    expected = torch.zeros(2, 2, 20, 24, dtype=DOUBLE)
    expected[0, :, 8:12, 10:14] = 1  # zeros: four pixels, in the middle
    expected[1, :, 1:9, 13:21] = 1  # ones: eight pixels; x goes to the right, y = -1 is up
    torch.testing.assert_close(canvas, expected, rtol=0, atol=1e-12)
    tall = write(torch.ones(1, *CROP, dtype=DOUBLE), torch.zeros(1, 3, dtype=DOUBLE), side=[4, 4])
    expected = torch.zeros(CANVAS[1:], dtype=DOUBLE)
    expected[7:11, 11:14] = 1  # `side` is the longer one, and the crop of 8 x 6 keeps its proportions
    torch.testing.assert_close(tall[0, 0], expected, rtol=0, atol=1e-12)


def test_what_is_written_at_a_pose_is_read_back_at_it() -> None:
    crop, options = random(3, *CROP), {"side": [8, 8], "reach": 2}
    pose = torch.tensor([[0.7, 0.25, 0], [0, 0.75, 1], [-3, -2.25, -2.5]], dtype=DOUBLE)  # whole pixels from 12.5
    canvas = write(crop, pose, **options)
    for row, (left, top) in enumerate([(10, 5), (11, 7), (5, 0)]):
        torch.testing.assert_close(canvas[row, :, top : top + 8, left : left + 6], crop[row], rtol=0, atol=1e-12)
        torch.testing.assert_close(canvas[row].abs().sum(), crop[row].abs().sum())
    torch.testing.assert_close(read(canvas, pose, **options), crop, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "pose", [[-1e4, 0, 0], [1e4, 0.3, -0.2], [-30, 0.1, 0], [0, 1e6, 0], [0, 0, -40], [-1e4, 5, 5]]
)
def test_no_pose_makes_a_value_or_a_slope_that_is_no_number(pose: list[float]) -> None:
    """Vanishing parts, parts beyond the edge, parts larger than any canvas; also in single precision."""
    for dtype in (torch.float32, DOUBLE):
        at = torch.tensor([pose], dtype=dtype, requires_grad=True)
        canvas, crop = (torch.ones(1, *s, dtype=dtype, requires_grad=True) for s in (CANVAS, CROP))
        for value in (read(canvas, at), write(crop, at), write(crop, at, side=[3, 9], reach=2)):
            assert value.isfinite().all() and value.min() >= 0 and value.max() <= 1 + 1e-6
            slopes = torch.autograd.grad(value.sum(), [at], allow_unused=True)
            assert all(slope.isfinite().all() for slope in slopes if slope is not None)


def test_what_vanishes_leaves_no_ink_and_what_lies_outside_is_not_painted() -> None:
    crop = torch.ones(2, *CROP, dtype=DOUBLE)
    pose = torch.tensor([[-11, 0, 0], [log(0.2), 1.3, 0]], dtype=DOUBLE)
    vanished, outside = write(crop, pose)
    assert vanished.sum() < 1e-6 and outside.abs().max() == 0
    assert read(torch.ones(2, *CANVAS, dtype=DOUBLE), pose)[1].abs().max() == 0


CANVASES = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 20, 20]}
  coarse: {role: observed, domain: unit, shape: [1, 10, 10]}
  a: {role: latent, size: 3}
  b: {role: latent, size: 3}
  part: {role: deterministic, domain: unit, shape: [1, 8, 8]}
  placed: {role: deterministic, shape: [1, 20, 20]}
  dab: {role: deterministic, shape: [1, 10, 10]}
  glimpse: {role: deterministic, shape: [1, 8, 8]}
generative:
  a: {}
  b: {}
  part: {parents: [b]}
  placed: {parents: [part, a], network: {kind: affine_write, image: part, pose: a, side: [8, 10], reach: 6}}
  dab: {parents: [part, a], network: {kind: affine_write, image: part, pose: a, side: [4, 5], reach: 3}}
  x: {parents: [placed], distribution: normal, network: {kind: identity}, parameters: {scale: 1}}
  coarse: {parents: [dab], distribution: normal, network: {kind: identity}, parameters: {scale: 1}}
recognition:
  a: {parents: [x, coarse]}
  glimpse: {parents: [a, x], network: {kind: affine_read, image: x, pose: a, side: SIDE, reach: 6}}
  b: {parents: [glimpse, a, coarse, x]}
"""


@pytest.mark.parametrize(("side", "warned"), [("[8, 10]", False), ("[4, 10]", True)])
def test_a_pose_may_paint_on_several_canvases(side: str, warned: bool) -> None:
    """It is read as it paints on one of them."""
    found = load("-", text=CANVASES.replace("SIDE", side)).warnings
    assert [each.code for each in found] == ["GS126"] * warned, found
