"""y as an estimator was given it: which rows have a label, and which class or number that is."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.estimators.given_columns import is_absent

Array = NDArray[Any]
TWO_CLASSES = (
    "y holds only -1 and 1: taken as two classes, every row with its label. Write NaN or None where a row has no label"
)


@dataclass(frozen=True)
class GivenLabels:
    """classes: sorted, of the type of y. index: [N] the place in them of each row's label, -1 without."""

    classes: Array
    index: NDArray[np.int64]

    @property
    def given(self) -> NDArray[np.bool_]:
        """[N]: which rows have one."""
        return self.index >= 0


def classes_of(y: Array, known: Sequence[Any] | None) -> GivenLabels:
    """Labels of classes; known: all classes that there are, if not only those of y. NaN, None, "" and, unless y holds
    nothing but -1 and 1, -1 mean that a row has no label. Raises ValueError where no row has one, or one is not known.
    """
    given = labelled(y)
    values = _plain(y[given])
    if not len(values):
        raise ValueError("y has no label in any row: NaN, None and -1 mean that there is none")
    classes = np.unique(values)
    if known is not None:
        every = np.unique(_plain(np.asarray(list(known))))
        strange = [each for each in classes.tolist() if each not in every.tolist()]
        if strange:
            raise ValueError(f"y has the class {strange[0]!r}, which is not among classes={every.tolist()}")
        classes = every.astype(np.result_type(classes, every)) if every.dtype.kind == classes.dtype.kind else every
    places = {each: place for place, each in enumerate(classes.tolist())}
    index = np.full(len(y), -1, dtype=np.int64)
    index[given] = [places[each] for each in values.tolist()]
    return GivenLabels(classes, index)


def labelled(y: Array) -> NDArray[np.bool_]:
    """[N]: rows that have a label. Warns where -1 and 1 are all that there is."""
    if y.dtype.kind in "iuf":
        given = ~np.isnan(y) if y.dtype.kind == "f" else np.ones(len(y), dtype=np.bool_)
        return given & ~_no_label(y, given)
    if y.dtype.kind == "b":
        return np.ones(len(y), dtype=np.bool_)
    given = np.array([not is_absent(cell) for cell in y.tolist()], dtype=np.bool_)
    numbers = [cell for cell in y[given].tolist() if isinstance(cell, int | float) and not isinstance(cell, bool)]
    if len(numbers) == int(given.sum()):
        as_numbers = np.full(len(y), np.nan)
        as_numbers[given] = numbers
        given &= ~_no_label(as_numbers, given)
    return given


def _no_label(y: Array, given: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[N]: rows that say -1 for none."""
    different = set(np.unique(y[given]).tolist())
    if different == {-1, 1}:
        warnings.warn(TWO_CLASSES, UserWarning, stacklevel=5)
        return np.zeros(len(y), dtype=np.bool_)
    found: NDArray[np.bool_] = y == -1
    return found


def _plain(values: Array) -> Array:
    """Labels of one type: numbers where all are some, else texts. Raises ValueError for a mixture of both."""
    if values.dtype != object:
        return values
    cells = values.tolist()
    if all(isinstance(cell, bool | int | float | np.number) for cell in cells):
        return np.array(cells)
    texts = [cell for cell in cells if isinstance(cell, str)]
    if len(texts) < len(cells):
        raise ValueError("y mixes texts and numbers: write all labels as one of them")
    return np.array(texts, dtype=np.str_)


def numbers_of(y: Array) -> NDArray[np.float64]:
    """[N] labels that are numbers, NaN without. Raises ValueError for what is none, and where no row has one."""
    cells = [np.nan if is_absent(cell) else cell for cell in y.tolist()] if y.dtype == object else y
    numbers = np.asarray(cells, dtype=np.float64)
    if np.isinf(numbers).any():
        raise ValueError("Input y contains infinity or a value too large: write NaN where a row has no label")
    if np.isnan(numbers).all():
        raise ValueError("y has no label in any row: NaN and None mean that there is none")
    return numbers
