"""Labels answered by recognition, by the bound, and by the mean of both, over a split."""

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor

from compiler.model.model import Model
from compiler.tensors.noise import Noise
from graphspec.graphs.answerable import why_bound_cannot_tell
from graphspec.language.objective import AnswerBy
from runtime.measures.label_figures import Prediction, summarize

MOST_BOUNDS = 32
"""Evaluations of the bound that a comparison nobody asked for may take: one for each value of each element."""
FIGURES = ("error", "log_loss", "calibration")


class LabelAnswers:
    """What a model answers for each label of a split, batch by batch.

    by: instead of what the spec says; where the bound cannot answer, q does. compared: all ways where the bound can, in
    few evaluations.
    """

    def __init__(self, model: Model, by: AnswerBy | None, compared: bool) -> None:
        self.model, self._by = model, by
        self._ways = {name: self._wanted(name, compared) for name in model.graphs.supervised}
        self._found: dict[tuple[str, AnswerBy], list[Tensor]] = {}

    def by(self, name: str) -> AnswerBy:
        """What answers a label."""
        asked = self._by or self.model.graphs.spec.objective.answers.get(name, "recognition")
        return "recognition" if why_bound_cannot_tell(self.model.graphs, name) else asked

    def notes(self) -> list[str]:
        """Labels that are not answered as was asked."""
        asked = self._by if self._by not in (None, "recognition") else None
        why = {n: why_bound_cannot_tell(self.model.graphs, n) for n in self._ways if asked is not None}
        return [f"{name} is answered by recognition, not by {asked}: {text}" for name, text in why.items() if text]

    def _wanted(self, name: str, compared: bool) -> tuple[AnswerBy, ...]:
        variable = self.model.graphs.variables[name]
        bounds = prod(variable.row_shape) * (variable.support or 1)
        if compared and bounds <= MOST_BOUNDS and not why_bound_cannot_tell(self.model.graphs, name):
            return ("recognition", "bound")
        return ("recognition", "bound") if self.by(name) == "both" else (self.by(name),)

    def take_in(self, seen: Mapping[str, Tensor], samples: int, noise: Noise) -> None:
        """A batch of rows whose labels are hidden."""
        for name, ways in self._ways.items():
            for way in ways:
                told = self.model.predict(name, seen, samples=samples, noise=noise, beyond_count=True, by=way)
                self._found.setdefault((name, way), []).append(told.cpu())

    def of(self, name: str) -> dict[AnswerBy, Tensor]:
        """Answers to all rows by way: probabilities [N, *row shape, K], or means [N, *row shape]."""
        found: dict[AnswerBy, Tensor] = {way: torch.cat(self._found[name, way]) for way in self._ways[name]}
        if len(found) > 1:
            found["both"] = (found["recognition"] + found["bound"]) / 2
        return found


def compared_ways(found: Mapping[AnswerBy, Prediction]) -> dict[str, Any]:
    """`{way: {error, log_loss, calibration}}` of one label."""
    return {way: {key: figures.get(key) for key in FIGURES} for way, p in found.items() if (figures := summarize(p))}
