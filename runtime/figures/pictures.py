"""Values of a variable as pictures with numbers in [0, 1]."""

import torch
from torch import Tensor

from graphspec.graphs.graph import Variable
from runtime.answering.panels import picture_shape

OUTLIERS = (0.01, 0.99)
"""Quantiles that become black and white where a variable has no range of its own."""


def pictures(values: Tensor, variable: Variable) -> Tensor:
    """[R, C, *shape] -> [R, C, channels, H, W] float32 in [0, 1]; a blank value is white.

    `unit` and `binary` are shown as they are; every other domain is stretched over the values of this panel.
    """
    shape = picture_shape(variable)
    assert shape is not None, f"{variable.name} is not a picture"
    cells = values.detach().float().reshape(*values.shape[:2], *shape)
    if variable.domain not in ("unit", "binary"):
        cells = _stretched(cells)
    return cells.clamp(0, 1).nan_to_num(1.0)


def _stretched(cells: Tensor) -> Tensor:
    known = cells[cells.isfinite()]
    if not len(known):
        return cells
    step = max(1, len(known) // 1_000_000)  # torch.quantile refuses very large inputs
    low, high = torch.quantile(known[::step], torch.tensor(OUTLIERS)).tolist()
    stretched: Tensor = (cells - low) / max(high - low, 1e-12)
    return stretched


def enlarged(cells: Tensor, factor: int) -> Tensor:
    """Each pixel of [..., H, W] as a square of `factor` pixels: small pictures stay exact."""
    return cells.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)
