"""From: .tar shards. To: a `Table` of the columns asked for. Where every cell is, `graphspec.headers.shards` says.

Cells are read shard by shard, in order, whatever their number; large images and arrays are decoded once into the cache
folder and mapped, as those of folders are.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphspec.headers import (
    IMAGES,
    PROBED_CELLS,
    TEXTS,
    Cells,
    SourceError,
    ending_of,
    index_shards,
    json_cells,
    shard_files,
)
from runtime.data.read.image_files import stacked
from runtime.data.read.mapped_arrays import map_cells
from runtime.data.read.picture_column import PictureCells, Pictures, read_pictures
from runtime.data.read.picture_decoding import PictureReading
from runtime.data.read.picture_scale import Cell
from runtime.data.read.table import Array, Column, Parts, Table, joined_rows, make_table, require_columns, taken
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import DataError


def read_shards(path: Path, columns: Sequence[str], tell: Tell, readings: Mapping[str, PictureReading]) -> Table:
    """The columns of all rows, the test split's last. Raises DataError and SourceError for what cannot be read.

    readings: by column, how picture files are read; those of both splits are on one scale.
    """
    indices = []
    for split, files in shard_files(path).items():
        indices.append(index_shards(files))
        require_columns(
            path.name if split == "train" else f"the test split of {path.name}", _available(indices[-1]), columns
        )
    read = {name: _column(name, indices, tell, readings) for name in columns}
    notes = tuple(note for column in read.values() for note in column.notes)
    rows = [len(next(iter(index.values()))) for index in indices]
    kept = np.logical_and.reduce([np.ones(sum(rows), dtype=np.bool_), *(column.kept for column in read.values())])
    training = int(kept[: rows[0]].sum()) if len(rows) > 1 else None
    keys = np.array([key for index in indices for key in next(iter(index.values())).keys], dtype=np.uint64)[kept]
    cells = {name: _of_rows(column, kept) for name, column in read.items()}
    return make_table(path.name, cells, training, notes=notes, named=keys)


def _of_rows(read: Pictures, kept: NDArray[np.bool_]) -> Column:
    """Without the rows whose picture, in this column or another, could not be read."""
    return read.column if read.kept.sum() == kept.sum() else taken(read.column, kept[read.kept])


def _available(index: dict[str, Cells]) -> list[str]:
    """Columns by the names a spec calls them; keys of .json as far as the first rows tell."""
    names: list[str] = []
    for name, cells in index.items():
        if ending_of(name) == "json":
            rows = [json_cells(data, place) for place, data in islice(cells.read(), PROBED_CELLS)]
            names += dict.fromkeys(f"{name}.{key}" for row in rows for key in row)
        elif ending_of(name) in (*IMAGES, *TEXTS, "npy"):
            names.append(name)
    return names


def _column(
    name: str, indices: Sequence[dict[str, Cells]], tell: Tell, readings: Mapping[str, PictureReading]
) -> Pictures:
    """A column of `_available`, of all splits."""
    if ending_of(name) in IMAGES and name in indices[0]:
        return read_pictures(
            _pictures_of([index[name] for index in indices]), readings.get(name, PictureReading()), tell
        )
    notes: list[str] = []
    column, *tests = [_cells_of_split(name, index, tell, notes) for index in indices]
    for test in tests:
        column = joined_rows(name, column, test)
    return Pictures(column, np.ones(len(column), dtype=np.bool_), tuple(notes))


def _cells_of_split(name: str, index: dict[str, Cells], tell: Tell, notes: list[str]) -> Column:
    if name not in index:
        cells = next(index[other] for other in index if name.startswith(f"{other}."))
        key = name.removeprefix(f"{cells.column}.")
        return np.array([_text(json_cells(data, place).get(key)) for place, data in cells.read()], dtype=np.str_)
    cells = index[name]
    if ending_of(name) in TEXTS:
        return np.array([_decoded_text(place, data) for place, data in cells.read()], dtype=np.str_)
    return _arrays(cells, tell, notes)


def _origin(cells: Cells) -> tuple[str, tuple[str, ...], str]:
    """What they are, where from, and how that stands."""
    files = cells.files
    what = f"{cells.column} cells of {files[0].name}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    stats = "|".join(f"{file} {(stat := file.stat()).st_size} {stat.st_mtime_ns}" for file in files)
    return what, (str(files[0].absolute()), str(len(files)), cells.column), stats


def _pictures_of(splits: Sequence[Cells]) -> PictureCells:
    what, origin, _ = _origin(splits[0])

    def walk() -> Iterator[Cell]:
        return ((place, io.BytesIO(data)) for cells in splits for place, data in cells.read())

    version = "|".join(_origin(cells)[2] for cells in splits)
    return PictureCells(what, origin, version, sum(map(len, splits)), sum(sum(c.size) for c in splits), walk)


def _arrays(cells: Cells, tell: Tell, notes: list[str]) -> Column:
    def decoded() -> Iterator[Array]:
        return (_array(place, data) for place, data in cells.read())

    what, origin, stats = _origin(cells)
    mapped = map_cells(what, origin, stats, len(cells), decoded, tell)
    if mapped is None:
        return stacked(list(decoded()))
    notes.append(mapped[1])
    return Parts((mapped[0],))


def _array(place: str, data: bytes) -> Array:
    try:
        values: Array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{place} cannot be read ({error})", "write plain numbers with numpy.save") from error
    if values.dtype.kind not in "buif":
        raise DataError(f"{place} has type {values.dtype}", "save numbers or booleans")
    return values


def _decoded_text(place: str, data: bytes) -> str:
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise SourceError(f"{place} is not UTF-8 text", "save it as UTF-8") from error


def _text(value: object) -> str:
    """A blank for null, whole numbers without a point, as a table would have them."""
    return "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)
