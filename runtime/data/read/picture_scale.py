"""One scale and one kind of colour for all picture files of a column, from the files' own headers (and a spec's words).

A darker picture stays darker: a file's depth stands in its header, not in its brightest pixel. Only where 16 bits hold
fewer (a scanner's 10, 12 or 14), which no header says, the brightest level of all files together tells.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from graphspec.headers import PictureHeader, SourceError, opened
from graphspec.reading.suggestions import counted
from runtime.data.read.picture_decoding import BYTE_WHITE, DecodingPlan, PictureReading, range_of, raw_levels
from runtime.errors import DataError

Cell = tuple[str, Path | IO[bytes]]
Headers = Mapping[int, PictureHeader]
SIXTEEN_BITS = 2**16 - 1
_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of the sensors there are."""


def plan_for(
    what: str, headers: Headers, cells: Iterable[Cell], reading: PictureReading
) -> tuple[DecodingPlan, list[str]]:
    """How to decode the pictures of `what` ("folder a"), and notes. headers: by row, of the files that can be read.

    Files deeper than 8 bits are looked at once more where their scale is not said. Raises DataError where it cannot be
    known, or where grey and coloured files are mixed and nothing says which is wanted.
    """
    channels, notes = _channels(what, list(headers.values()), reading)
    own = {header.white for header in headers.values()}
    whites: dict[int | None, float] = {white: float(white) for white in own if white is not None}
    deep = own - {BYTE_WHITE}
    if reading.white is not None:
        whites |= dict.fromkeys(deep or own, reading.white)
    elif own & {SIXTEEN_BITS, None}:
        seen = _seen_levels(headers, cells)
        for white in own & {SIXTEEN_BITS, None}:
            whites[white], note = _sixteen_bits(what, *seen[white]) if white else _no_depth(what, *seen[white])
            notes += note
    as_floats = bool(deep) or whites[BYTE_WHITE] != BYTE_WHITE
    return DecodingPlan(channels, reading.size, whites, as_floats), notes + _losses(what, headers.values())


def _channels(what: str, headers: Sequence[PictureHeader], reading: PictureReading) -> tuple[int, list[str]]:
    found = Counter(header.channels for header in headers)
    if reading.colour is not None:
        return (1 if reading.colour == "grey" else 3), []
    if len(found) == 1:
        return headers[0].channels, []
    mixed = f"{found[1]} grey and {found[3]} coloured pictures of {what}"
    if reading.channels not in (1, 3):
        raise DataError(f"{mixed} are mixed", "say which is wanted: `colour: grey` or `colour: rgb` beside the column")
    colour = "grey" if reading.channels == 1 else "rgb"
    return reading.channels, [f"{mixed} are all read as {colour}, as the variable's shape says"]


def _seen_levels(headers: Headers, cells: Iterable[Cell]) -> dict[int | None, tuple[float, float]]:
    """Lowest and highest level of all files, by the white that their headers say."""
    seen: dict[int | None, tuple[float, float]] = {}
    for white, low, high in _file_levels(headers, cells):
        before = seen.get(white, (low, high))
        seen[white] = min(low, before[0]), max(high, before[1])
    return seen or dict.fromkeys((SIXTEEN_BITS, None), (0.0, 0.0))


def _file_levels(headers: Headers, cells: Iterable[Cell]) -> Iterator[tuple[int | None, float, float]]:
    for row, (place, file) in enumerate(cells):
        header = headers.get(row)
        if header is not None and header.white in (SIXTEEN_BITS, None):
            try:
                with opened(file, place) as (picture, _):
                    yield header.white, *range_of(raw_levels(picture, header))
            except SourceError:
                continue  # it is named when all are decoded


def _sixteen_bits(what: str, low: float, high: float) -> tuple[float, list[str]]:
    if low < 0 or high <= 1:
        raise DataError(
            f"the 16-bit pictures of {what} hold levels from {low:g} to {high:g}",
            "say in data which level is white: `white: 1` if they are 0 and 1",
        )
    bits = next(bits for bits in _DEPTHS if high < 2**bits)
    white = 2**bits - 1
    note = (
        f"the 16-bit pictures of {what} hold levels up to {high:g}, so {white} ({bits} bits) is read as white; "
        f"`white: {white}` in data keeps it whatever files come, `white: {SIXTEEN_BITS}` is their own depth"
    )
    return white, [note] if bits < 16 else []


def _no_depth(what: str, low: float, high: float) -> tuple[float, list[str]]:
    if low >= 0 and high <= 1 and high > 0:
        return 1.0, []
    raise DataError(
        f"pictures of {what} hold floating-point or 32-bit levels, from {low:g} to {high:g}: which is white?",
        "say so in data, such as `white: 4095`; with `white: 1` and domain real the levels stay as they are",
    )


def _losses(what: str, headers: Iterable[PictureHeader]) -> list[str]:
    """Notes about what is in the files and not read."""
    lost = Counter(word for header in headers for word in ("frames", "coarse") if getattr(header, word))
    notes = {
        "frames": "{} of {} hold several frames: the first is read",
        "coarse": "{} of {} hold 16 bits a colour, of which 8 are read",
    }
    return [notes[word].format(counted(count, "picture"), what) for word, count in sorted(lost.items())]
