"""Each pixel of a picture beside its surroundings: what a picture shows whatever the light."""

import numpy as np

from graphspec.language import LocalContrast
from runtime.data.read.image_files import channels_first
from runtime.data.read.table import Array
from runtime.errors import DataError

DARKEST = 1 / 255
"""Added to brightness before its logarithm."""
FLATTEST = 0.1
"""Of a picture's mean deviation, the least that anything is divided by."""
_CHUNK_BYTES = 2**26


def local_contrast(column: str, images: Array, wanted: LocalContrast) -> Array:
    """[N, C, H, W] float32. images: [N, C, H, W], [N, H, W, C] or [N, H, W], brightness from 0 to 1; NaN is blank.

    With u the brightness or its logarithm, G a Gaussian of `sigma` pixels (pictures are reflected at their edges) and
    means over channels: v = u - G u, s = sqrt(G v^2), and v / max(s, a tenth of the mean of s over the picture), so
    that flat parts of a picture stay flat (after Jarrett et al. 2009, section 2.1, who take the whole mean: on faces
    under lights from all sides that leaves the shadows dark). G averages no blank pixels, and they stay blank.
    Raises DataError for what is no picture, and with `log` for brightness below zero.
    """
    pixels = channels_first(column, images)
    found = np.empty(pixels.shape, dtype=np.float32)
    chunk = max(1, _CHUNK_BYTES // (8 * max(1, pixels[0].size if len(pixels) else 1)))
    for start in range(0, len(pixels), chunk):
        found[start : start + chunk] = _contrasts(column, pixels[start : start + chunk].astype(np.float64), wanted)
    return found


def _contrasts(column: str, pixels: Array, wanted: LocalContrast) -> Array:
    there = ~np.isnan(pixels)
    if wanted.log:
        if np.any(pixels[there] < 0):
            hint = "leave `log` out, or store brightness from 0 on"
            raise DataError(f"column {column!r} holds pixels below zero, which have no logarithm", hint)
        pixels = np.log(pixels + DARKEST)
    known = _blurred(there.astype(np.float64), wanted.sigma).mean(axis=1, keepdims=True)
    known = np.where(known > 0, known, np.nan)

    def around(values: Array) -> Array:
        blurred: Array = _blurred(np.where(there, values, 0.0), wanted.sigma).mean(axis=1, keepdims=True) / known
        return blurred

    beside = pixels - around(pixels)
    deviation = np.sqrt(around(beside**2))
    seen = there.any(axis=1, keepdims=True)
    typical = np.where(seen, deviation, 0.0).sum(axis=(2, 3), keepdims=True)
    typical /= np.maximum(seen.sum(axis=(2, 3), keepdims=True), 1)
    contrasts: Array = beside / np.maximum(np.maximum(deviation, FLATTEST * typical), 1e-12)
    return contrasts


def _blurred(values: Array, sigma: float) -> Array:
    from scipy.ndimage import gaussian_filter  # takes as long to load as all else that reads data

    blurred: Array = gaussian_filter(values, sigma, mode="reflect", axes=(2, 3))
    return blurred
