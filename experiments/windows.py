"""What a pose means to `affine_read` and `affine_write`, drawn by the networks themselves.

    python -m experiments.windows --out results/windows.png

Upper row: `affine_write` on an empty canvas, the pose above; dashed: the window. Lower row: `affine_read` of the last
canvas at two poses; a thin circle read whole into 10 x 10 pixels, and the same by bilinear points, as without widening.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor

from compiler.networks import ParentInput, Setup
from compiler.networks.affine import AffineNetwork
from compiler.networks.initialization import Initializer
from compiler.tensors.call_layout import Lead
from runtime.figures.saving import save_figure

CANVAS, SIDE, REACH = 50, (14.0, 28.0), 15.0
POSES = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -1, -1))


def sampled(image: Tensor, pose: tuple[float, ...], result: int, inverse: bool, **options: object) -> Tensor:
    """[result, result] of an image [height, width]."""
    shape = (1, *image.shape)
    inputs = {"image": ParentInput("image", "identity", shape), "pose": ParentInput("pose", "identity", (3,))}
    setup = Setup(inputs, {"value": (1, result, result)}, Initializer(0, "windows", torch.float64))
    values = {"image": image[None, None], "pose": torch.tensor([pose], dtype=image.dtype)}
    network = AffineNetwork(setup, "image", "pose", inverse, **options)  # type: ignore[arg-type]
    return network.forward(values, Lead(1))["value"][0, 0]


def painted(axes: Axes, picture: Tensor, pose: tuple[float, ...]) -> None:
    """A canvas with the picture at a pose, the window's edge and its middle's way."""
    axes.imshow(sampled(picture, pose, CANVAS, True, side=SIDE, reach=REACH), cmap="Greys", vmin=0, vmax=1,
                extent=(0, CANVAS, CANVAS, 0))  # fmt: skip
    side = SIDE[0] * (SIDE[1] / SIDE[0]) ** pose[0]
    across, down = (CANVAS / 2 + REACH * shift for shift in pose[1:])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * side / 2 + (across, down)
    axes.plot(*corners.T, "--", color="tab:red", linewidth=1)
    axes.annotate("", (across, down), (CANVAS / 2, CANVAS / 2), arrowprops={"arrowstyle": "->", "color": "tab:blue"})
    axes.plot([CANVAS / 2], [CANVAS / 2], "+", color="tab:blue")
    axes.set_title(f"({', '.join(f'{number:g}' for number in pose)})", fontsize=9)
    axes.set_xlabel(f"side {side:g}, middle ({across:g}, {down:g})", fontsize=7)
    axes.set(xticks=(0, 25, 50), yticks=(0, 25, 50), xlim=(-5, CANVAS), ylim=(CANVAS, -5))
    axes.set_facecolor("whitesmoke")
    axes.tick_params(labelsize=7)


def plain(axes: Axes, shown: Tensor, title: str) -> None:
    """A picture with a word on it."""
    axes.imshow(shown, cmap="Greys", vmin=0, vmax=float(shown.max()))
    axes.set_title(title, fontsize=9)
    axes.set(xticks=(), yticks=())


def circle() -> Tensor:
    """A circle a pixel wide, off the canvas's middle."""
    places = torch.arange(CANVAS, dtype=torch.float64) + 0.5
    radii = ((places[:, None] - 26.5) ** 2 + (places - 23.5) ** 2).sqrt()
    return (radii - 18).abs().lt(0.6).double()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/windows.png"))
    options = parser.parse_args()
    digit = torch.from_numpy(load_digits().images[2] / 16)
    picture = sampled(digit, (0, 0, 0), 28, False)
    figure = Figure(figsize=(10, 4.4), dpi=110, layout="constrained")
    above = figure.subplots(2, len(POSES))
    for axes, pose in zip(above[0], POSES, strict=True):
        painted(axes, picture, pose)
    canvas, ring = sampled(picture, POSES[-1], CANVAS, True, side=SIDE, reach=REACH), circle()
    plain(above[1][0], sampled(canvas, POSES[-1], 28, False, side=SIDE, reach=REACH), "read at (1, -1, -1)")
    plain(above[1][1], sampled(canvas, (0, -1, -1), 28, False, side=SIDE, reach=REACH), "read at (0, -1, -1)")
    plain(above[1][2], ring, "50 x 50")
    plain(above[1][3], sampled(ring, (0, 0, 0), 10, False), "10 x 10, by area")
    plain(above[1][4], F.interpolate(ring[None, None], (10, 10), mode="bilinear")[0, 0], "by points")
    save_figure(figure, options.out)


if __name__ == "__main__":
    main()
