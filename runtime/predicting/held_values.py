"""Values that a caller holds while rows are drawn, read by the rules of tables: data units, names of columns, classes.

From: names with one value, or with one for each row. To: tensors in the model's units.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphspec.graphs.graph import Variable
from graphspec.reading.suggestions import did_you_mean, few
from runtime.errors import RunError
from runtime.measures.evaluation import placement
from runtime.predicting.used_run import UsedRun

Cells = NDArray[Any]


def held_values(used: UsedRun, given: Any, count: int) -> dict[str, torch.Tensor]:
    """{name: [count, *shape]}. given: a mapping, or a table with columns, of whole variables or columns to values; None
    holds nothing. Raises RunError for names and values that are none, and for parts of variables."""
    names = {column: name for name in used.columns for column in used.columns[name].names}
    by_variable: dict[str, list[Cells | None]] = {}
    for column, values in _columns(given):
        if column not in names and column not in used.graphs.variables:
            known = [*names, *used.graphs.latent]
            raise RunError(
                f"no variable or column is called {column!r}",
                f"{did_you_mean(column, known)} there are: {few(known, 12)}".strip(),
            )
        name = names.get(column, column)
        variable, elements = used.graphs.variables[name], used.elements(name)
        if variable.role == "deterministic":
            raise RunError(f"{column} is computed", "hold variables that have a distribution")
        cells = by_variable.setdefault(name, [None] * len(elements))
        if column in elements and len(elements) > 1:
            cells[elements.index(column)] = _rows(column, np.asarray(values), 1, count)[:, 0]
        else:
            cells[:] = _rows(column, np.asarray(values), len(elements), count, elements).T
    for name, cells in by_variable.items():
        if any(each is None for each in cells):
            raise RunError(f"{name} is held in part", f"give all of {few(used.elements(name))}")
    return {name: _tensor(used, name, [c for c in cells if c is not None]) for name, cells in by_variable.items()}


def _columns(given: Any) -> Iterable[tuple[str, Any]]:
    if given is None:
        return ()
    names = given.keys() if hasattr(given, "keys") else getattr(given, "columns", None)
    if names is None or not hasattr(given, "__getitem__"):
        raise RunError(f"given: a {type(given).__name__} names nothing", "write given={'column': value}")
    return [(str(name), given[name]) for name in names]


def _rows(column: str, values: Cells, elements: int, count: int, names: Iterable[str] = ()) -> Cells:
    """[count, elements] of one value, of the elements of one row, or of all rows."""
    if values.size == elements and (values.ndim == 0 or elements > 1 or count != 1):
        return np.broadcast_to(values.reshape(1, elements), (count, elements))
    if values.size == count * elements and len(values) == count:
        return values.reshape(count, elements)
    raise RunError(
        f"{column} has {elements} elements, and {count} rows are drawn; what is held has the shape {list(values.shape)}"
        if elements > 1
        else f"{column}: {values.size} values for {count} rows",
        f"give one value of each of {few(names)}, or of each row" if elements > 1 else "give one, or one a row",
    )


def _tensor(used: UsedRun, name: str, cells: list[Cells]) -> torch.Tensor:
    device, dtype = placement(used.model)
    variable, units = used.graphs.variables[name], used.units.get(name)
    numbers = np.stack([_numbers(variable, each) for each in cells], axis=1)
    tensor = torch.from_numpy(numbers).to(dtype).reshape(-1, *variable.shape)
    return (tensor if units is None else units.from_data(tensor)).to(device)


def _numbers(variable: Variable, cells: Cells) -> NDArray[np.float64]:
    """Each different value is looked at once."""
    different, place = np.unique(cells.astype(np.str_), return_inverse=True)
    legal = np.array([legal_number(variable, text.strip()) for text in different.tolist()])
    found: NDArray[np.float64] = legal[place.reshape(-1)]
    return found


def legal_number(variable: Variable, text: str) -> float:
    """A value as the model has it: the index of a class, else the number. Raises RunError for one that is none."""
    if text in variable.names:
        return float(variable.names.index(text))
    values = ", ".join(variable.value_names[:12]) or f"those of {variable.domain}"
    try:
        number = float(text)
    except ValueError:
        raise RunError(f"{text!r} is no value of {variable.name}", f"values: {values}") from None
    inside = variable.support is None or number - variable.minimum in range(variable.support)
    if not inside or number != number or (variable.domain == "positive" and number <= 0):
        raise RunError(f"{text} is no value of {variable.name}", f"values: {values}")
    return number
