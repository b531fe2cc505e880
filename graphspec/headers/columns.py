"""Columns of a data set as far as headers tell, and whether one can feed a variable.

From: what `headers` and `sources` found. To: `Column`, and `fit`, the one place that says which stored shapes a
variable may be read from; the runtime reads by the same answer. Not here: values (the runtime checks those).
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from graphspec.language.data import is_pattern
from graphspec.language.variables import Domain

Kind = Literal["integer", "number", "text", "other"]
Reading = Literal["same", "scalar", "add_channel", "drop_channel", "channels_first"]


@dataclass(frozen=True)
class Column:
    """One column: what a cell holds before any variable reads it.

    kind: of one element; "other" cannot be read (pickled objects, complex numbers).
    shape: of one row's cell as stored; None where rows differ or the header does not tell.
    byte: stored as 0..255 (uint8); an image of bytes is divided by 255 when read.
    picture: decoded from an image file, or an image by declaration.
    channels: of image files, every number of channels met; two where grey ones lie beside coloured ones. sides: their
    height and width, where all have the same. unlike: those of another shape than most, in words.
    classes: number of classes, where the source declares it.
    values: the different cells seen of a column of text, in order of first appearance; () where they are not known.
    counts: how often each of them was seen.
    complete: `values` are all there are, not only those of the first rows.
    repeated: another column of the source has the same name, so that neither can be asked for.
    domain: the domain a known data set declares for it.
    rows: number of cells, where the header tells.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] | None
    byte: bool = False
    picture: bool = False
    classes: int | None = None
    values: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    repeated: bool = False
    complete: bool = False
    domain: Domain | None = None
    rows: int | None = None
    channels: tuple[int, ...] = ()
    sides: tuple[int, int] | None = None
    unlike: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {show_shape(self.shape)}"


def show_shape(shape: Sequence[int] | None) -> str:
    """`[1, 28, 28]` as the language writes it; `[]` is a scalar, `[?]` not known."""
    return "[?]" if shape is None else f"[{', '.join(map(str, shape))}]"


def fit(stored: tuple[int, ...], wanted: tuple[int, ...]) -> Reading | None:
    """How a cell of shape `stored` becomes a value of shape `wanted`; None if it cannot.

    A scalar and a vector of one are the same; [H, W] and [1, H, W] are; [H, W, C] is turned to [C, H, W].
    """
    if stored == wanted:
        return "same"
    if {stored, wanted} == {(), (1,)}:
        return "scalar"
    if len(stored) == 2 and wanted == (1, *stored):
        return "add_channel"
    if len(wanted) == 2 and stored in ((1, *wanted), (*wanted, 1)):
        return "drop_channel"
    if len(stored) == 3 and len(wanted) == 3 and (stored[2], *stored[:2]) == wanted:
        return "channels_first"
    return None


def matching(pattern: str, columns: Collection[str]) -> list[str]:
    """Columns that `pattern` stands for, in the order of the source; none for a plain name."""
    if not is_pattern(pattern) or pattern in columns:
        return []
    parts = re.split(r"([*?])", pattern)
    form = re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts), re.DOTALL)
    return [name for name in columns if form.fullmatch(name)]


def written_out(names: Iterable[str], columns: Collection[str]) -> list[str]:
    """Names with every pattern replaced by what it stands for; one that stands for nothing is left as it is."""
    return [found for name in names for found in matching(name, columns) or [name]]


def as_image(stored: tuple[int, ...]) -> tuple[int, int, int] | None:
    """[C, H, W] of a cell that is an image ([H, W], [C, H, W] or [H, W, C] with 1, 3 or 4 channels), else None.

    Where both ends could be the channels, the first one is if it is 1, or the other two are equal.
    """
    if len(stored) == 2:
        return (1, *stored)
    if len(stored) != 3:
        return None
    channels = (1, 3, 4)
    if stored[0] in channels and (stored[2] not in channels or stored[0] == 1 or stored[1] == stored[2]):
        return stored
    return (stored[2], stored[0], stored[1]) if stored[2] in channels else stored


def resized(stored: tuple[int, ...], sides: Sequence[int]) -> tuple[int, int, int] | None:
    """[C, height, width] after resizing an image to `sides` = [height, width]; None if the cell is no image."""
    image = as_image(stored)
    return None if image is None or len(sides) != 2 else (image[0], sides[0], sides[1])


def recoloured(stored: tuple[int, ...], colour: Literal["grey", "rgb"]) -> tuple[int, int, int] | None:
    """[C, H, W] of an image read as grey (1 channel) or rgb (3); None if the cell is no image of 1 or 3 channels."""
    image = as_image(stored)
    return None if image is None or image[0] not in (1, 3) else (1 if colour == "grey" else 3, *image[1:])
