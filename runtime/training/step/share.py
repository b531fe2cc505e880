"""Which rows of a batch one process takes, and what each of them weighs in the loss.

A batch of U unlabelled and L labelled rows gives each unlabelled row (1 - rho) / U and each labelled row rho / L. The
two streams are uniform over their rows, so the expected loss of every batch, of whatever size, is -L (design,
section 3).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """This process's part of a batch: positions in the training rows [B], unlabelled first, and their weights [B].

    places: [B] where these rows stand in the whole batch of `size` rows, unlabelled first; None means all of them.
    filler: this process has nothing left to do, and its row counts nothing.
    """

    positions: Tensor
    weights: Tensor
    unlabelled: int
    size: int
    places: Tensor | None
    filler: bool = False


def share_of(unlabelled: Tensor, labelled: Tensor, rho: float, process: int = 0, processes: int = 1) -> Share:
    """Every `processes`-th row of each stream, weighted by the sizes of the whole batch.

    unlabelled [U], labelled [L]: positions; either may be empty, but not both. A process for which nothing is left
    repeats one row at weight zero, so that all of them take the step.
    """
    counts = (len(unlabelled), len(labelled))
    size = sum(counts)
    assert size > 0, "a batch has at least one row"
    shares = [(1.0 - rho) / counts[0] if counts[0] else 0.0, rho / counts[1] if counts[1] else 0.0]
    places = [torch.arange(count)[process::processes] for count in counts]
    filler = not len(places[0]) + len(places[1])
    if filler:
        fill = 0 if counts[0] else 1
        places[fill], shares[fill] = torch.zeros(1, dtype=torch.int64), 0.0
    weights = [torch.full((len(part),), share, dtype=torch.float64) for part, share in zip(places, shares, strict=True)]
    positions = torch.cat([unlabelled[places[0]], labelled[places[1]]])
    mine = None if processes == 1 else torch.cat([places[0], places[1] + counts[0]])
    return Share(positions, torch.cat(weights), len(places[0]), size, mine, filler)
