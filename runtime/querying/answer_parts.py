"""What answers are made of: of each row a figure for each target, or all targets together."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from runtime.querying.meaning import AskedTarget


@dataclass
class Joint:
    """names: of the elements. values: [N, n] class numbers or numbers, a line each; probability, se: [N] of a table.
    whole: {variable: [S, *shape]} draws in data units, without a table."""

    names: tuple[str, ...]
    targets: tuple[AskedTarget, ...]
    values: NDArray[Any]
    probability: NDArray[Any] | None = None
    se: NDArray[Any] | None = None
    whole: dict[str, NDArray[Any]] = field(default_factory=dict)

    def of(self, name: str) -> NDArray[Any]:
        """[N] values of one element; NaN of one that is not there."""
        return self.values[:, self.names.index(name)] if name in self.names else np.full(len(self.values), np.nan)


@dataclass
class RowFigure:
    """A target's figure at one row: {"probabilities": [K], ..}, of several elements together for pictures."""

    target: AskedTarget
    name: str
    exact: bool
    values: dict[str, NDArray[Any]]
    influence: Tensor | None = None
    drawn: bool = False
    difference: NDArray[Any] | None = None
    difference_se: NDArray[Any] | None = None


@dataclass
class RowAnswer:
    """One row's answer. row: its number, None where there are no rows. refused: why there is none. examples: of a
    picture [E, elements], its means at E draws of all else, in data units."""

    row: int | None
    ess: float | None = None
    log_evidence: float | None = None
    refused: str | None = None
    figures: dict[str, RowFigure] = field(default_factory=dict)
    joint: Joint | None = None
    examples: NDArray[Any] | None = None
