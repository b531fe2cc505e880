"""Arrays that are too large to be loaded: mapped where they are, or unpacked once into the cache folder.

From: a `Member` of an .npz file, or cells to be decoded. To: an array whose rows are read from the file when they are
taken, or None where the array is small enough to be loaded. Not here: rows joined (`table`), checked or converted
(`values`).
"""

import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from graphspec.headers import Member
from runtime.data.read.table import Array
from runtime.data.read.unpacked_copies import Tell, Wanted, keep
from runtime.errors import DataError

MAPPED_BYTES = 2**28
"""Columns from this size on stay in their file."""

_COPIED_BYTES = 2**20
_LOCAL_HEADER = struct.Struct("<4s22xHH")


@dataclass(frozen=True)
class _Layout:
    """Where the elements of an array begin in its file."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def map_member(member: Member, tell: Tell) -> tuple[Array, str] | None:
    """A large array, mapped, and a note about it ("" mostly); None where it is to be loaded as usual.

    A compressed array is unpacked into the cache folder first, once per file as it stands; `tell` is told before.
    Raises DataError where the cache folder has no room for it. Damaged files are left to the usual reader.
    """
    try:
        with zipfile.ZipFile(member.file) as archive:
            info = archive.getinfo(f"{member.key}.npy")
            if info.file_size < MAPPED_BYTES:
                return None
            if info.compress_type == zipfile.ZIP_STORED:
                with member.file.open("rb") as stream:
                    layout = _layout(stream, _data_offset(stream, info))
                return None if layout is None else (_mapped(member.file, layout), "")
            with archive.open(info) as packed:
                if _layout(packed, 0) is None:
                    return None
    except Exception:  # zipfile and zlib raise many kinds for a damaged file: the usual reader names them
        return None
    file = _unpacked(member, info.file_size, tell)
    with file.open("rb") as stream:
        layout = _layout(stream, 0)
    assert layout is not None, "it was looked at before it was unpacked"
    note = f"{member.key} of {member.file.name} is compressed and read from {file}; numpy.savez needs no such copy"
    return _mapped(file, layout), note


def _data_offset(stream: Any, info: zipfile.ZipInfo) -> int:
    """Where a member's data begin. The local header's own lengths count: they may differ from the directory's."""
    stream.seek(info.header_offset)
    signature, name, extra = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    if signature != b"PK\x03\x04":
        raise ValueError("no member begins here")
    return int(info.header_offset + _LOCAL_HEADER.size + name + extra)


def _layout(stream: Any, start: int) -> _Layout | None:
    """The array that begins at `start`; None for what cannot be mapped row by row (text, objects, column order)."""
    if start:
        stream.seek(start)
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_column, dtype = read(stream)
    if by_column or not shape or dtype.kind not in "buif":
        return None
    return _Layout(stream.tell(), shape, dtype)


def _mapped(file: Path, layout: _Layout) -> Array:
    mapped = np.memmap(file, dtype=layout.dtype, mode="r", offset=layout.offset, shape=layout.shape)
    return np.asarray(mapped)


def _unpacked(member: Member, size: int, tell: Tell) -> Path:
    """The array as a file of its own in the cache folder, written now if it is not there."""
    file = member.file.absolute()
    stat = file.stat()
    wanted = Wanted(
        what=f"array {member.key!r} of {file.name}, which is large and compressed,",
        origin=(str(file), member.key),
        version=f"{stat.st_size} {stat.st_mtime_ns}",
        size=size,
        remedy="save it with numpy.savez (not savez_compressed)",
    )

    def write(target: Path) -> None:
        try:
            with (
                zipfile.ZipFile(file) as archive,
                archive.open(f"{member.key}.npy") as packed,
                target.open("wb") as out,
            ):
                shutil.copyfileobj(packed, out, _COPIED_BYTES)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            place = f"array {member.key!r} of {file.name}"
            raise DataError(f"{place} cannot be read ({error})", "write the file again; it may be truncated") from error

    return keep(wanted, write, tell)


def map_cells(
    what: str, origin: tuple[str, ...], version: str, count: int, decoded: Callable[[], Iterator[Array]], tell: Tell
) -> tuple[Array, str] | None:
    """Cells [N, ...] decoded once into the cache folder and mapped; a note as in `map_member`.

    None where they are few enough to be held in memory, or differ in size. what: "npy cells of a.tar", for messages.
    decoded: gives the cells in order, from the first each time it is called. origin, version: as in `Wanted`.
    Raises DataError where the cache folder has no room.
    """
    first = next(decoded())
    size = first.nbytes * count
    if size < MAPPED_BYTES:
        return None
    wanted = Wanted(f"{count} {what}", origin, version, size, "use fewer or smaller ones")

    def write(target: Path) -> None:
        out = npy.open_memmap(target, mode="w+", dtype=first.dtype, shape=(count, *first.shape))
        for index, cell in enumerate(decoded()):
            if cell.shape != first.shape or cell.dtype != first.dtype:
                raise _DifferentSizesError
            out[index] = cell
        out.flush()

    try:
        kept = keep(wanted, write, tell)
    except _DifferentSizesError:
        return None
    return np.asarray(np.load(kept, mmap_mode="r")), f"the {what} are read from a decoded copy, {kept}"


class _DifferentSizesError(Exception):
    pass
