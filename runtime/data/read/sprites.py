"""White shapes on black whose every property is known: what disentanglement is measured on. Rendered, never fetched.

A sprite is one cell of a grid of factors: shape x scale x rotation x x x y. Every image is one of the grid's, and the
rows of the data set are cells drawn without repetition from a fixed seed, so a test image shows a combination that no
training image has. After the idea of dSprites (Matthey et al. 2017), with a grid, sizes and curves of our own.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from graphspec.headers.sources import KNOWN_SETS, SPRITE_FACTORS
from runtime.data.randomness import shuffled
from runtime.data.read.table import Array, Table, make_table

SIDE = 32
STAMP = 17
"""Pixels of the square that holds any sprite at any rotation; its centre is the sprite's."""
SUBPIXELS = 6
"""Points along each side of a pixel at which the shape is looked up: the pixel's grey is the share inside."""
SMALLEST = 0.5
"""Scale 0 relative to the largest."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def read(wanted: Sequence[str]) -> Table:
    """The columns asked for: image [N, 1, 32, 32] bytes, and the class index of each factor [N]."""
    rows = KNOWN_SETS["sprites"].rows
    cells = draw_cells(sum(rows.values()), seed=0)
    columns: dict[str, Array] = {}
    for name in wanted:
        columns[name] = render(cells) if name == "image" else cells[:, list(SPRITE_FACTORS).index(name)]
    return make_table("sprites", columns, training_rows=rows["train"])


def draw_cells(count: int, seed: int) -> Integers:
    """`count` different cells of the grid, uniformly: [count, 5] class indices in the order of `SPRITE_FACTORS`.

    count: at most the size of the grid. The same on every machine and numpy version.
    """
    sizes = tuple(SPRITE_FACTORS.values())
    chosen = shuffled(int(np.prod(sizes)), seed, "sprites")[:count]
    return np.stack(np.unravel_index(chosen, sizes), axis=1).astype(np.int64)


def render(cells: Integers) -> NDArray[np.uint8]:
    """Images [N, 1, 32, 32] of cells [N, 5]; a pixel is 255 times the share of it that the shape covers.

    The centre moves by whole pixels, so a sprite is its stamp put down at (x, y): x counts from the left, y from the
    top, and the stamp never leaves the image.
    """
    stamps = _stamps()[cells[:, 0], cells[:, 1], cells[:, 2]]
    images = np.zeros((len(cells), 1, SIDE, SIDE), np.uint8)
    across = SPRITE_FACTORS["x"]
    places = cells[:, 4] * across + cells[:, 3]
    for place in np.unique(places):
        here, (y, x) = places == place, divmod(int(place), across)
        images[here, 0, y : y + STAMP, x : x + STAMP] = stamps[here]
    return images


@cache
def _stamps() -> NDArray[np.uint8]:
    """Every shape at every scale and rotation: [3, scales, rotations, STAMP, STAMP]."""
    scales, rotations = SPRITE_FACTORS["scale"], SPRITE_FACTORS["rotation"]
    points = (np.arange(STAMP * SUBPIXELS) + 0.5) / SUBPIXELS - STAMP / 2
    x, y = np.meshgrid(points, -points)  # y up, as the curves are written
    stamps = np.empty((len(INSIDE), scales, rotations, STAMP, STAMP), np.uint8)
    for scale, size in enumerate(np.linspace(SMALLEST, 1, scales)):
        for rotation in range(rotations):
            angle = 2 * np.pi * rotation / rotations
            # The point is turned back, so that the shape turns counterclockwise.
            u = (np.cos(angle) * x + np.sin(angle) * y) / size
            v = (np.cos(angle) * y - np.sin(angle) * x) / size
            for shape, inside in enumerate(INSIDE):
                stamps[shape, scale, rotation] = _grey(inside(u, v))
    return stamps


def _grey(covered: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Mean over the points of each pixel, as a byte."""
    blocks = covered.reshape(STAMP, SUBPIXELS, STAMP, SUBPIXELS)
    return np.asarray(np.round(255 * blocks.mean(axis=(1, 3))), dtype=np.uint8)


def _square(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Side 10 at the largest scale, in pixels as all below."""
    return np.asarray(np.maximum(np.abs(x), np.abs(y)) <= 5)


def _ellipse(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """15 across, 8 high."""
    return np.asarray((x / 7.5) ** 2 + (y / 4) ** 2 <= 1)


def _heart(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """(x^2 + y^2 - 1)^3 <= x^2 y^3, 11.4 high, its middle on the centre."""
    x, y = x / 5.2, y / 5.2 + 0.1
    return np.asarray((x * x + y * y - 1) ** 3 <= x * x * y**3)


INSIDE = (_square, _ellipse, _heart)
"""Whether points are in the unrotated shape of the largest scale, in the order of the column `shape`."""
