"""What the operations need when a plan runs, and how values are laid on each other's axes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from compiler.plan.plan import Value
from compiler.symbolic.program import Axes
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise

Rows = slice | Tensor
"""Where some rows of a batch are: side by side, or positions [n]."""


@dataclass
class Context:
    """One run. noise: for the rows at hand; batch: how many they are. numbers: the objective's weights.

    rooms: of plates with a count (by axis), how many elements the batch holds: as many as its longest row has.
    rows_of_data: training rows that these stand for (total correlation); None: the batch is all there is.
    importance: normalised weights of the draws, for the doubly reparameterised gradient, once they are known.
    choosing: in place of a sum's logarithm, one whose gradient is a draw from what is summed (`plan.choosing`).
    parts, rows: of a joint plan, each group's own context, and where its rows are in the batch.
    """

    noise: Noise
    numbers: ObjectiveWeights
    dtype: torch.dtype
    device: torch.device
    rooms: Mapping[str, int] = field(default_factory=dict)
    rows_of_data: int | None = None
    importance: Tensor | None = None
    choosing: Callable[[Tensor, int], Tensor] | None = None
    parts: Sequence["Context"] = ()
    rows: Sequence[Rows] = ()
    _joined: dict[Any, Rows] = field(default_factory=dict)

    def joined(self, groups: tuple[int, ...], places: tuple[int, ...] | None) -> Rows:
        """The rows of several groups, one group after the other; places: how often all of each group's."""
        if (groups, places) not in self._joined:
            own = [self.rows[group] for group in groups]
            if places is not None:
                own = [positions(rows).repeat(count) for rows, count in zip(own, places, strict=True)]
            rows = joined_rows(own)
            self._joined[groups, places] = rows if isinstance(rows, slice) else rows.to(self.device)
        return self._joined[groups, places]

    @property
    def batch(self) -> int:
        """Rows."""
        return self.noise.batch

    def room(self, axis: str, size: int) -> int:
        """How many elements of a plate of some size the batch holds."""
        return self.rooms.get(axis, size)

    def number(self, kind: str, variable: str) -> float:
        """A weight of the objective, or a temperature."""
        return self.numbers.number(kind, variable)

    def full(self, value: float, shape: Sequence[int] = (1,)) -> Tensor:
        """The same number everywhere, for every row."""
        return torch.full(tuple(shape), value, dtype=self.dtype, device=self.device)

    @property
    def floating(self) -> Tensor:
        """A tensor of the run's own type, on its device."""
        return self.full(0.0)

    def log(self, number: int) -> float:
        """Of a number that is known beforehand."""
        return math.log(number)


Run = Callable[..., Any]
"""(context, *inputs) -> the output, or a tuple of outputs."""


def gaps(own: Axes, onto: Axes, *, every: bool = False) -> tuple[int, ...]:
    """Where dimensions of size 1 have to be inserted, from the front, so that `own` lies on `onto`. Those in front of
    all others come by broadcasting; every: they are inserted too."""
    missing = [axis not in own for axis in onto]
    first = 0 if every else next((place for place, gone in enumerate(missing) if not gone), len(missing))
    return tuple(place - (0 if every else first) for place, gone in enumerate(missing) if gone and place >= first)


def on(value: Value, onto: Axes, *, every: bool = False) -> Callable[[Tensor], Tensor] | None:
    """The change that lays a tensor on the axes `onto`; None where there is nothing to do."""
    places = gaps(value.axes, onto, every=every)
    if not places:
        return None
    if len(places) == 1:
        (place,) = places
        return lambda tensor: tensor.unsqueeze(place)

    def spread(tensor: Tensor) -> Tensor:
        for place in places:
            tensor = tensor.unsqueeze(place)
        return tensor

    return spread


def laid_out(inputs: Sequence[Value], onto: Axes, run: Run, *, every: bool = False, but: int | None = None) -> Run:
    """`run` of the inputs on common axes; but: the place of one that stays as it is."""
    changes = [None if place == but else on(value, onto, every=every) for place, value in enumerate(inputs)]
    if not any(changes):
        return run

    def with_changes(context: Context, *tensors: Tensor) -> Any:
        # as code a standard prior has no parameters, which come last
        return run(context, *(t if c is None else c(t) for t, c in zip(tensors, changes, strict=False)))

    return with_changes


def stacked(values: Sequence[Tensor]) -> Tensor:
    """Side by side along a new first axis."""
    if any(value.shape != values[0].shape for value in values):
        values = torch.broadcast_tensors(*values)
    return torch.stack([*values])


def joined_rows(rows: Sequence[Rows]) -> Rows:
    """Rows of several groups, one group after the other: a slice where they follow each other."""
    if len(rows) == 1:
        return rows[0]
    stretches = [part for part in rows if isinstance(part, slice)]
    if len(stretches) == len(rows) and all(a.stop == b.start for a, b in pairwise(stretches)):
        return slice(stretches[0].start, stretches[-1].stop)
    return torch.cat([positions(part) for part in rows])


def positions(rows: Rows) -> Tensor:
    """[n] of some rows."""
    return torch.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def some_rows(data: Tensor, rows: Rows, dim: int = 0) -> Tensor:
    """Rows of [B, ...], or along another dimension: a view where they stand side by side."""
    if isinstance(rows, slice):
        count = rows.stop - rows.start
        return data if count == data.shape[dim] else data.narrow(dim, rows.start, count)
    return data.index_select(dim, rows)
