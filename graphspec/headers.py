"""What files tell without being loaded: array headers in .npz, first rows of .csv, image headers in folders.

From: a path that exists. To: `Column`s per split, row counts where they are cheap. Also the conventions the runtime
reads by: which array belongs to which split (`npz_members`), how a .csv is opened (`csv_rows`), which file of a
folder is which row (`folder_images`). Raises `SourceError` for what is there but cannot be read.
"""

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Literal

from graphspec.columns import Column, Kind

SplitName = Literal["train", "test"]
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".pgm", ".ppm")
SNIFFED_ROWS = 1000
COUNTED_BYTES = 4_000_000
"""A .csv up to this size is read to its end, so that rows are counted and every value of a column is known."""
MANY_VALUES = 100
PROBED_IMAGES = 8


class SourceError(Exception):
    """The source is there and cannot be read. `message` says why, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Table:
    """Columns and row count of one split; `rows` None where counting would mean loading."""

    columns: dict[str, Column]
    rows: int | None


# --- .npz ---------------------------------------------------------------------------------------------------------


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
    except (zipfile.BadZipFile, OSError) as error:
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


def _array_header(member: Member) -> tuple[tuple[int, ...], Kind, bool]:
    """Shape (rows first), kind of element, and whether elements are bytes."""
    try:
        with zipfile.ZipFile(member.file) as archive, archive.open(f"{member.key}.npy") as stream:
            return npy_header(stream)
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise SourceError(f"array {member.key} of {member.file.name} cannot be read ({error})") from error


def npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], Kind, bool]:
    """Shape, kind of element, and whether elements are bytes, of an array in .npy format. Raises ValueError."""
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    kinds: dict[str, Kind] = {"b": "integer", "u": "integer", "i": "integer", "f": "number", "U": "text", "S": "text"}
    return tuple(shape), kinds.get(dtype.kind, "other"), dtype.kind == "u" and dtype.itemsize == 1


# --- .csv ---------------------------------------------------------------------------------------------------------


def csv_rows(path: Path) -> Iterator[list[str]]:
    """The header, then every row, cells stripped; separator `,`, or `;` or tab where the header has no comma.

    Raises SourceError for an empty file, a header with blank or repeated names, rows of another length, and text
    that is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            separator = next((s for s in (",", ";", "\t") if s in first), ",")
            reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(path, header)
            yield header
            for row in reader:
                if len(row) not in (0, len(header)):
                    raise SourceError(
                        f"{path.name} line {reader.line_num} has {len(row)} cells, the header {len(header)}",
                        "quote cells that hold the separator",
                    )
                if row:
                    yield [cell.strip() for cell in row]
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise SourceError(f"{path.name} cannot be read ({error})") from error


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise SourceError(f"{path.name} is empty", "the first line names the columns")
    if "" in header:
        raise SourceError(f"column {header.index('') + 1} of {path.name} has no name", "name it in the first line")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise SourceError(f"{path.name} has more than one column called {', '.join(repeated)}", "rename one of them")


def csv_table(path: Path) -> Table:
    """Columns from the header and the first rows (all rows of a small file)."""
    small = path.stat().st_size <= COUNTED_BYTES
    rows = csv_rows(path)
    header = next(rows)
    count = 0
    values: list[dict[str, None]] = [{} for _ in header]
    numbers = [True] * len(header)
    integers = [True] * len(header)
    for row in rows if small else islice(rows, SNIFFED_ROWS):
        count += 1
        for i, cell in enumerate(row):
            if len(values[i]) <= MANY_VALUES:
                values[i][cell] = None
            if count <= SNIFFED_ROWS and numbers[i] and cell:
                numbers[i] = is_number(cell)
                integers[i] = integers[i] and is_integer(cell)
    columns = {}
    for name, seen, number, integer in zip(header, values, numbers, integers, strict=True):
        kind: Kind = "text" if not number else "integer" if integer else "number"
        few = len(seen) <= MANY_VALUES
        columns[name] = Column(name, kind, (), values=tuple(seen) if few else (), complete=small and few)
    return Table(columns, count if small else None)


def is_number(cell: str) -> bool:
    """The cell reads as a number; `nan` does."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_integer(cell: str) -> bool:
    """The cell reads as a whole number; `3.0` does, as tables with blanks are often written so."""
    return is_number(cell) and re.fullmatch(r"[+-]?\d+(\.0*)?", cell) is not None


# --- folders of images --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ImageFile:
    """One row of a folder: the file, and the name of its class folder ("" where there are none)."""

    file: Path
    label: str


def folder_images(path: Path) -> dict[SplitName, tuple[ImageFile, ...]]:
    """Rows per split, sorted by class folder, then by file name.

    FOLDER/train and FOLDER/test are splits where both exist. Within, sub-folders are classes (columns `image` and
    `label`); images beside no sub-folder have no `label` column.
    """
    if (path / "train").is_dir() and (path / "test").is_dir():
        return {"train": _images_below(path / "train"), "test": _images_below(path / "test")}
    return {"train": _images_below(path)}


def _images_below(path: Path) -> tuple[ImageFile, ...]:
    try:
        loose = _images_in(path)
        classes = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        labelled = [ImageFile(file, folder.name) for folder in classes for file in _images_in(folder)]
    except OSError as error:
        raise SourceError(f"{path.name} cannot be listed ({error})") from error
    if loose and labelled:
        raise SourceError(
            f"folder {path.name} holds images both beside and inside class folders",
            "put every image into a folder named after its class, or none",
        )
    if not loose and not labelled:
        raise SourceError(f"folder {path.name} holds no images", f"looked for {', '.join(IMAGE_SUFFIXES)}")
    return tuple(ImageFile(file, "") for file in loose) or tuple(labelled)


def _images_in(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith("."))


def folder_tables(path: Path) -> dict[SplitName, Table]:
    """Columns `image` and, with class folders, `label`; sides from the headers of a few files."""
    return {split: _folder_table(images) for split, images in folder_images(path).items()}


def _folder_table(images: tuple[ImageFile, ...]) -> Table:
    probed = images[:: max(1, len(images) // PROBED_IMAGES)]
    shapes = {image_shape(image.file, image.file.name) for image in probed}
    shape = shapes.pop() if len(shapes) == 1 else None
    columns = {"image": Column("image", "integer", shape, byte=True, picture=True)}
    labels = tuple(dict.fromkeys(image.label for image in images))
    if labels != ("",):
        kind: Kind = "integer" if all(map(is_integer, labels)) else "text"
        columns["label"] = Column("label", kind, (), classes=len(labels), values=labels, complete=True)
    return Table(columns, len(images))


def image_shape(file: Path | IO[bytes], name: str) -> tuple[int, int, int]:
    """[C, H, W] from the header: one channel for grey, three for colour. Raises SourceError with `name`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            width, height = image.size
            return (1 if image.mode in ("1", "L", "LA", "I", "I;16", "F") else 3, height, width)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise SourceError(f"{name} is not a readable image", "remove it, or write it again") from error
