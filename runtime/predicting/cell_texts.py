"""Columns as text: numbers with as many digits as bring them back, blanks as nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphspec.headers.parquet import cells_as_text
from runtime.predicting.output_columns import Cells

Texts = NDArray[np.str_]


def as_text(cells: Cells, decimal: str = ".") -> Texts:
    """A column as a table of text has it."""
    if cells.values is None:
        return own_as_text(cells.own)
    values = named(cells) if cells.names else numbers_as_text(cells.values, decimal)
    if cells.own is None or cells.use is None:
        return values
    return np.where(cells.use, values, own_as_text(cells.own))


def named(cells: Cells) -> Texts:
    """What classes are called, "" for none."""
    assert cells.values is not None
    names = np.array([*cells.names, ""], dtype=np.str_)
    index = np.where(np.isnan(cells.values), len(cells.names), cells.values).astype(np.int64)
    found: Texts = names[index]
    return found


def numbers_as_text(values: NDArray[Any], decimal: str = ".") -> Texts:
    """The shortest text that reads as the same number of the same precision."""
    texts: Texts = values.astype(np.str_)
    texts[np.isnan(values)] = ""
    return texts if decimal == "." else np.char.replace(texts, ".", decimal)


def own_as_text(own: Any) -> Texts:
    """A column of the input."""
    if isinstance(own, np.ndarray):
        if own.dtype.kind == "U":
            return own
        return numbers_as_text(own) if own.dtype.kind == "f" else own.astype(np.str_)
    return np.array(cells_as_text(own), dtype=np.str_)
