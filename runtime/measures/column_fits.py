"""The bound beside what a fit of each column by itself gives: a model that ends below has not found its values.

From: training rows, which the fits are of, and a model's evaluations of held-out rows. To: plain values. Not here: what
to do about it (`shortcomings`).
"""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from compiler.factors.parameters import start_value
from compiler.families import ENTRIES
from compiler.model.evaluation import Evaluation
from compiler.tensors import blanks
from graphspec.graphs.graph import Factor, Graphs
from graphspec.graphs.start import channel_shape
from graphspec.language import LearnedParameter, NetworkParameter
from runtime.data import Rows
from runtime.data.preparation.starts import sample

SURE, NATS = 2.0, 0.05
"""Standard errors, and nats a row, by which the mean over rows must lie below to be told."""


class ColumnFits:
    """Fits of training rows' columns by the family that p gives them; keeps a number a row of what it takes in."""

    def __init__(self, graphs: Graphs, training: Rows) -> None:
        self.graphs = graphs
        modelled = {name: factor for name, factor in graphs.generative.items() if name in graphs.observed}
        self.fits = {
            name: _fit(graphs, factor, training)
            for name, factor in modelled.items()
            if len(training) and name in training.values and _comparable(factor)
        }
        self.complete = self.fits.keys() == modelled.keys()
        self._rows: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in self.fits}
        self._bounds: list[Tensor] = []

    def take_in(self, seen: Mapping[str, Tensor], found: Evaluation) -> None:
        """Rows of observed values, and the model's evaluation of them with beta 1 and every label hidden."""
        for name, parameters in self.fits.items():
            term = found.terms.get(f"log p({name})")
            if term is not None:
                self._rows[name].append((self._nats(name, parameters, seen[name]), term.double().cpu()))
        self._bounds.append(found.bound.double().cpu())

    def _nats(self, name: str, parameters: tuple[Tensor, ...], values: Tensor) -> Tensor:
        """[B] log density of the elements that are given."""
        factor, variable = self.graphs.generative[name], self.graphs.variables[name]
        assert factor.family is not None
        given = blanks.given(self.graphs, name, values)
        known = blanks.filled(variable, values, given).double().cpu()
        each: Tensor = ENTRIES[factor.family.name].log_prob(known, *parameters)
        return torch.where(given.cpu(), each, 0.0).reshape(len(values), -1).sum(1)

    def report(self) -> dict[str, Any]:
        """`{fit, below, variables: {name: {fit, model, below}}}`, nats a row. fit: None where not every observed
        variable can be fitted by itself. below: by more than chance. model: log p(variable | ...), without divergences.
        """
        rows = {name: [torch.cat(p) for p in zip(*parts, strict=True)] for name, parts in self._rows.items() if parts}
        variables = {
            name: {"fit": float(fit.mean()), "model": float(term.mean()), "below": _below(term - fit)}
            for name, (fit, term) in rows.items()
        }
        if not (self.complete and rows.keys() == self.fits.keys() and rows):
            return {"fit": None, "below": False, "variables": variables}
        fits = torch.stack([fit for fit, _ in rows.values()]).sum(0)
        return {"fit": float(fits.mean()), "below": _below(torch.cat(self._bounds) - fits), "variables": variables}


def _comparable(factor: Factor) -> bool:
    """Its family can be fitted, and every parameter of it is learned."""
    entry = None if factor.family is None else ENTRIES.get(factor.family.name)
    free = all(isinstance(given, (LearnedParameter, NetworkParameter)) for given in factor.parameters.values())
    return entry is not None and entry.fit is not None and free and not factor.standard


def _fit(graphs: Graphs, factor: Factor, training: Rows) -> tuple[Tensor, ...]:
    """The fitted parameters, each broadcast against a value; the standard ones where a column does not tell."""
    assert factor.family is not None
    variable = graphs.variables[factor.variable]
    fit = ENTRIES[factor.family.name].fit
    assert fit is not None
    found = []
    for info, fitted in zip(factor.family.parameters, fit(sample(variable, training)), strict=True):
        usable = fitted.isfinite() & ((fitted > 0) if info.link == "softplus" else True)
        found.append(torch.where(usable, fitted, start_value(info)).reshape(channel_shape(variable.of_element)))
    return tuple(found)


def _below(gaps: Tensor) -> bool:
    """The mean of [N] is below zero by more than chance."""
    if len(gaps) < 2:
        return False
    mean, error = float(gaps.mean()), float(gaps.std()) / sqrt(len(gaps))
    return mean + SURE * error < -NATS
