"""Sizes and colours of images in memory: [C, H, W], one channel for grey and three for colour."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from graphspec.headers.columns import as_image, show_shape
from graphspec.reading.suggestions import few
from runtime.data.read.table import Array
from runtime.errors import DataError

_CHUNK_BYTES = 2**26
"""Pixels, as floats, that are resized at once."""
_LUMA = np.array([19595, 38470, 7471], dtype=np.int64)
"""Weights of red, green and blue in grey (ITU-R 601, as Pillow rounds them), of 2 ** 16."""


def stacked(images: Sequence[Array]) -> Array:
    """Images [C, H, W] as [N, C, H, W]; an object array of them where sizes or channels differ."""
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    ragged = np.empty(len(images), dtype=object)
    ragged[:] = images
    return ragged


def channels_first(column: str, images: Array) -> Array:
    """[N, H, W], [N, H, W, C] or [N, C, H, W] as [N, C, H, W]. Raises DataError for what is no image."""
    stored = tuple(images.shape[1:])
    image = as_image(stored)
    if image is None:
        raise DataError(f"column {column!r} is no image: its cells have shape {show_shape(stored)}", "drop `resize`")
    if len(stored) == 2:
        return images[:, None]
    return images if image == stored else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def resize(column: str, images: Array, size: Sequence[int]) -> Array:
    """Images (ragged or not) as [N, C, height, width]: bilinear with antialiasing; bytes stay bytes."""
    if images.dtype != object:
        return _resize_all(channels_first(column, images), size)
    channels = {image.shape[0] for image in images}
    if len(channels) > 1:
        raise DataError(f"column {column!r} mixes grey and colour images", "convert them all to one kind")
    return np.concatenate([_resize_all(image[None], size) for image in images])


def _resize_all(images: Array, size: Sequence[int]) -> Array:
    height, width = size
    if images.shape[2:] == (height, width):
        return images
    resized = np.empty((*images.shape[:2], height, width), images.dtype if images.dtype == np.uint8 else np.float32)
    chunk = max(1, _CHUNK_BYTES // (4 * max(1, images[0].size)))
    for start in range(0, len(images), chunk):
        resized[start : start + chunk] = _interpolated(images[start : start + chunk], size)
    return resized


def shrink(plane: Array, size: Sequence[int] | None) -> Array:
    """One channel [H, W] at [height, width], as `resize` does it, and without a copy of the others in memory."""
    if size is None or plane.shape == tuple(size):
        return plane
    resized: Array = _interpolated(plane[None, None], size)[0, 0].astype(plane.dtype)
    return resized


def _interpolated(images: Array, size: Sequence[int]) -> Array:
    """[N, C, H, W] as floats [N, C, height, width]; whole numbers if bytes come."""
    pixels = torch.from_numpy(images.astype(np.float32))
    small = functional.interpolate(pixels, size=tuple(size), mode="bilinear", antialias=True)
    resized: Array = (small.round() if images.dtype == np.uint8 else small).numpy()
    return resized


def recolour(column: str, images: Array, colour: Literal["grey", "rgb"]) -> Array:
    """Images (ragged or not) with one channel or three: luma of red, green and blue, or the same grey three times.

    [N, H, W] and [N, H, W, C] come back as [N, C, H, W]. Raises DataError for what is no image of 1 or 3 channels.
    """
    if images.dtype == object:
        return stacked([recolour(column, image[None], colour)[0] for image in images])
    pixels = channels_first(column, images)
    channels, wanted = pixels.shape[1], 1 if colour == "grey" else 3
    if channels not in (1, 3):
        raise DataError(f"column {column!r} holds images of {channels} channels", "drop `colour`")
    if channels == wanted:
        return pixels
    if wanted == 3:
        return np.repeat(pixels, 3, axis=1)
    if pixels.dtype != np.uint8:
        weighted: Array = np.tensordot(pixels, _LUMA / 2**16, axes=(1, 0)).astype(pixels.dtype)
        return weighted[:, None]
    luma: Array = np.tensordot(pixels.astype(np.int64), _LUMA, axes=(1, 0))
    return ((luma + 2**15) >> 16).astype(np.uint8)[:, None]


def require_one_size(column: str, images: Array) -> None:
    """Raise DataError if the images differ in size."""
    if images.dtype == object:
        sizes = sorted({f"{image.shape[2]} x {image.shape[1]}" for image in images})
        shown = few(sizes, 3)
        raise DataError(
            f"images of column {column!r} differ in size or colour (width x height: {shown})",
            f"add a size: {{column: {column}, resize: [height, width]}}",
        )
