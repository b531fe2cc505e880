"""Which elements answers are about: as many as a row is told to have, else as many as it most probably has.

From: answers about all places of a plate. To: the same, blank where there is no element.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from compiler.tensors.presence import outermost_first
from graphspec.graphs.graph import Plate
from runtime.predicting.row_answers import Answer, Array, which_given
from runtime.predicting.used_run import UsedRun

Present = Mapping[str, Array]
"""Of each plate [B, *sizes of the plates around it, its own size]: True where a row has that element."""


def present_elements(used: UsedRun, rows: Mapping[str, Tensor], answers: Sequence[Answer]) -> Present:
    """rows: {name: [B, *shape]} in the model's units, with the counts that they have."""
    found: dict[str, Array] = {}
    told = {answer.variable.name: answer for answer in answers}
    batch = len(next(iter(rows.values())))
    for plate in outermost_first(used.model.graphs):
        sizes = tuple(used.model.graphs.plates[each].size for each in plate.path)
        around = found[plate.path[-2]] if len(plate.path) > 1 else np.ones(batch, dtype=np.bool_)
        counts = np.full(sizes[:-1], plate.size) if plate.count is None else _counts(used, plate, rows, told)
        counts = np.broadcast_to(counts.reshape(-1, *sizes[:-1]), (batch, *sizes[:-1]))
        found[plate.name] = around[..., None] & (np.arange(plate.size) < counts[..., None])
    return found


def _counts(used: UsedRun, plate: Plate, rows: Mapping[str, Tensor], told: Mapping[str, Answer]) -> Array:
    """[B, outer] how many elements rows have: what they say, else the likeliest number."""
    name = plate.count or ""
    variable = used.graphs.variables[name]
    own = rows[name].double().cpu().numpy().reshape(len(rows[name]), -1) if name in rows else None
    if name not in told:
        assert own is not None, "a count is told or answered"
        return np.asarray(np.nan_to_num(own))
    likeliest: Array = np.nan_to_num(told[name].best) + variable.minimum
    return likeliest if own is None else np.where(which_given(variable, rows[name]), own, likeliest)


def only_present(used: UsedRun, answers: Sequence[Answer], present: Present) -> list[Answer]:
    """The same answers, blank in places without an element (an input's own cells there stay as they are)."""
    return [_only(used, answer, present) for answer in answers]


def _only(used: UsedRun, answer: Answer, present: Present) -> Answer:
    variable = used.model.graphs.variables[answer.variable.name]
    if not variable.path or not any(used.model.graphs.plates[plate].count for plate in variable.path):
        return answer
    mask = present[variable.path[-1]].reshape(len(answer.best), -1)
    absent = ~np.repeat(mask, prod(variable.shape), axis=1)
    blank: dict[str, Any] = {
        kind: np.where(absent, np.nan, values)
        for kind in ("best", "low", "high", "deviation")
        if (values := getattr(answer, kind)) is not None
    }
    if answer.probabilities is not None:
        blank["probabilities"] = np.where(absent[..., None], np.nan, answer.probabilities)
    return replace(answer, given=answer.given | absent, **blank)
