"""The loss of one batch: unlabelled and labelled rows in one evaluation, weighted so that its mean is the objective.

L = (1 - rho) * mean over unlabelled rows + rho * mean over labelled rows   (design, section 3)

A batch of U and L rows gives each unlabelled row (1 - rho) / U and each labelled row rho / L. The two streams are
uniform over their rows, so the expected loss of every batch, of whatever size, is -L.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compiler.module import Evaluation, Model
from compiler.noise import Noise
from compiler.weights import ObjectiveWeights


@dataclass(frozen=True)
class Share:
    """This process's part of a batch: positions in the training rows [B], unlabelled first, and their weights [B]."""

    positions: Tensor
    weights: Tensor
    unlabelled: int


def share_of(unlabelled: Tensor, labelled: Tensor, rho: float, process: int = 0, processes: int = 1) -> Share:
    """Every `processes`-th row of each stream, weighted by the sizes of the whole batch.

    unlabelled [U], labelled [L]: positions; either may be empty, but not both. A process for which nothing is left
    repeats one row at weight zero, so that all of them take the step.
    """
    counts = (len(unlabelled), len(labelled))
    assert sum(counts) > 0, "a batch has at least one row"
    parts = [unlabelled[process::processes], labelled[process::processes]]
    shares = [(1.0 - rho) / counts[0] if counts[0] else 0.0, rho / counts[1] if counts[1] else 0.0]
    if not len(parts[0]) + len(parts[1]):
        fill = 0 if counts[0] else 1
        parts[fill], shares[fill] = (unlabelled, labelled)[fill][:1], 0.0
    weights = [torch.full((len(part),), share, dtype=torch.float64) for part, share in zip(parts, shares, strict=True)]
    return Share(torch.cat(parts), torch.cat(weights), len(parts[0]))


class Loss(nn.Module):
    """The model's loss as a module of its own, so that Accelerate can wrap what the step calls."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, rows: dict[str, Tensor], row_weights: Tensor, weights: ObjectiveWeights, noise: Noise
    ) -> tuple[Tensor, Evaluation]:
        """(loss [], evaluation). Down is good: the objective with its sign turned."""
        evaluation = self.model.evaluate(rows, weights=weights, noise=noise)
        return -(row_weights * evaluation.bound).sum(), evaluation
