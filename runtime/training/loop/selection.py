"""Which epoch's weights are the best, by what the validation rows say, and when to stop waiting for better ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphspec.graphs.graph import Graphs
from graphspec.graphs.label_figures import figures_of, larger_is_better
from graphspec.reading.suggestions import few
from runtime.errors import RunError
from runtime.measures.label_figures import figure_named


@dataclass(frozen=True)
class Criterion:
    """What `select` means: the error or another figure of one variable, the elbo (up is good), or the last epoch."""

    variable: str | None
    name: str

    @classmethod
    def of(cls, graphs: Graphs, validation_rows: int) -> "Criterion":
        """Read `training.select`; without validation rows it can only be the last epoch."""
        select = graphs.spec.training.select
        if select == "last" or validation_rows == 0:
            return cls(None, "last")
        if not select:
            select = f"{graphs.supervised[0]}.error" if graphs.supervised else "elbo"
        if select == "elbo":
            return cls(None, "elbo")
        variable, _, figure = select.partition(".")
        if variable not in graphs.supervised or figure not in figures_of(graphs.variables[variable]):
            choices = [
                *(f"{n}.{f}" for n in graphs.supervised for f in figures_of(graphs.variables[n])),
                "elbo",
                "last",
            ]
            raise RunError(f"training.select is {select!r}, which names no figure", f"use one of {few(choices)}")
        return cls(variable, select)

    def figure(self, validation: Mapping[str, Any] | None) -> tuple[float, float] | None:
        """(figure, tie-breaker), larger is better; None where the validation rows cannot tell.

        On few rows the error often ties: then the elbo decides which weights are kept.
        """
        if validation is None or self.name == "last":
            return None
        elbo = _number(validation.get("elbo"))
        if self.variable is None:
            return None if elbo is None else (elbo, 0.0)
        figure = self.name.partition(".")[2]
        value = figure_named(validation.get("variables", {}).get(self.variable, {}), figure)
        up = None if value is None else value if larger_is_better(figure) else -value
        return None if up is None else (up, -math.inf if elbo is None else elbo)


@dataclass(frozen=True)
class Best:
    """The best epoch so far and how many epochs have passed without a better figure (ties do not count as better)."""

    epoch: int | None = None
    figure: tuple[float, float] | None = None
    waited: int = 0

    def after(self, epoch: int, figure: tuple[float, float] | None) -> "Best":
        """With the figure of one more epoch. Where there is none, the latest epoch is the best one."""
        if figure is None and self.figure is None:
            return Best(epoch, None, 0)
        if figure is None or (self.figure is not None and figure <= self.figure):
            return Best(self.epoch, self.figure, self.waited + 1)
        better = self.figure is None or figure[0] > self.figure[0]
        return Best(epoch, figure, 0 if better else self.waited + 1)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the state file."""
        return {"epoch": self.epoch, "figure": self.figure and list(self.figure), "waited": self.waited}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Best":
        """What `to_json` wrote."""
        figure = plain["figure"]
        return cls(plain["epoch"], None if figure is None else (figure[0], figure[1]), plain["waited"])


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
