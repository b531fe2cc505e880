"""Whether numbers are values of a variable. From: [N, *shape], blanks as NaN or -1. To: the same, or a DataError."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from graphspec.rules.array_rules import UNIT_LENGTH
from runtime.data.read.cells import BLANK, Place, bad_cell, legal_values
from runtime.data.read.table import Array
from runtime.errors import DataError


def checked(variable: Variable, place: Place, array: Array) -> Array:
    """The values are the domain's; directions and simplexes that miss their length by rounding are normalised."""
    blank = _blank_elements(array)
    wrong, what, hint = _wrong_values(variable, array)
    wrong &= ~blank
    if wrong.any():
        raise bad_cell(place, array, wrong, what, hint)
    axis = 1 + variable.row_axes
    if variable.domain == "direction":
        return _normalised(place, array, np.sqrt((array**2).sum(axis=axis, keepdims=True)), "length", variable)
    if variable.domain == "simplex":
        return _normalised(place, array, array.sum(axis=axis, keepdims=True), "sum", variable)
    return array


def _blank_elements(array: Array) -> NDArray[np.bool_]:
    blank: NDArray[np.bool_] = np.equal(array, BLANK) if array.dtype.kind == "i" else np.isnan(array)
    return blank


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


def _normalised(place: Place, array: Array, size: Array, word: str, variable: Variable) -> Array:
    """Elements depend on each other, so that one blank (its size is NaN) makes the whole vector blank."""
    wrong = np.abs(size - 1) > UNIT_LENGTH
    if wrong.any():
        hint = "a direction has length 1" if word == "length" else "the elements of a simplex add up to 1"
        raise bad_cell(place, size, wrong, f"is the {word} of this row, 1 is expected for {variable.name}", hint)
    result: Array = array / size
    return result


def rows_present(variable: Variable, place: Place, array: Array) -> NDArray[np.bool_]:
    """Rows with at least one element. A variable that every row must have raises DataError for its first blank."""
    count = len(array)
    if array.dtype == np.uint8:
        return np.ones(count, dtype=np.bool_)
    blank = _blank_elements(array)
    if variable.role == "observed" and not variable.missing:
        if blank.any():
            raise _blank_error(variable, place, blank, array)
        return np.ones(count, dtype=np.bool_)
    return np.asarray(~blank.all(axis=tuple(range(1, blank.ndim))), dtype=np.bool_)


def _blank_error(variable: Variable, place: Place, blank: NDArray[np.bool_], array: Any) -> DataError:
    what = f"is a blank, but {variable.name} is observed: every row has it"
    if array.dtype.kind == "i":
        what = f"(a blank) in {variable.name}, which is observed: every row has it"
    hint = (
        f"fill or drop these rows, or declare {variable.name} with missing: true if nothing in `generative` depends on "
        "it, else with role: supervised"
    )
    return bad_cell(place, array, blank, what, hint)
