"""How values of a variable look as tensors: rows as the user gives them, supports, blanks.

category: int64 class index. binary: 0 or 1; count: the count itself; both in the model's floating dtype, like every
continuous domain. A relaxed discrete value has a trailing axis of class probabilities (binary: a number in [0, 1]).
"""

from itertools import product

import torch
from torch import Tensor

from graphspec.graph import Variable


def present(variable: Variable, values: Tensor) -> Tensor:
    """[B] bool: rows in which every element has a value. Blank is NaN, or -1 for category, binary and count."""
    here = torch.ones_like(values, dtype=torch.bool)
    if values.is_floating_point():
        here = ~torch.isnan(values)
    if variable.discrete:
        here = here & (values != -1)
    return here.flatten(1).all(dim=1) if values.dim() > 1 else here


def as_value(variable: Variable, values: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows [B, *shape] as the modules expect them. Raises ValueError when the shape is not the variable's."""
    if tuple(values.shape[1:]) != variable.shape:
        expected = ["B", *variable.shape]
        raise ValueError(f"variable {variable.name!r} takes values of shape {expected}, got {list(values.shape)}")
    if variable.domain == "category":
        return values.long()
    return values.to(dtype)


def support(variable: Variable, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Every joint value of a discrete variable: [K ** elements, 1, *shape]."""
    assert variable.support is not None
    elements = 1
    for size in variable.shape:
        elements *= size
    table = torch.tensor(list(product(range(variable.support), repeat=elements)), device=device)
    values = table.reshape(-1, 1, *variable.shape)
    if variable.domain == "count":
        values = values + variable.minimum
    return values if variable.domain == "category" else values.to(dtype)
