"""log q(z) averaged over the data, estimated from one batch (Chen et al. 2018, appendix C).

pairs[..., i, c, d] = log q(element d of draw i | row c), with components of a row already weighed against each other.
"""

import math
from typing import Literal

import torch
from torch import Tensor


def aggregate(
    pairs: Tensor, form: Literal["joint", "product"], estimator: Literal["stratified", "weighted"], rows: int | None
) -> Tensor:
    """[*lead, B] log densities of B draws under the mixture over the data, from [*lead, B, B, D] pairs.

    rows: size N of the data the batch is drawn from; None: the batch is the data, and the mixture is exact.
    joint: log q(z); product: sum over elements of log q(z_d).
    """
    batch = pairs.shape[-2]
    log_weights = _log_weights(batch, rows or batch, estimator, pairs)
    if form == "joint":
        return torch.logsumexp(pairs.sum(-1) + log_weights, dim=-1)
    return torch.logsumexp(pairs + log_weights.unsqueeze(-1), dim=-2).sum(-1)


def _log_weights(batch: int, rows: int, estimator: Literal["stratified", "weighted"], like: Tensor) -> Tensor:
    """[B, B]: log weight of row c in the mixture as seen from draw i.

    weighted: log 1 / (B N) for every pair (minibatch weighted sampling). stratified: the draw's own row is one of N and
    gets 1 / N; the others share what is left. Both are exact where the batch is the data.
    """
    if rows <= batch:
        return like.new_full((batch, batch), -math.log(batch))
    if estimator == "weighted":
        return like.new_full((batch, batch), -math.log(batch * rows))
    if batch == 1:
        return like.new_zeros((1, 1))
    others = math.log((rows - 1) / (rows * (batch - 1)))
    return like.new_full((batch, batch), others).fill_diagonal_(-math.log(rows))
