"""Picture files: which endings are read, and what a header tells. `check` and the reader both go by it.

From: a file, or its bytes. To: `PictureHeader`, or `SourceError` with the file's name, whatever Pillow makes of a
damaged one. Not here: which file is which row (`folders`), and pixels (the runtime decodes them).
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from graphspec.headers.table import SourceError
from graphspec.reading.suggestions import in_lines

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ENDINGS = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".tif", ".tiff",
    ".bmp", ".dib", ".gif", ".webp", ".avif", ".avifs", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".tga", ".icb",
    ".vda", ".vst", ".pcx", ".dcx", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".im", ".msp", ".pxr", ".xbm", ".xpm",
    ".qoi", ".dds", ".ftc", ".ftu", ".blp", ".gbr", ".ico", ".icns", ".cur", ".psd", ".fli", ".flc", ".pcd", ".iim",
)  # fmt: skip
"""Pictures of pixels that Pillow reads by itself, in lower case."""
REFUSED_FORMATS = ("EPS", "WMF", "FITS", "BUFR", "GRIB", "HDF5", "MPEG")
"""What Pillow knows and we do not read: it would start another program (EPS), has no decoder of its own, or (FITS)
leaves out the header's scale and offset of the levels."""
_PIXELS = 178_956_970
"""Pillow's limit: larger pictures (500 MB in colour) are taken for a bomb, a small file that claims to be huge."""
_LISTED = 50
_ORIENTATION, _BITS_PER_SAMPLE, _PHOTOMETRIC = 0x0112, 258, 262
_SIXTEEN_BIT_FORMATS = ("PNG", "PPM")
"""Formats whose levels of more than 8 bits Pillow gives on a scale of 65535, also in its 32-bit mode `I`."""


@dataclass(frozen=True)
class PictureHeader:
    """What the header of one picture tells.

    channels: 1 (grey) or 3; height, width: upright, as EXIF says it was held. turn: EXIF's orientation still to be
    undone, 1 to 8. white: the level of full white by the file's own depth, 255 for all that is read as bytes; None
    where the file does not say (floats, 32-bit numbers). inverted: white is level 0. frames: there are more than one.
    coarse: colours of 16 bits, of which Pillow keeps 8.
    """

    channels: int
    height: int
    width: int
    turn: int = 1
    white: int | None = 255
    inverted: bool = False
    frames: bool = False
    coarse: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """[C, H, W]."""
        return (self.channels, self.height, self.width)


def read_header(file: Path | IO[bytes], name: str) -> PictureHeader:
    """The header of one picture; pixels are not decoded. Raises SourceError with `name`."""
    with opened(file, name) as (_, header):
        return header


@contextmanager
def opened(file: Path | IO[bytes], name: str) -> Iterator[tuple["Picture", PictureHeader]]:
    """One picture and its header. Whatever goes wrong until the block ends is a SourceError with `name`."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about odd but readable files; bombs are refused below
            with Image.open(file) as picture:
                if picture.format in REFUSED_FORMATS:
                    raise SourceError(f"{name} is a file of {picture.format}, which is not read", "save it as .png")
                if picture.width * picture.height > _PIXELS:
                    raise Image.DecompressionBombError
                yield picture, _header_of(picture)
    except SourceError:
        raise
    except Image.DecompressionBombError as error:
        message = f"{name} claims to be {_claimed(file)} pixels large, more than {_PIXELS / 1e6:.0f} million"
        raise SourceError(message, "cut it into pieces, or remove it") from error
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        raise SourceError(
            f"{name} is not a readable picture ({_reason(error)})", "remove it, or copy it again"
        ) from error


def unreadable(what: str, broken: Sequence[SourceError], total: int) -> SourceError:
    """One error for every picture of `total` that cannot be read, one a line. what: `folder cats`."""
    listed = in_lines([error.message for error in broken], _LISTED)
    message = f"{len(broken)} of {total} pictures of {what} cannot be read:{listed}"
    return SourceError(message, "copy them again or remove them; `on_error: skip` in data goes on without them")


def _claimed(file: Path | IO[bytes]) -> str:
    """`60000 x 60000`, as far as Pillow says it."""
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(file) as picture:
            return f"{picture.width} x {picture.height}"
    except Exception:
        return "too many"
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _reason(error: Exception) -> str:
    """Pillow's own words, without the path, which the message has already."""
    text = str(error).splitlines()[0] if str(error) else ""
    if text.startswith("cannot identify"):
        return "no picture that Pillow knows"
    return text or type(error).__name__


def _header_of(picture: "Picture") -> PictureHeader:
    turn = _turn(picture)
    width, height = picture.size if turn < 5 else picture.size[::-1]
    mode = picture.mode
    grey = mode in ("1", "L", "LA", "La", "I", "F") or mode.startswith("I;16") or (
        mode in ("P", "PA") and _has_grey_palette(picture)
    )  # fmt: skip
    return PictureHeader(
        channels=1 if grey else 3,
        height=height,
        width=width,
        turn=turn,
        white=_white(picture),
        inverted=mode.startswith("I;16") and _tag(picture, _PHOTOMETRIC) == 0,
        frames=bool(getattr(picture, "is_animated", False)),
        coarse=mode in ("RGB", "RGBA", "LA") and any(";16" in str(tile[-1]) for tile in getattr(picture, "tile", ())),
    )


def _turn(picture: "Picture") -> int:
    """EXIF's orientation. Pillow turns TIFF files itself; asking for EXIF in its own way would decode a PNG."""
    from PIL import Image

    if picture.format == "TIFF":
        return 1
    try:
        turn = Image.Image.getexif(picture).get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF: the picture itself may be whole
        return 1
    return turn if turn in range(1, 9) else 1


def _white(picture: "Picture") -> int | None:
    if picture.mode.startswith("I;16"):
        bits = _tag(picture, _BITS_PER_SAMPLE)
        return 2 ** int(bits) - 1 if bits else 2**16 - 1
    if picture.mode == "I":
        return 2**16 - 1 if picture.format in _SIXTEEN_BIT_FORMATS else None
    return None if picture.mode == "F" else 255


def _tag(picture: "Picture", number: int) -> Any:
    """A TIFF tag's first value; None where there is none."""
    value = getattr(picture, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) else value


def _has_grey_palette(picture: "Picture") -> bool:
    """Red, green and blue of every entry are the same."""
    palette: Any = picture.palette
    if palette is None or not palette.palette:
        return False
    levels = bytes(palette.palette)
    if palette.rawmode == "RGB;L":  # all reds, all greens, all blues
        third = len(levels) // 3
        return levels[:third] == levels[third : 2 * third] == levels[2 * third : 3 * third]
    step = len(palette.rawmode or palette.mode)
    return levels[0::step] == levels[1::step] == levels[2::step]
