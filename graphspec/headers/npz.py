"""Headers of the arrays in an .npz file, and which array belongs to which split."""

import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from graphspec.headers.columns import Column, Kind
from graphspec.headers.table import SourceError, SplitName, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Member:
    """One array: the file it is in and its key there."""

    file: Path
    key: str


def npz_members(path: Path) -> dict[SplitName, dict[str, Member]]:
    """Column name -> array, per split; "test" is absent where the source has no test split of its own.

    With `test_NAME` beside `train_NAME` or `NAME`, prefixes name the split. Otherwise, if `path` is called `train`
    or ends in `_train` or `-train`, a sibling called `test` likewise is the test split.
    """
    keys = _npz_keys(path)
    tests = {k.removeprefix("test_"): k for k in keys if k.startswith("test_")}
    paired = {name for name in tests if name in keys or f"train_{name}" in keys}
    if paired:
        train = {k.removeprefix("train_"): Member(path, k) for k in keys if k.removeprefix("test_") not in paired}
        return {"train": train, "test": {name: Member(path, tests[name]) for name in tests if name in paired}}
    members: dict[SplitName, dict[str, Member]] = {"train": {key: Member(path, key) for key in keys}}
    sibling = test_sibling(path)
    if sibling is not None:
        members["test"] = {key: Member(sibling, key) for key in _npz_keys(sibling)}
    return members


def test_sibling(path: Path) -> Path | None:
    """`test.npz` beside `train.npz`, `digits_test.npz` beside `digits_train.npz`; None where there is none."""
    match = re.fullmatch(r"(?i)(.*[_\-.])?train", path.stem)
    if match is None:
        return None
    sibling = path.with_name(f"{match.group(1) or ''}test{path.suffix}")
    return sibling if sibling.is_file() else None


def _npz_keys(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            keys = tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))
    except Exception as error:  # zipfile raises many kinds for a damaged directory
        raise SourceError(f"{path.name} is not a readable .npz file ({error})", "write it with numpy.savez") from error
    if not keys:
        raise SourceError(f"{path.name} holds no arrays", "write it with numpy.savez(file, NAME=array, ...)")
    return keys


def npz_tables(path: Path) -> dict[SplitName, Table]:
    """Columns per split from the arrays' headers alone."""
    return {split: _npz_table(members) for split, members in npz_members(path).items()}


def _npz_table(members: dict[str, Member]) -> Table:
    """Rows are those of most arrays: another array of another length is no mistake until a variable reads it."""
    columns: dict[str, Column] = {}
    for name, member in members.items():
        shape, kind, byte = _array_header(member)
        if shape:  # a scalar array is a remark of the writer's, not a column
            columns[name] = Column(name, kind, shape[1:], byte=byte, rows=shape[0])
    lengths = Counter(column.rows for column in columns.values())
    return Table(columns, lengths.most_common(1)[0][0] if lengths else None)


def small_column(member: Member) -> list[str]:
    """The cells of a column of single values, as text. Raises SourceError for what cannot be read."""
    texts: list[str] = _small_array(member).ravel().astype("U").tolist()
    return texts


def npz_cells(member: Member) -> list[list[str | int | float]]:
    """Each element of a small array, with a cell for every row. Raises SourceError for what cannot be read."""
    values = _small_array(member)
    cells: list[list[str | int | float]] = values.reshape(len(values), -1).T.astype(_plain(values.dtype)).tolist()
    return cells


def _plain(dtype: "np.dtype[Any]") -> str:
    """Bytes are text, and a half is a float."""
    return {"S": "U", "f": "f8"}.get(dtype.kind, dtype.str)


def _small_array(member: Member) -> "NDArray[Any]":
    """All of an array; flags as 0 and 1."""
    import numpy as np

    try:
        with zipfile.ZipFile(member.file) as archive, archive.open(f"{member.key}.npy") as stream:
            values: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise SourceError(f"array {member.key} of {member.file.name} cannot be read ({error})") from error
    return values.astype(np.int8) if values.dtype.kind == "b" else values


def _array_header(member: Member) -> tuple[tuple[int, ...], Kind, bool]:
    """Shape (rows first), kind of element, and whether elements are bytes."""
    try:
        with zipfile.ZipFile(member.file) as archive, archive.open(f"{member.key}.npy") as stream:
            return npy_header(stream, archive.getinfo(f"{member.key}.npy").file_size)
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged member
        place = f"array {member.key} of {member.file.name}"
        raise SourceError(f"{place} cannot be read ({error})", "write the file again; it may be damaged") from error


def npy_header(stream: IO[bytes], size: int | None = None) -> tuple[tuple[int, ...], Kind, bool]:
    """Shape, kind of element, and whether elements are bytes, of an array in .npy format.

    size: bytes of header and elements together, where known. Raises ValueError, also where they are fewer than the
    shape asks for.
    """
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    if min(shape, default=0) < 0:
        raise ValueError(f"it claims shape {list(shape)}")
    needed = stream.tell() + prod(shape) * dtype.itemsize
    if size is not None and not dtype.hasobject and needed > size:
        raise ValueError(f"it claims shape {list(shape)}, which takes {needed} bytes, and has {size}")
    kinds: dict[str, Kind] = {"b": "integer", "u": "integer", "i": "integer", "f": "number", "U": "text", "S": "text"}
    return tuple(shape), kinds.get(dtype.kind, "other"), dtype.kind == "u" and dtype.itemsize == 1
