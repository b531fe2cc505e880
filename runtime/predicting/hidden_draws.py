"""Joint draws of what is hidden, for rows of which some cells are blank.

q reads a blank as a zero and a flag, and is the surer of itself the fewer training rows were like that. p integrates
blanks out exactly, so that draws of q are weighted by p over q and drawn again: sampling importance resampling (Rubin
1987), as MIWAE imputes (Mattei and Frellsen 2019). Weights are cut off at sqrt(K) times their mean (Ionides 2008), so
that one draw of K never stands for all.
"""

from collections.abc import Iterator, Mapping
from math import prod

import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs
from runtime.predicting.row_noise import RowNoise
from runtime.predicting.used_run import UsedRun

PROPOSALS = 1000
"""Draws of q for each row."""
_ELEMENTS = 100_000
"""Numbers that the draws of one row may take: fewer draws of large rows."""
_AT_ONCE = 100_000
"""Draws that are weighted together."""


def can_be_weighed(graphs: Graphs) -> bool:
    """Both densities are those of whole rows: no plates, nothing summed out of p."""
    return not graphs.plates and not graphs.exact


def weighed_draws(used: UsedRun, rows: Mapping[str, Tensor], samples: int, noise: RowNoise) -> dict[str, Tensor]:
    """{name: [samples, B, *shape]} of every variable of q, about as likely as p has them given what a row tells.

    rows: as `as_rows` has them, in evaluation and without gradients. Labels that a row has are held.
    """
    graphs = used.graphs
    elements = sum(prod(variable.shape) for variable in graphs.variables.values())
    count = max(samples, min(PROPOSALS, _ELEMENTS // max(1, elements)))
    parts = [_of_part(used, rows, part, samples, count, noise) for part in _parts(noise.batch, count)]
    return {name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]}


def _parts(batch: int, count: int) -> Iterator[slice]:
    step = max(1, _AT_ONCE // count)
    return (slice(start, min(start + step, batch)) for start in range(0, batch, step))


def _of_part(
    used: UsedRun, rows: Mapping[str, Tensor], part: slice, samples: int, count: int, noise: RowNoise
) -> dict[str, Tensor]:
    own, batch = noise.select(part), part.stop - part.start
    some = {name: values[part] for name, values in rows.items()}
    drawn = used.model.infer(some, samples=count, noise=own)
    weights = _log_weights(used, some, drawn, count, batch)
    share = torch.softmax(weights, dim=0)
    share = share.clamp_max(count**-0.5)
    marks = (share / share.sum(0)).cumsum(0).T.contiguous()
    points = own.uniform("which proposals", (samples,), (), marks.dtype).T.contiguous()
    chosen = torch.searchsorted(marks, points).clamp_max(count - 1).T
    place = torch.arange(batch, device=chosen.device)
    return {name: values[chosen, place] for name, values in drawn.items()}


def _log_weights(
    used: UsedRun, rows: Mapping[str, Tensor], drawn: Mapping[str, Tensor], count: int, batch: int
) -> Tensor:
    """[K, B] log p(row, draw) - log q(draw | row). Draws are q's given labels, whose factors belong to it."""
    flat = {name: values.reshape(count * batch, *values.shape[2:]) for name, values in drawn.items()}
    told = {name: values.repeat(count, *(1,) * (values.dim() - 1)) for name, values in rows.items()}
    graphs = used.graphs
    values = {n: v for n, v in {**told, **flat}.items() if graphs.variables[n].role != "deterministic"}
    above = sum(used.model.log_prob("generative", values).values())
    below = sum(used.model.log_prob("recognition", values).values())
    return torch.as_tensor(above - below).reshape(count, batch).nan_to_num(nan=-torch.inf)
