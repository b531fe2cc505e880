"""Pictures of one to three MNIST digits of many sizes, and what stands where: rendered from MNIST when they are read.

Every draw and every pixel is a whole number, so that anyone gets the same pictures. Image i of a split takes the raw
words of PCG64(SeedSequence([seed, split, regime, i])); a draw below n is ((word >> 32) * n) >> 32. In this order: how
many digits, then for each which one and its side (14 to 28 pixels), then for each its place. A digit is resampled by
exact area averages; where digits meet, their greys add up to 255 at most. `separate` draws a place anew where ink boxes
share more than a tenth of the smaller one (50 times a digit, then all places). Training pictures show rows 0 to 49999
of MNIST's training split, validation the others, test those of its test split.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from runtime.data.read.table import Array, Table, make_table

REGIMES = ("separate", "overlapping")
SIDE, DIGIT, MOST = 50, 28, 3
"""Pixels of a picture and of a digit; digits of a picture."""
SMALLEST = 14
TRIES = 50
ROWS = (20_000, 2_000, 2_000)
"""Training, validation, test pictures."""
TRAINED = 50_000
"""MNIST's training rows that training pictures show."""

Bytes = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, and one past right and bottom."""


def read(wanted: Sequence[str], regime: str, images: Bytes, labels: NDArray[np.int64], test_rows: int) -> Table:
    """The columns asked for, of all splits: image [N, 1, 50, 50] bytes, count, and of each digit from left to right its
    class (`digits` [N, 3], -1 where none is), its picture (`crops` [N, 3, 1, 28, 28] bytes) and where it stands
    (`places` [N, 3, 3]: side, then centre across and down in pixels, NaN where none is); `split` 0, 1 or 2.

    images [70000, 28, 28], labels: MNIST's, the last `test_rows` its test split.
    """
    bounds = (0, TRAINED, len(images) - test_rows, len(images))
    pictures = [
        picture
        for split, count in enumerate(ROWS)
        for picture in draw(images, range(bounds[split], bounds[split + 1]), split, regime, count)
    ]
    makers: dict[str, Callable[..., Array]] = {
        "image": _canvases,
        "count": _counts,
        "digits": _digits,
        "crops": _crops,
        "places": _places,
    }
    columns: dict[str, Array] = {}
    for name in wanted:
        columns[name] = np.repeat(np.arange(3), ROWS) if name == "split" else makers[name](pictures, images, labels)
    return make_table("multi_mnist", columns, training_rows=sum(ROWS[:2]))


class Picture:
    """Digits of one picture, in the order in which they are told: MNIST's row, side and top left corner of each."""

    def __init__(self, digits: Sequence[tuple[int, int, int, int]]) -> None:
        self.digits = digits


def draw(images: Bytes, rows: range, split: int, regime: str, count: int, seed: int = 0) -> Iterator[Picture]:
    """`count` pictures of MNIST's `rows`."""
    for number in range(count):
        words = _words(seed, split, REGIMES.index(regime), number)
        digits = [(rows[_below(words, len(rows))], SMALLEST + _below(words, DIGIT - SMALLEST + 1))
                  for _ in range(1 + _below(words, MOST))]  # fmt: skip
        ink = [_ink(_resampled(images[row], side)) for row, side in digits]
        corners = _corners(words, [side for _, side in digits], ink, regime == "separate")
        boxes = [_moved(box, corner) for box, corner in zip(ink, corners, strict=True)]
        order = sorted(range(len(digits)), key=lambda i: (boxes[i][0] + boxes[i][2], boxes[i][1] + boxes[i][3], i))
        yield Picture([(*digits[i], *corners[i]) for i in order])


def _words(*seeds: int) -> Iterator[int]:
    source = np.random.PCG64(np.random.SeedSequence(seeds))
    while True:
        yield int(source.random_raw())


def _below(words: Iterator[int], limit: int) -> int:
    return ((next(words) >> 32) * limit) >> 32


def _corners(words: Iterator[int], sides: Sequence[int], ink: Sequence[Box], apart: bool) -> list[tuple[int, int]]:
    """A top left corner for each digit."""
    while True:
        corners: list[tuple[int, int]] = []
        for side, box in zip(sides, ink, strict=True):
            for _ in range(TRIES if apart else 1):
                corner = (_below(words, SIDE + 1 - side), _below(words, SIDE + 1 - side))
                others = [_moved(other, place) for other, place in zip(ink, corners, strict=False)]
                if not apart or not any(_crowded(_moved(box, corner), other) for other in others):
                    corners.append(corner)
                    break
            else:
                break
        if len(corners) == len(sides):
            return corners


def _moved(box: Box, corner: tuple[int, int]) -> Box:
    return box[0] + corner[0], box[1] + corner[1], box[2] + corner[0], box[3] + corner[1]


def _crowded(a: Box, b: Box) -> bool:
    """More than a tenth of the smaller box is shared."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width > 0 and height > 0 and 10 * width * height > smaller


def _ink(digit: NDArray[np.int64]) -> Box:
    """The smallest box that holds everything that is not black."""
    across, down = np.flatnonzero(digit.any(axis=0)), np.flatnonzero(digit.any(axis=1))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


@cache
def _weights(side: int) -> NDArray[np.int64]:
    """Overlap of pixel j of the result with pixel i of the digit, in units of 1 / (28 side): [side, 28]."""
    begin, other = DIGIT * np.arange(side)[:, None], side * np.arange(DIGIT)[None]
    return np.asarray(np.clip(np.minimum(begin + DIGIT, other + side) - np.maximum(begin, other), 0, None))


def _resampled(digit: Bytes, side: int) -> NDArray[np.int64]:
    """Area averages, rounded: [side, side] from [28, 28]."""
    weights = _weights(side)
    whole = DIGIT * DIGIT
    return np.asarray((weights @ digit.astype(np.int64) @ weights.T + whole // 2) // whole)


def _canvases(pictures: Sequence[Picture], images: Bytes, labels: NDArray[np.int64]) -> Bytes:
    found = np.zeros((len(pictures), 1, SIDE, SIDE), np.uint8)
    for canvas, picture in zip(found, pictures, strict=True):
        total = np.zeros((SIDE, SIDE), np.int64)
        for row, side, x, y in picture.digits:
            total[y : y + side, x : x + side] += _resampled(images[row], side)
        canvas[0] = np.minimum(total, 255)
    return found


def _counts(pictures: Sequence[Picture], images: Bytes, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([len(picture.digits) for picture in pictures])


def _digits(pictures: Sequence[Picture], images: Bytes, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.full((len(pictures), MOST), -1)
    for told, picture in zip(found, pictures, strict=True):
        told[: len(picture.digits)] = [labels[row] for row, *_ in picture.digits]
    return found


def _crops(pictures: Sequence[Picture], images: Bytes, labels: NDArray[np.int64]) -> Bytes:
    found = np.zeros((len(pictures), MOST, 1, DIGIT, DIGIT), np.uint8)
    for told, picture in zip(found, pictures, strict=True):
        for place, (row, *_) in enumerate(picture.digits):
            told[place, 0] = images[row]
    return found


def _places(pictures: Sequence[Picture], images: Bytes, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    found = np.full((len(pictures), MOST, 3), np.nan)
    for told, picture in zip(found, pictures, strict=True):
        for place, (_, side, x, y) in enumerate(picture.digits):
            told[place] = side, x + side / 2, y + side / 2
    return found
