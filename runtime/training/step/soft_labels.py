"""Soft labels: L = sum_k w_k L(y = k), by rows that stand in the batch once for each class that has a weight.

From: what a step is given, with each soft label at its likeliest class. To: the same and, behind those rows, the same
rows at their other classes; the weights of a row's copies add up to its own. Copies share the noise of their row.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def with_every_class(inputs: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """inputs: `rows` {name: [B, ...]}, `row_weights` [B], `noise`, and what else there is by row, [B] on the CPU.

    weights: {label: [B, K]}, adding up to 1 where the row has the label; rows whose label is blank (-1) stay as they
    are. Several soft labels of one row: every combination of their classes.
    """
    rows, row_weights = dict(inputs["rows"]), inputs["row_weights"]
    origin = torch.arange(len(row_weights))
    for name, of_rows in weights.items():
        shares, value = of_rows[origin], rows[name].cpu()
        given = value >= 0
        likeliest = value.clamp_min(0)
        others = (shares > 0) & given[:, None] & (torch.arange(shares.shape[1]) != likeliest[:, None])
        row, other = others.nonzero(as_tuple=True)
        first = torch.where(given, shares.gather(1, likeliest[:, None])[:, 0], 1.0)
        copied, device = row.to(row_weights.device), row_weights.device
        more = row_weights[copied] * shares[row, other].to(row_weights)
        row_weights = torch.cat([row_weights * first.to(row_weights), more])
        rows = {key: torch.cat([values, values[row.to(values.device)]]) for key, values in rows.items()}
        rows[name][len(origin) :] = other.to(device)
        origin = torch.cat([origin, origin[row]])
    by_row = {key: value[origin] for key, value in inputs.items() if key not in ("rows", "row_weights", "noise")}
    return {**by_row, "rows": rows, "row_weights": row_weights, "noise": inputs["noise"].select(origin)}
