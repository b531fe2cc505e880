"""Many picture files -> one column, in one pass and little memory: each is made small as it is read.

From: cells that can be gone through several times, and what a spec asks of them. To: pixels [N, C, H, W] (an object
array of [C, H, W] where sizes differ), and which rows they are of. Many, or slow ones, are kept decoded in the cache.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from graphspec.headers import PictureHeader, SourceError, read_header, unreadable
from graphspec.reading.suggestions import in_lines
from runtime.data.read import mapped_arrays
from runtime.data.read.image_files import stacked
from runtime.data.read.picture_decoding import DecodingPlan, PictureReading, decode
from runtime.data.read.picture_scale import Cell, plan_for
from runtime.data.read.table import Array, Column, Parts
from runtime.data.read.unpacked_copies import Tell, Wanted, facts_of, keep
from runtime.errors import DataError

_LISTED = 20
SLOW_BYTES = 2**28
"""Files of so many bytes together take half a minute to decode: what becomes of them is kept, however small."""


@dataclass(frozen=True)
class PictureCells:
    """Picture files in the order of rows. what: `folder cats`, for messages; origin, version: as in `Wanted`.

    walk: goes through them from the first, each with its place for messages. nbytes: of all files together.
    """

    what: str
    origin: tuple[str, ...]
    version: str
    count: int
    nbytes: int
    walk: Callable[[], Iterator[Cell]]


@dataclass(frozen=True)
class Pictures:
    """column: as many rows as are True in `kept` [count]."""

    column: Column
    kept: NDArray[np.bool_]
    notes: tuple[str, ...]


def files_as_cells(what: str, origin: str, files: Sequence[Path]) -> PictureCells:
    """Picture files of a folder."""
    version, nbytes = files_version(files)
    return PictureCells(
        what, (origin, "images"), version, len(files), nbytes, lambda: ((f"image file {file}", file) for file in files)
    )


def files_version(files: Sequence[Path]) -> tuple[str, int]:
    """How files stand, and their bytes together."""
    stats = [(file, _stat(file)) for file in files]
    version = "|".join(f"{file} {size} {changed}" for file, (size, changed) in stats)
    return version, sum(size for _, (size, _) in stats)


def _stat(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:  # a link that leads nowhere: named when it is read
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def read_pictures(cells: PictureCells, reading: PictureReading, tell: Tell) -> Pictures:
    """Decode the cells, or take their copy.

    Raises DataError that names every file that cannot be read (unless they are to be skipped) or lies outside the
    scale, or says that the files have no scale or colour in common.
    """
    wanted = Wanted(
        what=f"{cells.count} images of {cells.what}",
        origin=(*cells.origin, *map(str, reading.size or ())),
        version=f"{cells.version}|{reading}",
        size=0,
        remedy="use fewer or smaller ones (`resize`)",
    )
    return _from_copy(wanted, cells.count) or _decode_all(cells, reading, wanted, tell)


def _decode_all(cells: PictureCells, reading: PictureReading, wanted: Wanted, tell: Tell) -> Pictures:
    headers, broken = _headers(cells)
    if not headers:
        raise _data_error(unreadable(cells.what, list(broken.values()), cells.count))
    plan, notes = plan_for(cells.what, headers, cells.walk(), reading)
    work = _Work(cells, reading, plan, broken, notes)
    sizes = {header.shape[1:] for header in headers.values()}
    if plan.size is None and len(sizes) > 1:
        column: Column = stacked(list(work.decoded()))
        return Pictures(column, work.kept, work.all_notes())
    shape = (cells.count, plan.channels, *(plan.size or sizes.pop()))
    dtype = np.dtype(np.float32 if plan.deep else np.uint8)
    nbytes = prod(shape) * dtype.itemsize
    if nbytes >= mapped_arrays.MAPPED_BYTES or cells.nbytes >= SLOW_BYTES:
        return _through_copy(work, replace(wanted, size=nbytes), shape, dtype, tell)
    memory = np.empty(shape, dtype)
    rows = work.fill(memory)
    return Pictures(memory[:rows], work.kept, work.all_notes())


def _headers(cells: PictureCells) -> tuple[dict[int, PictureHeader], dict[int, SourceError]]:
    """By row: the headers that can be read, and why the others cannot."""
    headers: dict[int, PictureHeader] = {}
    broken: dict[int, SourceError] = {}
    for row, (place, file) in enumerate(cells.walk()):
        try:
            headers[row] = read_header(file, place)
        except SourceError as error:
            broken[row] = error
    return headers, broken


@dataclass
class _Work:
    """Decoding by a plan, and what is found out by it. broken: by row, why a picture cannot be read."""

    cells: PictureCells
    reading: PictureReading
    plan: DecodingPlan
    broken: dict[int, SourceError]
    notes: list[str]
    outside: list[str] = field(default_factory=list)
    transparent: int = 0

    def decoded(self) -> Iterator[Array]:
        """Every picture that can be read, in order. Raises DataError at the end, which names all that are at fault."""
        for row, (place, file) in enumerate(self.cells.walk()):
            if row in self.broken:
                continue
            try:
                picture = decode(file, place, self.plan)
            except SourceError as error:
                self.broken[row] = error
                continue
            if self.reading.bounded and not 0 <= picture.low <= picture.high <= 1:
                self.outside.append(f"{place}: from {picture.low:.4g} to {picture.high:.4g} of white")
            self.transparent += picture.transparent
            yield picture.pixels
        self._refuse()

    def fill(self, target: Array) -> int:
        """Write them into target [N, C, H, W] from the first row on; how many they are."""
        rows = 0
        for pixels in self.decoded():
            target[rows] = pixels
            rows += 1
        return rows

    def _refuse(self) -> None:
        if self.broken and not (self.reading.skip and len(self.broken) < self.cells.count):
            raise _data_error(unreadable(self.cells.what, list(self.broken.values()), self.cells.count))
        if self.outside:
            raise DataError(
                f"{len(self.outside)} of {self.cells.count} pictures of {self.cells.what} hold levels below 0 or above "
                f"white:{in_lines(self.outside, _LISTED)}",
                "say a larger `white:` in data, or leave it out",
            )

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether the picture of a row could be read."""
        return _all_but(self.broken, self.cells.count)

    def all_notes(self) -> tuple[str, ...]:
        """What was found out before and while decoding."""
        notes, what = list(self.notes), self.cells.what
        if self.transparent:
            notes.append(f"{self.transparent} pictures of {what} are transparent in places: they are laid on white")
        if self.broken:
            error = unreadable(what, list(self.broken.values()), self.cells.count)
            notes.append(f"{error.message}\n  they are skipped (`on_error: skip`)")
        return tuple(notes)


def _all_but(rows: Iterable[int], count: int) -> NDArray[np.bool_]:
    kept = np.ones(count, dtype=np.bool_)
    kept[list(rows)] = False
    return kept


def _data_error(error: SourceError) -> DataError:
    return DataError(error.message, error.hint)


def _through_copy(work: _Work, wanted: Wanted, shape: tuple[int, ...], dtype: np.dtype[Any], tell: Tell) -> Pictures:
    """Decode into the cache folder; beside the pixels stand the notes and the rows that were skipped."""

    def write(partial: Path) -> None:
        out = npy.open_memmap(partial, mode="w+", dtype=dtype, shape=shape)
        work.fill(out)
        out.flush()
        facts = {"skipped": sorted(work.broken), "notes": work.all_notes()}
        facts_of(wanted.file).write_text(json.dumps(facts), encoding="utf-8")

    keep(wanted, write, tell)
    copy = _from_copy(wanted, work.cells.count)
    if copy is None:
        raise DataError(f"{wanted.file} cannot be read back", "remove it, and start again")
    return copy


def _from_copy(wanted: Wanted, count: int) -> Pictures | None:
    """What an earlier run left, where it is whole: large pixels mapped, small ones in memory."""
    try:
        facts = json.loads(facts_of(wanted.file).read_text(encoding="utf-8"))
        pixels: Array = np.load(wanted.file, mmap_mode="r", allow_pickle=False)
        kept, notes = _all_but(facts["skipped"], count), tuple(map(str, facts["notes"]))
    except (OSError, ValueError, EOFError, KeyError, TypeError, IndexError):
        return None
    rows = np.asarray(pixels)[: int(kept.sum())]
    if pixels.nbytes < mapped_arrays.MAPPED_BYTES:
        return Pictures(np.array(rows), kept, notes)
    return Pictures(Parts((rows,)), kept, (*notes, f"the {wanted.what} are read from a decoded copy, {wanted.file}"))
