"""One picture file -> its pixels [C, H, W], upright, in the colours asked for, on one scale, made small at once.

Not here: which scale and colours a whole column has (`picture_scale`), and many pictures (`picture_column`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from graphspec.headers import PictureHeader, opened
from runtime.data.read.image_files import shrink
from runtime.data.read.table import Array

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

BYTE_WHITE = 255
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
          8: "ROTATE_90"}  # fmt: skip
"""What undoes each orientation of EXIF."""


@dataclass(frozen=True)
class PictureReading:
    """What a spec asks of the picture files of one column.

    size: [height, width] to be made at once. channels: of the variable, 1 or 3, which decides where grey and coloured
    files are mixed and `colour` is left out. white: the level of full white. bounded: levels above white are a mistake.
    skip: go on without files that cannot be read.
    """

    size: tuple[int, int] | None = None
    colour: Literal["grey", "rgb"] | None = None
    channels: int | None = None
    white: float | None = None
    bounded: bool = True
    skip: bool = False


@dataclass(frozen=True)
class DecodingPlan:
    """What holds for all pictures of a column. whites: level of full white by what a file's own header says.

    deep: some have more than 8 bits, so that all become floats in [0, 1]; else bytes.
    """

    channels: int
    size: tuple[int, int] | None
    whites: Mapping[int | None, float]
    deep: bool


@dataclass(frozen=True)
class Decoded:
    """pixels: [C, H, W], bytes or float32 (white is 1). low, high: levels before; transparent: in places."""

    pixels: Array
    low: float = 0.0
    high: float = 0.0
    transparent: bool = False


def decode(file: Path | IO[bytes], place: str, plan: DecodingPlan) -> Decoded:
    """Decode one picture; transparent places lie on white. Raises SourceError that begins with `place`."""
    with opened(file, place) as (picture, header):
        if _is_deep(header):
            levels = raw_levels(picture, header)
            low, high = range_of(levels)
            white = plan.whites[header.white]
            planes = [shrink(levels, plan.size) / np.float32(white)] * plan.channels
            return Decoded(np.stack(planes), low / white, high / white)
        plain, transparent = _on_white(_upright(picture, header))
        pixels = np.asarray(plain.convert("L" if plan.channels == 1 else "RGB")).reshape(*plain.size[::-1], -1)
    planes = [shrink(pixels[..., channel], plan.size) for channel in range(plan.channels)]
    stacked = np.stack(planes)
    if not plan.deep:
        return Decoded(stacked, transparent=transparent)
    white = plan.whites.get(BYTE_WHITE, BYTE_WHITE)
    high = float(pixels.max(initial=0)) / white
    return Decoded(stacked.astype(np.float32) / np.float32(white), 0.0, high, transparent)


def _is_deep(header: PictureHeader) -> bool:
    return header.white != BYTE_WHITE


def raw_levels(picture: "Picture", header: PictureHeader) -> Array:
    """Levels [H, W] of a picture deeper than 8 bits, as stored, in float32."""
    levels = np.asarray(_upright(picture, header)).astype(np.float32)
    return np.float32(header.white or 0) - levels if header.inverted else levels


def range_of(levels: Array) -> tuple[float, float]:
    """The lowest and the highest level that is a number; 0 and 0 where none is."""
    known = levels[np.isfinite(levels)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _upright(picture: "Picture", header: PictureHeader) -> "Picture":
    from PIL import Image

    picture.load()
    return picture if header.turn == 1 else picture.transpose(getattr(Image.Transpose, _TURNS[header.turn]))


def _on_white(picture: "Picture") -> tuple["Picture", bool]:
    """The picture without transparency, and whether it had any; what shines through is white."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture, False
    layered: Any = picture.convert("RGBA")
    if layered.getchannel("A").getextrema() == (255, 255):
        return layered, False
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), layered), True
