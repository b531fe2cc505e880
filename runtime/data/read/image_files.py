"""Image files and image sizes. Images are [C, H, W], one channel for grey and three for colour."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from graphspec.headers.columns import as_image, show_shape
from runtime.data.read.table import Array
from runtime.errors import DataError

GREY_MODES = ("1", "L", "LA", "I", "I;16", "F")
_CHUNK = 1024


def decode(file: Path) -> NDArray[np.uint8]:
    """One image file as bytes [C, H, W]. Raises DataError naming the file if it is truncated or no image."""
    return decode_stream(file, f"image file {file}")


def decode_stream(source: Path | IO[bytes], place: str) -> NDArray[np.uint8]:
    """An image as bytes [C, H, W]; `place` names it where it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source) as image:
            grey = image.mode in GREY_MODES
            wide = image.mode in ("I", "I;16", "F")
            pixels = np.asarray(image if wide else image.convert("L" if grey else "RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(
            f"{place} cannot be read ({error})", "remove it or copy it again; it may be truncated"
        ) from error
    if wide:
        pixels = _to_bytes(place, pixels)
    return pixels[None] if grey else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _to_bytes(place: str, pixels: Array) -> NDArray[np.uint8]:
    """Grey levels of 16 bits keep their upper 8; others must be bytes already."""
    if np.issubdtype(pixels.dtype, np.integer) and pixels.min() >= 0 and pixels.max() < 2**16:
        return (pixels >> 8 if pixels.max() > 255 else pixels).astype(np.uint8)
    raise DataError(f"{place} holds grey levels that are no bytes", "save it with 8 bits a channel")


def stack(files: Sequence[Path]) -> Array:
    """Image files as [N, C, H, W] bytes; an object array of [C, H, W] each where sizes or channels differ."""
    return stacked([decode(file) for file in files])


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
    for start in range(0, len(images), _CHUNK):
        chunk = torch.from_numpy(images[start : start + _CHUNK].astype(np.float32))
        small = functional.interpolate(chunk, size=(height, width), mode="bilinear", antialias=True)
        resized[start : start + _CHUNK] = (small.round() if images.dtype == np.uint8 else small).numpy()
    return resized


def require_one_size(column: str, images: Array) -> None:
    """Raise DataError if the images differ in size."""
    if images.dtype == object:
        sizes = sorted({f"{image.shape[2]} x {image.shape[1]}" for image in images})
        shown = ", ".join(sizes[:3]) + (", ..." if len(sizes) > 3 else "")
        raise DataError(
            f"images of column {column!r} differ in size or colour (width x height: {shown})",
            f"add a size: {{column: {column}, resize: [height, width]}}",
        )
