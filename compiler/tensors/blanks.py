"""How values of a variable look as tensors: rows as the user gives them, supports, blanks.

category: int64 class index. binary: 0 or 1; count: the count itself; both in the model's floating dtype, like every
continuous domain. A relaxed discrete value has a trailing axis of class probabilities (binary: a number in [0, 1]).
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from compiler.tensors.expression import applied
from graphspec.graphs.graph import Graphs, Variable

PRESENCE = " present"
"""Added to a variable's name: the flag of an observed variable that may be blank. No variable can be called so."""

FILLERS = {"positive": 1.0, "unit": 0.5}
"""Values that stand where a row is blank, of domains in which 0 is not legal."""


def given(graphs: Graphs, name: str, values: Tensor) -> Tensor:
    """[B, *row shape] bool: elements that have a value. Blank is NaN, or -1 for category, binary and count.

    Elements of a direction, of a simplex or of what a flow gives depend on each other: one blank makes the whole blank.
    """
    variable = graphs.variables[name]
    whole_numbers = isinstance(values, Tensor) and not values.is_floating_point()
    here = values != -1 if whole_numbers else ~values.isnan()
    if variable.discrete and not whole_numbers:
        here = here & (values != -1)
    if variable.shape and graphs.indivisible(name):
        together = 1 if variable.info.link in ("normalize", "softmax") else len(variable.shape)
        first = 1 + len(variable.plates)
        here = here.all(tuple(range(first, first + together)), keepdim=True).expand_as(values)
    return here


def blank(variable: Variable, rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[rows, *row shape] without any value."""
    if variable.domain == "category":
        return torch.full((rows, *variable.row_shape), -1, device=device)
    return torch.full((rows, *variable.row_shape), torch.nan, dtype=dtype, device=device)


def filled(variable: Variable, values: Tensor, mask: Tensor) -> Tensor:
    """Values [B, *shape] with something legal where `mask` is False."""
    return torch.where(mask, values, filler(variable))


def filler(variable: Variable) -> float:
    """A legal value of one element. It never counts, but must not be NaN."""
    match variable.domain:
        case "direction":
            return float(variable.shape[0] ** -0.5)
        case "simplex":
            return 1 / variable.shape[0]
        case _:
            return FILLERS.get(variable.domain or "real", variable.minimum)


def entering(variable: Variable, values: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
    """An observed variable that may be blank as it enters networks: zero where it is (of a variable with a start, what
    networks read as zero); a category as one-hot weights, so that a blank reads no row of its table."""
    if variable.start is not None:
        typical = mask.to(dtype).new_tensor(variable.start.typical).reshape(variable.start.shape)
        return torch.where(mask, values, typical)
    if variable.domain != "category":
        return torch.where(mask, values, 0)
    weights = applied(one_hot, torch.where(mask, values, 0), variable.support, 0, mask.to(dtype))
    return weights * mask.unsqueeze(-1)


def as_value(
    variable: Variable, values: Tensor, dtype: torch.dtype, sizes: Mapping[str, int] = MappingProxyType({})
) -> Tensor:
    """Rows [B, *row shape] as the modules expect them; sizes: of plates of which rows hold fewer elements. Raises
    ValueError when the shape is not the variable's."""
    plates = tuple(sizes.get(name, size) for name, size in variable.plates)
    if tuple(values.shape[1:]) != (*plates, *variable.shape):
        expected = ["B", *variable.row_shape]
        raise ValueError(f"variable {variable.name!r} takes values of shape {expected}, got {list(values.shape)}")
    if variable.domain == "category":
        return torch.nan_to_num(values, nan=-1.0).long() if values.is_floating_point() else values.long()
    return values.to(dtype)


def every_value(choices: int, shape: Sequence[int], device: torch.device) -> Tensor:
    """Every joint index of the elements: [choices ** elements, 1, *shape]."""
    axes = [torch.arange(choices, device=device)] * math.prod(shape)
    return torch.cartesian_prod(*axes).reshape(-1, 1, *shape)


def placed(target: Tensor, positions: slice | Tensor, values: Tensor) -> Tensor:
    """`target` [B, ...] with `values` [n, ...] at some of its rows."""
    if isinstance(positions, slice):
        return target.slice_scatter(values, 0, positions.start, positions.stop)
    return target.index_put((positions.to(target.device),), values)


def one_hot(values: Tensor, classes: int, minimum: int, like: Tensor) -> Tensor:
    """Values [..., *shape] of a discrete variable as a relaxed value has them, [..., *shape, K], typed as `like`."""
    index = (values - minimum).long().unsqueeze(-1)
    # not torch's one_hot, which looks at the smallest and largest index first
    return torch.zeros(*values.shape, classes, dtype=like.dtype, device=values.device).scatter_(-1, index, 1)
