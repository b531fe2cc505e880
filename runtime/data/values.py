"""From: raw columns, a variable and its `ColumnSpec`. To: one tensor [N, *shape] with blanks marked.

Stored types: uint8 for images of bytes (divided by 255 when batched), int64 for discrete variables (blank -1), floats
for all else (blank NaN). Raises DataError, with column, row and value, for everything out of range.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphspec.columns import fit, show_shape
from graphspec.graph import Variable
from graphspec.schema import ColumnSpec
from runtime.data import images
from runtime.data.cells import BLANK, as_floats, as_integers, bad_cell, blank_cells, legal_values
from runtime.data.table import Array, Table
from runtime.errors import DataError

_UNIT_LENGTH = 1e-2
"""Largest departure from length or sum 1 that rounding is taken for; such rows are normalised."""


@dataclass(frozen=True)
class Values:
    """A variable's values in every row of the source. present: [N], whether the row has a value."""

    tensor: Tensor
    present: NDArray[np.bool_]


def read_values(variable: Variable, spec: ColumnSpec, table: Table) -> Values:
    """Read, shape and check one variable."""
    variable = _with_source_classes(variable, spec, table)
    grey = spec.binarize is not None
    parts = [_numbers(variable, spec, name, table.columns[name], grey) for name in spec.names]
    column = ", ".join(spec.names)
    array = parts[0] if spec.column is not None else _stacked(column, parts)
    array = _shaped(variable, column, array)
    if variable.role == "supervised" and array.dtype == np.float32:
        array = array.astype(np.float64)  # labels are read alike, whatever type the blanks of a column forced on it
    if array.dtype != np.uint8:
        array = _checked(replace(variable, domain="unit") if grey else variable, column, array)
    if spec.binarize == "threshold":
        array = _cut(array)
    present = _present(variable, column, array)
    return Values(torch.from_numpy(np.ascontiguousarray(array)), present)


def _with_source_classes(variable: Variable, spec: ColumnSpec, table: Table) -> Variable:
    """Class folders name the classes of a category without `names`, in sorted order (numbers stay numbers)."""
    classes = (table.classes or {}).get(spec.column or "", ())
    if variable.names or variable.domain != "category" or not classes or all(name.isdecimal() for name in classes):
        return variable
    if variable.support is not None and len(classes) > variable.support:
        raise DataError(
            f"{table.name} has {len(classes)} class folders, {variable.name} has {variable.support} classes",
            f"say classes: {len(classes)}",
        )
    return replace(variable, names=classes)


def _numbers(variable: Variable, spec: ColumnSpec, name: str, cells: Array, grey: bool) -> Array:
    """One column as numbers: bytes of an image, whole numbers, or floats."""
    if spec.resize is not None:
        cells = images.resize(name, cells, spec.resize)
    images.require_one_size(name, cells)
    discrete = variable.discrete and not grey
    blank = blank_cells(cells, spec.missing)
    if discrete:
        return as_integers(name, cells, blank, variable)
    if cells.dtype != np.uint8 or not _is_picture(variable, cells):
        return as_floats(name, cells, blank)
    _refuse_dark(name, cells)
    may_be_blank = variable.role == "supervised" or variable.missing or bool(spec.missing)
    return as_floats(name, cells, blank) / np.float32(255) if spec.standardize or may_be_blank else cells


def _is_picture(variable: Variable, cells: Array) -> bool:
    """Bytes that stand for [0, 1]: images, and vectors where the variable asks for values in [0, 1]."""
    return cells.ndim > 2 or (cells.ndim > 1 and variable.domain in ("unit", "binary"))


def _refuse_dark(column: str, cells: Array) -> None:
    if cells.size and cells.max() <= 1:
        raise DataError(
            f"column {column!r} is stored as bytes, and no byte is larger than {cells.max()}",
            "bytes are divided by 255: if the values are 0 and 1 already, store them as bool or float",
        )


def _stacked(column: str, parts: list[Array]) -> Array:
    shapes = {part.shape[1:] for part in parts}
    if shapes != {()}:
        raise DataError(
            f"columns {column} cannot be stacked: their cells have shapes {', '.join(map(show_shape, sorted(shapes)))}",
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


def _checked(variable: Variable, column: str, array: Array) -> Array:
    """The values are the domain's; directions and simplexes that miss their length by rounding are normalised."""
    blank = array == BLANK if array.dtype.kind == "i" else np.isnan(array)
    wrong, what, hint = _wrong_values(variable, array)
    wrong &= ~blank
    if wrong.any():
        raise bad_cell(column, array, wrong, what, hint)
    if variable.domain == "direction":
        return _normalised(column, array, np.sqrt((array**2).sum(axis=1, keepdims=True)), "length", variable)
    if variable.domain == "simplex":
        return _normalised(column, array, array.sum(axis=1, keepdims=True), "sum", variable)
    return array


def _wrong_values(variable: Variable, array: Array) -> tuple[NDArray[np.bool_], str, str]:
    """Which elements the domain forbids, and how to say so."""
    name, domain = variable.name, variable.domain
    if variable.discrete:
        low = variable.minimum
        wrong = array < low
        if variable.support is not None:
            wrong = wrong | (array >= low + variable.support)
        images_hint = "; images of grey levels need binarize: dynamic or threshold" if domain == "binary" else ""
        return wrong, f"is no value of {name}, a {domain}", legal_values(variable) + images_hint
    infinite = np.isinf(array)
    if domain == "unit":
        what, hint = f"is outside [0, 1], the values of {name}", "divide by the largest value, or store images as uint8"
        return (array < 0) | (array > 1), what, hint
    if domain == "positive":
        return (array <= 0) | infinite, f"is not positive, as {name} must be", "use domain real, or shift the values"
    if domain == "simplex":
        return (array < 0) | infinite, f"is no share, as the elements of {name} must be", "shares are 0 or larger"
    return infinite, f"is no finite number, as {name} must be", "list it under missing: [...] if it means blank"


def _normalised(column: str, array: Array, size: Array, word: str, variable: Variable) -> Array:
    wrong = np.abs(size - 1) > _UNIT_LENGTH
    if wrong.any():
        hint = "a direction has length 1" if word == "length" else "the elements of a simplex add up to 1"
        raise bad_cell(column, size, wrong, f"is the {word} of this row, 1 is expected for {variable.name}", hint)
    result: Array = array / size
    return result


def _cut(array: Array) -> Array:
    """Black or white at one half; bytes stay bytes, blanks stay blank."""
    if array.dtype == np.uint8:
        return np.where(array >= 128, np.uint8(255), np.uint8(0))
    return np.where(np.isnan(array), array, (array >= 0.5).astype(array.dtype))


def _present(variable: Variable, column: str, array: Array) -> NDArray[np.bool_]:
    """Which rows have a value. A variable that every row must have raises DataError for its first blank."""
    count = len(array)
    if array.dtype == np.uint8:
        return np.ones(count, dtype=np.bool_)
    blank = (array == BLANK if array.dtype.kind == "i" else np.isnan(array)).reshape(count, -1)
    if variable.role == "observed" and not variable.missing:
        if blank.any():
            raise _blank_error(variable, column, blank.reshape(array.shape), array)
        return np.ones(count, dtype=np.bool_)
    some: NDArray[np.bool_] = np.asarray(blank.any(axis=1))
    whole: NDArray[np.bool_] = np.asarray(blank.all(axis=1))
    if variable.role == "supervised" and (some & ~whole).any():
        row = int(np.argmax(some & ~whole))
        raise DataError(
            f"column {column!r}, row {row}: some elements of label {variable.name} are blank and others are not",
            "labels that are blank in part come later in version 1: fill them, or blank the whole row",
        )
    return ~whole


def _blank_error(variable: Variable, column: str, blank: NDArray[np.bool_], array: Any) -> DataError:
    what = f"is a blank, but {variable.name} is observed: every row has it"
    if array.dtype.kind == "i":
        what = f"(a blank) in {variable.name}, which is observed: every row has it"
    return bad_cell(column, array, blank, what, "fill or drop these rows, or say role: supervised")
