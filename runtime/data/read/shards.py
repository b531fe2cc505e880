"""From: .tar shards. To: a `Table` of the columns asked for. Where every cell is, `graphspec.headers.shards` says.

Cells are read shard by shard, in order, whatever their number; large images and arrays are decoded once into the cache
folder and mapped, as those of folders are.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from graphspec.headers import (
    IMAGES,
    PROBED_IMAGES,
    TEXTS,
    Cells,
    SourceError,
    ending_of,
    index_shards,
    json_cells,
    shard_files,
)
from runtime.data.read import image_files
from runtime.data.read.mapped_arrays import map_cells
from runtime.data.read.table import Array, Column, Parts, Table, joined_rows, make_table, require_columns
from runtime.data.read.unpacked_copies import Tell
from runtime.errors import DataError


def read_shards(path: Path, columns: Sequence[str], tell: Tell) -> Table:
    """The columns of all rows, the test split's last. Raises DataError and SourceError for what cannot be read."""
    notes: list[str] = []
    tables: list[Table] = []
    for split, files in shard_files(path).items():
        shown = path.name if split == "train" else f"the test split of {path.name}"
        index = index_shards(files)
        require_columns(shown, _available(index), columns)
        tables.append(make_table(shown, {name: _column(name, index, tell, notes) for name in columns}))
    if len(tables) == 1:
        return make_table(path.name, tables[0].columns, notes=tuple(notes))
    train, test = tables
    joined = {name: joined_rows(name, train.columns[name], test.columns[name]) for name in columns}
    return make_table(path.name, joined, training_rows=train.rows, notes=tuple(notes))


def _available(index: dict[str, Cells]) -> list[str]:
    """Columns by the names a spec calls them; keys of .json as far as the first rows tell."""
    names: list[str] = []
    for name, cells in index.items():
        if ending_of(name) == "json":
            rows = [json_cells(data, place) for place, data in islice(cells.read(), PROBED_IMAGES)]
            names += dict.fromkeys(f"{name}.{key}" for row in rows for key in row)
        elif ending_of(name) in (*IMAGES, *TEXTS, "npy"):
            names.append(name)
    return names


def _column(name: str, index: dict[str, Cells], tell: Tell, notes: list[str]) -> Column:
    """A column of `_available`."""
    if name not in index:
        cells = next(index[other] for other in index if name.startswith(f"{other}."))
        key = name.removeprefix(f"{cells.column}.")
        return np.array([_text(json_cells(data, place).get(key)) for place, data in cells.read()], dtype=np.str_)
    cells, ending = index[name], ending_of(name)
    if ending in TEXTS:
        return np.array([_decoded_text(place, data) for place, data in cells.read()], dtype=np.str_)
    return _arrays(cells, _array if ending == "npy" else _image, tell, notes)


def _arrays(cells: Cells, decode: Callable[[str, bytes], Array], tell: Tell, notes: list[str]) -> Column:
    def decoded() -> Iterator[Array]:
        return (decode(place, data) for place, data in cells.read())

    files = cells.files
    stats = "|".join(f"{file} {(stat := file.stat()).st_size} {stat.st_mtime_ns}" for file in files)
    what = f"{cells.column} cells of {files[0].name}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    origin = (str(files[0].absolute()), str(len(files)), cells.column)
    mapped = map_cells(what, origin, stats, len(cells), decoded, tell)
    if mapped is None:
        return image_files.stacked(list(decoded()))
    notes.append(mapped[1])
    return Parts((mapped[0],))


def _image(place: str, data: bytes) -> Array:
    return image_files.decode_stream(io.BytesIO(data), place)


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
