"""From: raw columns, a variable and its `ColumnSpec`. To: one tensor [N, *shape] with blanks marked.

Stored types: uint8 for images of bytes (divided by 255 when batched), int64 for discrete variables (blank -1), floats
for all else (blank NaN). Raises DataError, with column, row and value, for everything out of range.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphspec.graphs.graph import Variable
from graphspec.headers.cell_reader import read_as
from graphspec.headers.columns import fit, show_shape
from graphspec.headers.numbers import PLAIN_NUMBERS, NumberFormat
from graphspec.language import ColumnSpec
from graphspec.rules.class_folder_rules import listed_folders, problem_with_class_folders, with_folder_names
from runtime.data.preparation.checking import checked, rows_present
from runtime.data.read import image_files
from runtime.data.read.cells import BLANK, Place, SignsSeen, as_floats, as_integers, blank_cells, read_text
from runtime.data.read.local_contrast import local_contrast
from runtime.data.read.table import Array, Parts, Table, whole
from runtime.data.stream.column_store import CHUNK_BYTES, Held, Mapped, Stored
from runtime.data.stream.ragged_store import Ragged
from runtime.errors import DataError


@dataclass(frozen=True)
class Values:
    """A variable's values in every row of the source. present: [N], whether the row has a value, or part of one.

    weights: [N, K] of a soft label, 0 where there is none; its value is the likeliest class.
    """

    stored: Stored
    present: NDArray[np.bool_]
    weights: Tensor | None = None

    @property
    def tensor(self) -> Tensor:
        """All rows [N, *shape] of a variable that is held in memory (labels always are)."""
        if isinstance(self.stored, Ragged):
            return self.stored.take(torch.arange(len(self.stored)))
        assert isinstance(self.stored, Held)
        return self.stored.tensor


def read_values(
    variable: Variable,
    spec: ColumnSpec,
    table: Table,
    numbers: NumberFormat = PLAIN_NUMBERS,
    *,
    whole_source: bool = True,
) -> Values:
    """Read, shape and check one variable. A large observed one stays in its file and is only checked now.

    numbers: how cells of text write them. whole_source: the table is all there is, and what only all cells together
    tell is asked too: whether -1 could be a value, whether bytes are levels of grey.
    """
    if spec.soft:
        return _read_weights(variable, spec, table, numbers, whole_source)
    variable = with_source_classes(variable, spec, table)
    columns = [table.columns[name] for name in spec.names]
    if len(columns) == 1 and isinstance(columns[0], Parts) and variable.role == "observed":
        return _read_mapped(variable, spec, columns[0], table)
    cells = [whole(column) for column in columns]
    place = Place(spec.names, where=table.where)
    for name, column in zip(spec.names, cells, strict=True) if whole_source else ():
        signs = SignsSeen(read_as(variable, spec))
        signs.look_at(column, spec.missing_in(name))
        signs.refuse(Place((name,)))
    array = _converted(variable, spec, cells, place, numbers)
    for name, column in zip(spec.names, cells, strict=True) if whole_source else ():
        _refuse_dark(name, _brightest(variable, spec, column))
    present = rows_present(variable, place, array)
    array = _small(array) if variable.role == "observed" else array
    return Values(Held(torch.from_numpy(np.ascontiguousarray(array))), present)


def _read_weights(
    variable: Variable, spec: ColumnSpec, table: Table, numbers: NumberFormat, whole_source: bool
) -> Values:
    """A soft label: a row that lacks a weight has no label."""
    plain = spec.model_copy(update={"soft": False})
    read = read_values(read_as(variable, spec), plain, table, numbers, whole_source=whole_source)
    blank = read.tensor.isnan().any(dim=1)
    likeliest = read.tensor.nan_to_num().argmax(dim=1).masked_fill(blank, BLANK)
    return Values(Held(likeliest), np.asarray(~blank.numpy()), read.tensor.nan_to_num())


def _read_mapped(variable: Variable, spec: ColumnSpec, column: Parts, table: Table) -> Values:
    """Every row converted and checked once, some at a time."""
    present = np.empty(len(column), dtype=np.bool_)
    brightest, signs = None, SignsSeen(read_as(variable, spec))
    for first, cells in column.chunks(CHUNK_BYTES):
        place = Place(spec.names, first, whole=False, where=table.where)
        signs.look_at(cells, spec.missing_in(spec.names[0]))
        array = _converted(variable, spec, [cells], place)
        present[first : first + len(array)] = rows_present(variable, place, array)
        brightest = max(brightest or 0, _brightest(variable, spec, cells) or 0)
    signs.refuse(Place(spec.names))
    _refuse_dark(spec.names[0], brightest if _are_bytes(variable, spec, cells) else None)

    def convert(cells: Array) -> Array:
        return _converted(variable, spec, [cells], Place(spec.names))

    return Values(Mapped(column, convert, torch.from_numpy(np.array(array[0]))), present)


def _converted(
    variable: Variable, spec: ColumnSpec, cells: Sequence[Array], place: Place, numbers: NumberFormat = PLAIN_NUMBERS
) -> Array:
    """Raw cells of some rows, one array per column, as values of the variable [rows, *shape]. Every row by itself."""
    grey = spec.binarize is not None
    if _are_one_text(variable, spec, cells):
        array = read_text(place, np.stack(cells, axis=1), read_as(variable, spec), tuple(spec.missing), numbers)
    else:
        parts = [
            _numbers(variable, spec, replace(place, columns=(name,)), column, numbers)
            for name, column in zip(spec.names, cells, strict=True)
        ]
        array = parts[0] if spec.column is not None else _stacked(spec.names, parts)
    array = _shaped(variable, ", ".join(spec.names), array)
    if variable.role == "supervised":
        array = array.astype(_label_type(array), copy=False)
    if array.dtype != np.uint8:
        array = checked(replace(variable, domain="unit") if grey else variable, place, array)
    return _cut(array) if spec.binarize == "threshold" else array


def _are_one_text(variable: Variable, spec: ColumnSpec, cells: Sequence[Array]) -> bool:
    """Stacked columns of text that are read alike, so that thousands of them are read at once. (What -1 means to a
    discrete variable is a question to each column.)"""
    alike = not read_as(variable, spec).discrete and not isinstance(spec.missing, dict)
    return spec.columns is not None and alike and all(c.ndim == 1 and c.dtype.kind == "U" for c in cells)


def _label_type(array: Array) -> type[np.generic]:
    """Labels are read alike, whatever type the blanks of a column forced on it."""
    return np.int64 if array.dtype.kind == "i" else np.float64


def _small(array: Array) -> Array:
    """Whole numbers in the smallest signed type that has them all."""
    if array.dtype.kind != "i" or not array.size:
        return array
    low, high = array.min(), array.max()
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return array.astype(kind)
    return array


def with_source_classes(variable: Variable, spec: ColumnSpec, table: Table) -> Variable:
    """Class folders name the classes of a category without `names`, in sorted order (numbers stay numbers).

    Raises DataError where `check` would have refused them.
    """
    folders = (table.classes or {}).get(spec.column or "", ())
    if not folders:
        return variable
    missing = spec.missing_in(spec.column or "")
    problem = problem_with_class_folders(variable, spec.column or "", folders, listed_folders(folders, missing))
    if problem is not None:
        raise DataError(*problem)
    return with_folder_names(variable, folders, missing)


def _numbers(variable: Variable, spec: ColumnSpec, place: Place, cells: Array, numbers: NumberFormat) -> Array:
    """One column as numbers: bytes of an image, whole numbers, or floats."""
    (name,) = place.columns
    missing = spec.missing_in(name)
    if cells.dtype.kind == "U":
        return read_text(place, cells, read_as(variable, spec), missing, numbers)
    if spec.colour is not None:
        cells = image_files.recolour(name, cells, spec.colour)
    if spec.resize is not None:
        cells = image_files.resize(name, cells, spec.resize)
    image_files.require_one_size(name, cells)
    are_bytes = _are_bytes(variable, spec, cells)
    if are_bytes and not _as_real(variable, spec):
        return cells
    blank = blank_cells(cells, missing)
    if variable.discrete and spec.binarize is None:
        return as_integers(place, cells, blank, variable)
    floats = as_floats(cells, blank)
    floats = floats / np.float32(255) if are_bytes else floats
    return floats if spec.local_contrast is None else local_contrast(name, floats, spec.local_contrast)


def _as_real(variable: Variable, spec: ColumnSpec) -> bool:
    """Bytes become floats at once: to be standardized or set beside their surroundings, or where some are blank (no
    other byte ever is)."""
    return spec.standardize or variable.role == "supervised" or bool(spec.missing) or spec.local_contrast is not None


def _are_bytes(variable: Variable, spec: ColumnSpec, cells: Array) -> bool:
    """The cells are bytes that stand for [0, 1]: images, and vectors where the variable asks for values in [0, 1]."""
    if variable.discrete and spec.binarize is None:
        return False
    dtype, axes = (cells[0].dtype, 1 + cells[0].ndim) if cells.dtype == object else (cells.dtype, cells.ndim)
    return bool(dtype == np.uint8 and (axes > 2 or (axes > 1 and variable.domain in ("unit", "binary"))))


def _brightest(variable: Variable, spec: ColumnSpec, cells: Array) -> int | None:
    """The largest byte; None for cells that are not bytes of images."""
    if not _are_bytes(variable, spec, cells):
        return None
    return max(int(cell.max(initial=0)) for cell in (cells if cells.dtype == object else (cells,)))


def _refuse_dark(column: str, largest: int | None) -> None:
    if largest is not None and largest <= 1:
        raise DataError(
            f"column {column!r} is stored as bytes, and no byte is larger than {largest}",
            "bytes are divided by 255: if the values are 0 and 1 already, store them as bool or float, or, of picture "
            "files, say `white: 1` in data",
        )


def _stacked(columns: tuple[str, ...], parts: list[Array]) -> Array:
    shapes = {part.shape[1:] for part in parts}
    if shapes != {()}:
        shown = ", ".join(map(show_shape, sorted(shapes)))
        raise DataError(
            f"columns {', '.join(columns)} cannot be stacked: their cells have shapes {shown}",
            "stack columns of single numbers",
        )
    return np.stack(parts, axis=1)


def _shaped(variable: Variable, column: str, array: Array) -> Array:
    """Cells in the variable's shape, by the same rule that `check` uses."""
    stored = tuple(array.shape[1:])
    reading = fit(stored, variable.shape)
    if reading is None:
        raise DataError(
            f"column {column!r} has cells of shape {show_shape(stored)}, "
            f"{variable.name} has shape {show_shape(variable.shape)}",
            f"say shape: {show_shape(stored)}, or use another column",
        )
    if reading == "channels_first":
        array = array.transpose(0, 3, 1, 2)
    return array.reshape(len(array), *variable.shape)


def _cut(array: Array) -> Array:
    """Black or white at one half; bytes stay bytes, blanks stay blank."""
    if array.dtype == np.uint8:
        return np.where(array >= 128, np.uint8(255), np.uint8(0))
    return np.where(np.isnan(array), array, (array >= 0.5).astype(array.dtype))
